//! Tokens of other authorization servers. What a real one makes of it is in `tests/issuer`.

use std::path::Path;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Answer, Fixture, GatewayOptions, Health, Issuer, KEY, SigningKey, Tls, make_certificate, until, user};

#[track_caller]
fn refused(answer: Answer, description: &str) {
    let challenge = answer.header("www-authenticate").to_owned();
    assert!(challenge.contains("error=\"invalid_token\"") && challenge.contains(description), "{challenge}");
    answer.error(401, "");
}

/// Wrong tokens are what these tests send.
fn patient() -> GatewayOptions {
    GatewayOptions::default().set("limits.failures_per_minute", "0")
}

/// An issuer with one key, and a gateway that accepts its tokens.
async fn trusting(rest: &str) -> (Issuer, SigningKey, Fixture) {
    let (issuer, key) = (Issuer::start(Health::Well).await, SigningKey::new("first"));
    issuer.publish(&[&key]);
    let fixture = Fixture::with_gateway(patient().lines(&issuer.lines(rest))).await;
    (issuer, key, fixture)
}

const INTROSPECTION: &str = "client_id = \"scimgate\"\nclient_secret = \"s p\"\nintrospection_cache = \"1s\"\n";

#[tokio::test]
async fn a_foreign_token_opens_what_its_claims_stand_for() {
    let rest = "claims = { tid = \"t\" }\n[auth.issuers.scopes]\n\"Provision.All\" = \"users:write groups:read\"\n\
                [clients.ping-foreign]\nrequests_per_second = 1\nburst = 3\n";
    let (issuer, key, fixture) = trusting(rest).await;
    let client = |differing: &Value| fixture.gateway.client(&key.sign(&issuer.claims(differing)));

    let scim = client(&json!({ "tid": "t", "roles": ["Provision.All", "Other"] }));
    scim.post("/Users", user("ana")).await.expect(201);
    let lacking = scim.post("/Groups", json!({ "displayName": "staff" })).await;
    assert!(lacking.header("www-authenticate").contains("error=\"insufficient_scope\", scope=\"groups:write\""));
    lacking.error(403, "");
    fixture.gateway.logged(|line| line["client"] == "ping-foreign" && line["status"] == 201).await;
    // Its limits are those of the client's name.
    assert!(scim.get("/Users").await.header("ratelimit-policy").contains("q=3"));

    refused(client(&json!({})).get("/Users").await, "not one of those");
    refused(client(&json!({ "tid": "t", "aud": "other" })).get("/Users").await, "another audience");
    refused(client(&json!({ "tid": "t", "exp": 1_700_000_000 })).get("/Users").await, "expired");
    refused(client(&json!({ "tid": "t", "nbf": 4_000_000_000_i64 })).get("/Users").await, "not valid yet");
    refused(
        fixture.gateway.client(&SigningKey::new("first").sign(&issuer.claims(&json!({ "tid": "t" })))).get("/Users").await,
        "not known",
    );
}

