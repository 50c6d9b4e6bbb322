//! What a client may be shown of a user although the directory does not have it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Fixture, GatewayOptions, USER, each, id};

/// With Ana, who has a family name and a display name; and the client okta, which must find more.
async fn okta() -> (Fixture, Client, String) {
    let options = GatewayOptions::default().set("clients.okta.derive_missing", "true").key("okta", "of-okta", "");
    let fixture = Fixture::with_gateway(options).await;
    let ana =
        json!({ "schemas": [USER], "userName": "ana@example.com", "displayName": "Ana Ruiz", "name": { "familyName": "Ruiz" } });
    let path = format!("/Users/{}", id(&fixture.scim.post("/Users", ana).await.expect(201)));
    let okta = fixture.gateway.client("of-okta");
    (fixture, okta, path)
}

#[tokio::test]
async fn a_client_that_must_find_names_and_an_address_does() {
    let (Fixture { scim, .. }, okta, path) = &okta().await;
    let bare = scim.get(path).await.expect(200);
    assert_eq!((&bare["name"]["givenName"], &bare["emails"]), (&Value::Null, &Value::Null));

    let full = okta.get(path).await.expect(200);
    let emails = json!([{ "value": "ana@example.com", "type": "work", "primary": true }]);
    assert_eq!((&full["name"]["givenName"], &full["name"]["familyName"]), (&json!("Ana"), &json!("Ruiz")));
    assert_eq!((&full["emails"], &full["active"], &full["meta"]), (&emails, &json!(true), &bare["meta"]));

    let listed = okta.get("/Users?count=1&startIndex=1").await.expect(200);
    assert_eq!(listed["Resources"], json!([full]));
    let asked = okta.get(&format!("{path}?attributes=name.givenName")).await.expect(200);
    assert_eq!(asked["name"], json!({ "givenName": "Ana" }));
    let spared = okta.get(&format!("{path}?excludedAttributes=emails,name.givenName")).await.expect(200);
    assert_eq!((&spared["emails"], &spared["name"]["givenName"]), (&Value::Null, &Value::Null));

    let eva = okta.post("/Users", json!({ "schemas": [USER], "userName": "eva.soto@example.com" })).await.expect(201);
    assert_eq!((&eva["name"]["givenName"], &eva["emails"][0]["value"]), (&json!("eva"), &json!("eva.soto@example.com")));
}

#[tokio::test]
async fn no_filter_finds_what_the_directory_does_not_have() {
    let (Fixture { scim, .. }, okta, _) = &okta().await;
    for filter in ["name.givenName eq \"Ana\"", "emails eq \"ana@example.com\"", "emails[type eq \"work\"]", "name.givenName pr"]
    {
        assert_eq!(okta.find("/Users", filter).await["totalResults"], 0, "{filter}");
    }
    for filter in ["not (name.givenName pr)", "userName eq \"ana@example.com\" and name.familyName eq \"ruiz\""] {
        for client in [okta, scim] {
            assert_eq!(each(&client.find("/Users", filter).await, "userName"), ["ana@example.com"], "{filter}");
        }
    }
}

#[tokio::test]
async fn what_was_shown_is_not_written_when_it_comes_back() {
    let (Fixture { directory, .. }, okta, path) = &okta().await;
    let before = directory.user("ana").await.unwrap();
    let shown = okta.get(path).await.expect(200);

    assert_eq!(okta.put(path, shown.clone()).await.expect(200), shown);
    let operation = |path: &str, value: Value| json!({ "op": "replace", "path": path, "value": value });
    let name = operation("name.givenName", json!("Ana"));
    for operations in [
        json!([name]),
        json!([operation("emails[type eq \"work\"].value", json!("ana@example.com")), name]),
        json!([operation("emails", shown["emails"].clone()), operation("name", shown["name"].clone())]),
        json!([{ "op": "add", "value": { "name": shown["name"], "emails": shown["emails"] } }]),
    ] {
        assert_eq!(okta.patch(path, operations.clone()).await.expect(200), shown, "{operations}");
    }
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "PUT", "path": path, "data": shown }] });
    let bulk = okta.send_bytes(Method::POST, "/Bulk", body.to_string()).await.expect(200);
    assert_eq!(bulk["Operations"][0]["status"], "200");

    assert_eq!(directory.user("ana").await.unwrap(), before);
}

#[tokio::test]
async fn what_is_new_is_written_and_nothing_beside_it() {
    let (Fixture { directory, scim, .. }, okta, path) = &okta().await;
    let mut ana = okta.get(path).await.expect(200);
    ana["title"] = json!("Engineer");
    okta.put(path, ana).await.expect(200);
    let entry = directory.user("ana").await.unwrap();
    assert_eq!((entry.one("title"), entry.all("mail").len(), entry.all("givenName").len()), ("Engineer", 0, 0));

    okta.patch(path, json!([{ "op": "replace", "path": "name.givenName", "value": "Anita" }])).await.expect(200);
    let mut ana = okta.get(path).await.expect(200);
    ana["emails"] = json!([{ "value": "ana@example.com", "type": "work" }, { "value": "ruiz@example.com", "type": "work" }]);
    okta.put(path, ana).await.expect(200);
    let entry = directory.user("ana").await.unwrap();
    assert_eq!((entry.one("givenName"), entry.all("mail").contains(&"ana@example.com")), ("Anita", true));

    // From now on it is the directory's.
    assert_eq!(scim.find("/Users", "emails eq \"ana@example.com\"").await["totalResults"], 1);
    okta.patch(path, json!([{ "op": "remove", "path": "emails" }])).await.expect(200);
    assert!(directory.user("ana").await.unwrap().all("mail").is_empty());
}
