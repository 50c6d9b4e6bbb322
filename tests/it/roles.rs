//! Roles in all the forms that clients have for them, where the administrator gave them a place.

use serde_json::{Value, json};

use crate::support::{Fixture, GatewayOptions, id, sorted, user};

const MAP: &str = "[users.attributes]\n\"roles.value\" = \"businessCategory\"\n";

fn roles(resource: &Value) -> Vec<String> {
    let roles = resource["roles"].as_array().map(Vec::as_slice).unwrap_or_default();
    sorted(roles.iter().map(|role| role["value"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn roles_of_every_form_are_kept_as_text() {
    let Fixture { scim, directory, .. } = &Fixture::with_gateway(GatewayOptions::default().lines(MAP)).await;
    let kept = async || directory.user("ana").await.unwrap().all("businessCategory").join(", ");
    let mut ana = user("ana");
    ana["roles"] = json!(["ROLE_USER", { "value": "ROLE_MANAGER", "type": "x", "primary": true }]);
    let created = scim.post("/Users", ana.clone()).await.expect(201);
    assert_eq!(roles(&created), ["ROLE_MANAGER", "ROLE_USER"]);
    assert_eq!(kept().await, "ROLE_MANAGER, ROLE_USER");
    let path = &format!("/Users/{}", id(&created));

    // As Entra adds one.
    let text = json!({ "id": "06b07648", "value": "ROLE_IGNORE_QUOTA", "displayName": "Ignore quota" }).to_string();
    let add = json!([{ "op": "Add", "path": "roles", "value": [{ "value": text }] }]);
    assert_eq!(roles(&scim.patch(path, add).await.expect(200)), ["ROLE_IGNORE_QUOTA", "ROLE_MANAGER", "ROLE_USER"]);
    let remove = json!([{ "op": "Remove", "path": "roles[value eq \"ROLE_MANAGER\"]" }]);
    assert_eq!(roles(&scim.patch(path, remove).await.expect(200)), ["ROLE_IGNORE_QUOTA", "ROLE_USER"]);
    let replace = json!([{ "op": "replace", "value": { "roles": ["ROLE_MANAGER"] } }]);
    assert_eq!(roles(&scim.patch(path, replace).await.expect(200)), ["ROLE_MANAGER"]);
    assert_eq!(kept().await, "ROLE_MANAGER");
    assert_eq!(scim.find("/Users", "roles[value eq \"role_manager\"]").await["totalResults"], 1);

    ana["roles"] = json!([text, { "value": "ROLE_USER" }, "ROLE_USER"]);
    assert_eq!(roles(&scim.put(path, ana.clone()).await.expect(200)), ["ROLE_IGNORE_QUOTA", "ROLE_USER"]);
    assert_eq!(kept().await, "ROLE_IGNORE_QUOTA, ROLE_USER");
    ana["roles"] = json!([]);
    assert_eq!(roles(&scim.put(path, ana).await.expect(200)), [""; 0]);
    assert_eq!(kept().await, "");
}

#[tokio::test]
async fn the_only_role_is_the_primary_one() {
    let Fixture { scim, directory, .. } = &Fixture::with_gateway(GatewayOptions::default().lines(MAP)).await;
    let path = &format!("/Users/{}", scim.new_user("ana").await);
    // As Entra does for an application of which a person has one role.
    for (op, role) in [("Add", "ROLE_USER"), ("Replace", "ROLE_MANAGER"), ("Add", "ROLE_IGNORE_QUOTA")] {
        let operation = json!([{ "op": op, "path": "roles[primary eq \"True\"].value", "value": role }]);
        let user = scim.patch(path, operation).await.expect(200);
        assert_eq!(user["roles"], json!([{ "value": role, "primary": true }]));
        assert_eq!(directory.user("ana").await.unwrap().all("businessCategory"), [role]);
    }
    scim.patch(path, json!([{ "op": "Remove", "path": "roles[primary eq \"True\"].value" }])).await.expect(200);
    assert!(directory.user("ana").await.unwrap().all("businessCategory").is_empty());
}

#[tokio::test]
async fn a_strict_client_writes_roles_as_the_schema_has_them() {
    let options = GatewayOptions::default().set("clients.ping.strict", "true").lines(MAP);
    let Fixture { scim, .. } = &Fixture::with_gateway(options).await;
    let mut ana = user("ana");
    ana["roles"] = json!(["ROLE_USER"]);
    assert!(scim.post("/Users", ana.clone()).await.error(400, "invalidValue").contains("roles"));

    ana["roles"] = json!([{ "value": "{\"value\":\"ROLE_USER\"}" }]);
    let created = scim.post("/Users", ana).await.expect(201);
    assert_eq!(roles(&created), ["{\"value\":\"ROLE_USER\"}"]);
}
