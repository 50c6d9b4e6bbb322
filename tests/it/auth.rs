//! Who may come in, and what that one may do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Fixture, GatewayOptions, KEY, group, user};

#[track_caller]
fn unauthorized(answer: Answer) -> String {
    let challenge = answer.header("www-authenticate").to_owned();
    assert!(challenge.starts_with("Bearer realm="), "{challenge}");
    answer.error(401, "");
    challenge
}

#[tokio::test]
async fn without_a_key_nothing_but_the_way_to_sign_in_is_told() {
    let Fixture { gateway, .. } = &Fixture::start().await;
    let stranger = gateway.client("");

    let config = stranger.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    for path in ["/Users", "/Groups", "/Users/1", "/Schemas", "/ResourceTypes", "/Me"] {
        unauthorized(stranger.get(path).await);
    }
    for path in ["/Users", "/Groups", "/.search", "/Bulk"] {
        unauthorized(stranger.post(path, user("ana")).await);
    }
    assert!(gateway.measures("scimgate_refusals_total{reason=\"missing\"} 10").await);
}

#[tokio::test]
async fn a_wrong_credential_is_refused_in_every_form() {
    let Fixture { gateway, scim, .. } = &Fixture::start().await;
    let stranger = gateway.client("");
    let sent = async |value: &str| {
        let request = stranger.request(Method::GET, "/Users").header("authorization", value);
        unauthorized(stranger.send(request).await)
    };

    assert!(sent("Bearer wrong").await.contains("invalid_token"));
    assert!(sent(&format!("Bearer {KEY}x")).await.contains("invalid_token"));
    for malformed in ["Bearer", "Bearer ", "Basic cGluZzpwaW5n", &format!("Digest {KEY}")] {
        assert!(sent(malformed).await.contains("invalid_request"), "{malformed}");
    }
    let twice = scim.request(Method::GET, "/Users").header("authorization", format!("Bearer {KEY}"));
    unauthorized(scim.send(twice).await);
    // Even the page that anybody may see does not take a wrong key for none.
    unauthorized(gateway.client("wrong").get("/ServiceProviderConfig").await);
}

#[tokio::test]
async fn the_scheme_is_read_without_its_case() {
    let Fixture { gateway, .. } = &Fixture::start().await;
    let stranger = gateway.client("");

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = stranger.request(Method::GET, "/Users").header("authorization", format!("{scheme} {KEY}"));
        stranger.send(request).await.expect(200);
    }
}

#[tokio::test]
async fn two_keys_of_one_client_live_side_by_side() {
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(GatewayOptions::default().key("ping", "the-next-key", "")).await;

    scim.get("/Users").await.expect(200);
    gateway.client("the-next-key").get("/Users").await.expect(200);

    let both = "scimgate_requests_total{route=\"users\",method=\"GET\",client=\"ping\",status=\"200\"} 2";
    assert!(gateway.measures(both).await);
}

#[tokio::test]
async fn an_expired_key_is_refused_as_such() {
    let options = GatewayOptions::default().key("old", "the-old-key", "expires = 2020-01-01").key(
        "young",
        "the-young-key",
        "expires = 2999-12-31T23:59:59Z",
    );
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;

    let challenge = unauthorized(gateway.client("the-old-key").get("/Users").await);
    assert!(challenge.contains("expired"), "{challenge}");
    gateway.client("the-young-key").get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let options = GatewayOptions::default().key("reader", "reads", "scopes = [\"users:read\", \"groups:read\"]").key(
        "users",
        "users",
        "scopes = [\"users:write\"]",
    );
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(options).await;
    let (reader, users) = (gateway.client("reads"), gateway.client("users"));
    let ana = scim.new_user("ana").await;
    let path = format!("/Users/{ana}");
    let refused = |answer: Answer, scope: &str| {
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(challenge.contains("insufficient_scope") && challenge.contains(scope), "{challenge}");
        assert!(answer.error(403, "").contains(scope));
    };
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    let disable = json!([{ "op": "replace", "path": "active", "value": false }]);

    reader.get("/Users").await.expect(200);
    reader.get("/Groups").await.expect(200);
    reader.post("/.search", search.clone()).await.expect(200);
    refused(reader.post("/Users", user("bob")).await, "users:write");
    refused(reader.put(&path, user("ana")).await, "users:write");
    refused(reader.patch(&path, disable).await, "users:write");
    refused(reader.delete(&path).await, "users:write");
    refused(reader.post("/Groups", group("staff", &[])).await, "groups:write");

    users.post("/Users", user("bob")).await.expect(201);
    users.get(&path).await.expect(200);
    refused(users.get("/Groups").await, "groups:read");
    refused(users.post("/.search", search).await, "groups:read");
    users.get("/Schemas").await.expect(200);

    assert_eq!(scim.get(&path).await.expect(200)["active"], true);
}

