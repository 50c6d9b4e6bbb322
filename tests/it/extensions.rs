//! Attributes of one's own: a schema document and lines of the map, no code.

use serde_json::json;

use crate::support::{Fixture, GatewayOptions, each, id, user};

const ACME: &str = "urn:acme:User";

#[tokio::test]
async fn a_schema_document_and_a_line_of_the_map_make_an_attribute() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("acme-user.json");
    let schema = json!({
        "id": ACME, "name": "Acme", "description": "What Acme knows of people.",
        "attributes": [
            { "name": "badge", "type": "string", "description": "The badge's number." },
            { "name": "shoeSize", "type": "string", "description": "Kept nowhere." },
        ],
    });
    std::fs::write(&document, schema.to_string()).unwrap();
    let options = GatewayOptions::default()
        .set("users.extensions", document.to_str().unwrap())
        .set("users.attributes", "{ \"urn:acme:User:badge\" = \"roomNumber\" }");
    let Fixture { scim, directory, .. } = &Fixture::with_gateway(options).await;

    let served = scim.get(&format!("/Schemas/{ACME}")).await.expect(200);
    assert_eq!(each(&json!({ "Resources": served["attributes"] }), "name"), ["badge"]);
    let types = scim.get("/ResourceTypes/User").await.expect(200);
    assert!(types["schemaExtensions"].as_array().unwrap().iter().any(|extension| extension["schema"] == ACME));

    let mut ana = user("ana");
    ana[ACME] = json!({ "badge": "B-7", "shoeSize": "40" });
    let made = scim.post("/Users", ana).await.expect(201);
    assert_eq!(made[ACME], json!({ "badge": "B-7" }));
    assert!(made["schemas"].as_array().unwrap().contains(&json!(ACME)));
    let found = scim.find("/Users", &format!("{ACME}:badge sw \"b-\" and userName pr")).await;
    assert_eq!(each(&found, "id"), [id(&made)]);

    let path = format!("/Users/{}", id(&made));
    let operations = json!([{ "op": "replace", "path": format!("{ACME}:badge"), "value": "B-8" }]);
    assert_eq!(scim.patch(&path, operations).await.expect(200)[ACME]["badge"], "B-8");
    assert_eq!(directory.user("ana").await.unwrap().one("roomNumber"), "B-8");
    let operations = json!([{ "op": "remove", "path": ACME }]);
    assert_eq!(scim.patch(&path, operations).await.expect(200).get(ACME), None);
}