#[tokio::test]
async fn an_issuer_that_is_away_closes_no_door_but_its_own() {
    let (issuer, key) = (Issuer::start(Health::Silent).await, SigningKey::new("first"));
    issuer.publish(&[&key]);
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(GatewayOptions::default().lines(&issuer.lines(""))).await;
    let foreign = gateway.client(&key.sign(&issuer.claims(&json!({}))));

    // They wait for the issuer while others do not: each of these is answered before any of those.
    let waiting = join_all((0..20).map(|_| foreign.get("/Users")));
    let mut waiting = std::pin::pin!(waiting);
    for _ in 0..20 {
        tokio::select! {
            biased;
            answer = scim.get("/Users") => { answer.expect(200); }
            _ = waiting.as_mut() => panic!("the issuer's silence is over before another client is answered"),
        }
    }
    for answer in waiting.await {
        assert!(answer.error(503, "").contains("issuer"));
    }
    assert!(gateway.measures("scimgate_refusals_total{reason=\"issuer\"} 20").await);

    issuer.set(Health::Well);
    until("the issuer's keys are there", async || foreign.get("/Users").await.status == 200).await;
    // Its keys are kept while it fails; only a key that is new cannot be told from one that is not its own.
    issuer.set(Health::Failing);
    gateway.client(&SigningKey::new("next").sign(&issuer.claims(&json!({})))).get("/Users").await.error(503, "");
    foreign.get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_new_key_is_known_at_once_and_made_up_ones_cost_the_issuer_little() {
    let (issuer, first, Fixture { gateway, .. }) = &trusting("").await;
    let token = |key: &SigningKey| key.sign(&issuer.claims(&json!({})));
    gateway.client(&token(first)).get("/Users").await.expect(200);

    let second = SigningKey::new("second");
    issuer.publish(&[&second]);
    let client = gateway.client(&token(&second));
    for answer in join_all((0..20).map(|_| client.get("/Users"))).await {
        answer.expect(200);
    }
    // The issuer has withdrawn it.
    refused(gateway.client(&token(first)).get("/Users").await, "not known");

    let before = issuer.fetches();
    let begun = std::time::Instant::now();
    let made_up: Vec<_> = (0..200).map(|n| gateway.client(&token(&SigningKey::new(&format!("made up {n}"))))).collect();
    for answer in join_all(made_up.iter().map(|client| client.get("/Users"))).await {
        refused(answer, "not known");
    }
    let elsewhere = json!({ "iss": "https://idp.example.com" });
    refused(gateway.client(&second.sign(&issuer.claims(&elsewhere))).get("/Users").await, "not known");
    // A burst of four, and one every five seconds.
    let most = 4 + begun.elapsed().as_secs() / 5 + 1;
    assert!(u64::try_from(issuer.fetches() - before).unwrap() <= most, "{} fetches", issuer.fetches() - before);
    client.get("/Users").await.expect(200);
    let counted = |result: &str, n| {
        format!("scimgate_issuer_requests_total{{issuer=\"{}\",about=\"keys\",result=\"{result}\"}} {n}", issuer.url)
    };
    assert!(gateway.measures(&counted("answered", issuer.fetches())).await, "{}", gateway.admin("/metrics").await.1);
}

#[tokio::test]
async fn tokens_that_say_nothing_are_asked_about_and_the_answer_is_kept_for_a_while() {
    let issuer = Issuer::start(Health::Well).await;
    let lines = issuer.lines(&format!("introspection_endpoint = \"{}/introspect\"\n{INTROSPECTION}", issuer.url));
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(GatewayOptions::default().lines(&lines)).await;
    let active = |differing: &Value| {
        let mut claims = issuer.claims(differing);
        claims["active"] = true.into();
        claims
    };
    issuer.says("opaque", active(&json!({ "scope": "users:write" })));
    issuer.says("other-audience", active(&json!({ "aud": "other" })));
    issuer.says("bound", active(&json!({ "cnf": { "x5t#S256": "x" } })));
    issuer.says("foreign", active(&json!({ "iss": "https://idp.example.com" })));
    issuer.says("broken", json!({ "active": "yes" }));
    let opaque = gateway.client("opaque");

    opaque.post("/Users", user("ana")).await.expect(201);
    for answer in join_all((0..20).map(|_| opaque.get("/Users"))).await {
        answer.expect(200);
    }
    refused(gateway.client("other-audience").get("/Users").await, "another audience");
    refused(gateway.client("bound").get("/Users").await, "another certificate");
    for token in ["foreign", "unknown"] {
        refused(gateway.client(token).get("/Users").await, "not known");
    }
    gateway.client("broken").get("/Users").await.error(503, "");
    // Nobody is asked about what cannot be his.
    let signed = SigningKey::new("x").sign(&issuer.claims(&json!({ "iss": "https://idp.example.com" })));
    for token in [&*signed, "scimgate_mistyped", "two words"] {
        refused(gateway.client(token).get("/Users").await, "not known");
    }
    scim.get("/Users").await.expect(200);
    let shown = issuer.shown();
    let expected = ["bound", "broken", "foreign", "opaque", "other-audience", "unknown"];
    let distinct: std::collections::BTreeSet<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(issuer.fetches(), 0);

    // Revoked: known within the second that an answer is kept.
    issuer.says("opaque", json!({ "active": false }));
    until("the token is refused", async || opaque.get("/Users").await.status == 401).await;
    issuer.says("opaque", active(&json!({})));
    issuer.set(Health::Failing);
    until("the answer is forgotten", async || opaque.get("/Users").await.status == 503).await;
    scim.get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_foreign_token_can_be_bound_to_a_certificate() {
    let (issuer, key) = (Issuer::start(Health::Well).await, SigningKey::new("first"));
    issuer.publish(&[&key]);
    let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let identity = |folder: &Path| make_certificate(folder) + &std::fs::read_to_string(folder.join("tls.key")).unwrap();
    let (mine_pem, other_pem) = (identity(mine.path()), identity(other.path()));
    let authorities = mine.path().join("authorities.pem");
    std::fs::write(&authorities, format!("{mine_pem}{other_pem}")).unwrap();
    let options = GatewayOptions::default()
        .mutual_tls(&authorities)
        .set("server.tls.client_certificates", "optional")
        .lines(&issuer.lines(""));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let thumbprint = thumbprint(&mine_pem);
    let token = key.sign(&issuer.claims(&json!({ "cnf": { "x5t#S256": thumbprint } })));
    let client = |identity| gateway.client_over(&token, Tls { identity, ..Tls::default() });

    client(Some(&*mine_pem)).get("/Users").await.expect(200);
    refused(client(Some(&*other_pem)).get("/Users").await, "another certificate");
    refused(client(None).get("/Users").await, "another certificate");
    gateway.client(KEY).get("/Users").await.expect(200);
}

fn thumbprint(pem: &str) -> String {
    use base64::Engine as _;
    use rustls_pki_types::pem::PemObject as _;
    let der = rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(&der))
}