#[tokio::test]
async fn a_bulk_request_needs_a_permission_of_its_own() {
    let single = "scopes = [\"users:write\", \"groups:write\"]";
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(GatewayOptions::default().key("single", "single", single)).await;
    let operation = json!({ "method": "POST", "path": "/Users", "bulkId": "a", "data": user("ana") });
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [operation] });

    let refused = gateway.client("single").post("/Bulk", body.clone()).await;

    assert!(refused.header("www-authenticate").contains("error=\"insufficient_scope\", scope=\"bulk\""));
    assert!(refused.error(403, "").contains("bulk"));
    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    assert_eq!(scim.post("/Bulk", body).await.expect(200)["Operations"][0]["status"], "201");
}

#[tokio::test]
async fn a_key_may_come_in_other_forms_where_that_is_wanted() {
    let options = GatewayOptions::default()
        .set("auth.basic", "true")
        .set("auth.schemes", "[\"oauth2\", \"\"]")
        .key("strict", "strict", "")
        .key("old", "the-old-key", "expires = 2020-01-01")
        .lines("[clients.strict]\nstrict = true\n");
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let stranger = gateway.client("");
    let sent = async |value: &str| stranger.send(stranger.request(Method::GET, "/Users").header("authorization", value)).await;
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));

    for value in [&format!("OAuth2 {KEY}"), KEY, &basic("ping", KEY), &basic("strict", "strict"), "Bearer strict"] {
        sent(value).await.expect(200);
    }
    for (word, count) in [("authentication-other-word", 1), ("authentication-no-word", 1)] {
        let line = format!("scimgate_tolerances_total{{client=\"ping\",tolerance=\"{word}\"}} {count}");
        assert!(gateway.measures(&line).await, "{line}");
    }
    for value in [&basic("okta", KEY), &basic("ping", "strict"), &basic("ping", ""), &basic("old", "the-old-key"), "strict"] {
        let answer = sent(value).await;
        let offered: Vec<&str> = answer.headers.get_all("www-authenticate").iter().filter_map(|v| v.to_str().ok()).collect();
        assert!(offered[0].starts_with("Bearer realm=\"scimgate\", error=") && offered.len() == 2, "{offered:?}");
        assert_eq!(offered[1], "Basic realm=\"scimgate\", charset=\"UTF-8\"");
        answer.error(401, "");
    }
    let config = stranger.get("/ServiceProviderConfig").await.expect(200);
    let kinds: Vec<&str> =
        config["authenticationSchemes"].as_array().unwrap().iter().filter_map(|s| s["type"].as_str()).collect();
    assert_eq!(kinds, ["oauthbearertoken", "httpbasic"]);
}

#[tokio::test]
async fn no_key_is_ever_logged() {
    let Fixture { gateway, scim, .. } = &Fixture::set(&[("log.level", "debug")]).await;
    scim.get("/Users").await.expect(200);
    unauthorized(gateway.client("a-mistyped-key").get("/Users").await);

    gateway.logged(|line| line["status"] == 401).await;
    let log = Value::from(gateway.log()).to_string();
    assert!(log.contains("\"client\":\"ping\""), "{log}");
    for secret in [KEY, "a-mistyped-key", "of the gateway"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
