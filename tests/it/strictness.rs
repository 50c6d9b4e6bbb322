//! What an administrator can set for one client.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ENTERPRISE, Fixture, GatewayOptions, USER, group, id, user};

#[tokio::test]
async fn a_strict_client_is_read_by_the_letter() {
    let options = GatewayOptions::default().set("clients.okta.strict", "true").key("okta", "of-okta", "");
    let Fixture { scim, gateway, .. } = &Fixture::with_gateway(options).await;
    let okta = gateway.client("of-okta");
    let ana = format!("/Users/{}", scim.new_user("ana").await);
    let replace = |path: &str, value: Value| json!([{ "op": "replace", "path": path, "value": value }]);

    for (operations, kind) in [
        (replace("active", json!("False")), "invalidValue"),
        (replace("emails", json!({ "value": "a@b" })), "invalidValue"),
        (replace("title", json!("")), "invalidValue"),
        (json!([{ "op": "replace", "value": { "name.givenName": "x" } }]), "invalidPath"),
        (replace("photos", json!("x")), "invalidPath"),
    ] {
        okta.patch(&ana, operations.clone()).await.error(400, kind);
        scim.patch(&ana, operations).await.expect(200);
    }
    for filter in ["userName eq ana", "emails eq \"a@b\"", "email co \"a\"", "active eq \"true\""] {
        okta.query("/Users", &[("filter", filter)]).await.error(400, "invalidFilter");
        scim.query("/Users", &[("filter", filter)]).await.expect(200);
    }
    let bare = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "x" }] }).to_string();
    okta.send_bytes(Method::PATCH, &ana, bare.clone()).await.error(400, "invalidSyntax");
    scim.send_bytes(Method::PATCH, &ana, bare).await.expect(200);
}

#[tokio::test]
async fn a_client_can_be_allowed_one_liberty() {
    let settings = [("clients.ping.strict", "true"), ("clients.ping.accept", "[\"string-boolean\"]")];
    let Fixture { scim, .. } = &Fixture::set(&settings).await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    let disable = json!([{ "op": "replace", "path": "active", "value": "False" }]);
    assert_eq!(scim.patch(&ana, disable).await.expect(200)["active"], false);
    scim.query("/Users", &[("filter", "emails eq \"a@b\"")]).await.error(400, "invalidFilter");
}

#[tokio::test]
async fn what_a_put_leaves_out_can_stay() {
    let Fixture { scim, .. } = &Fixture::set(&[("clients.ping.put_omitted", "keep")]).await;
    let mut ana = user("ana");
    ana["title"] = "Engineer".into();
    ana[ENTERPRISE] = json!({ "department": "Rides", "employeeNumber": "7" });
    let path = format!("/Users/{}", id(&scim.post("/Users", ana).await.expect(201)));

    let less =
        json!({ "schemas": [USER], "userName": "ana@example.com", "displayName": "Ana", ENTERPRISE: { "department": "Tours" } });
    let replaced = scim.put(&path, less).await.expect(200);

    assert_eq!((replaced["title"].as_str(), replaced["displayName"].as_str()), (Some("Engineer"), Some("Ana")));
    assert_eq!(replaced[ENTERPRISE]["department"], "Tours");
    assert_eq!(replaced["emails"][0]["value"], "ana@example.com");
}

#[tokio::test]
async fn a_put_without_members_can_empty_a_group() {
    let Fixture { scim, .. } = &Fixture::set(&[("clients.ping.refuse", "[\"put-without-members\"]")]).await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    let mut body = group("staff", &[]);
    body.as_object_mut().unwrap().remove("members");

    scim.put(&format!("/Groups/{staff}"), body).await.expect(200);

    assert_eq!(scim.members(&staff).await, [""; 0]);
}
