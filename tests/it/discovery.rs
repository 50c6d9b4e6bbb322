//! What the gateway says of itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ENTERPRISE, Fixture, GROUP, USER, each, id, user};

#[tokio::test]
async fn the_configuration_says_what_is_served() {
    let Fixture { scim, gateway, .. } = &Fixture::start().await;

    let config = scim.get("/ServiceProviderConfig").await.expect(200);

    assert_eq!(config["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]));
    assert_eq!((&config["patch"]["supported"], &config["sort"]["supported"]), (&json!(true), &json!(true)));
    assert_eq!(config["filter"], json!({ "supported": true, "maxResults": 1000 }));
    assert_eq!(config["changePassword"]["supported"], false);
    assert_eq!(config["meta"]["location"], format!("http://{}/scim/v2/ServiceProviderConfig", gateway.address()));
    assert_eq!((&config["bulk"]["supported"], &config["etag"]["supported"]), (&json!(true), &json!(true)));
    // What is not offered is refused as not implemented.
    scim.get("/Me").await.error(501, "");
}

#[tokio::test]
async fn resource_types_and_schemas_are_lists_of_what_can_be_read_one_by_one() {
    let Fixture { scim, .. } = &Fixture::start().await;

    for (path, names) in [("/ResourceTypes", vec!["User", "Group"]), ("/Schemas", vec![USER, ENTERPRISE, GROUP])] {
        let list = scim.get(path).await.expect(200);
        let (mut found, mut expected) = (each(&list, "id"), names);
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{path}");
        assert_eq!(list["totalResults"].as_u64(), Some(found.len() as u64));
        assert!(!list.to_string().contains("null"), "{path} holds a null");
        for document in list["Resources"].as_array().unwrap() {
            let name = document["id"].as_str().unwrap();
            for spelling in [name.to_owned(), name.to_uppercase(), name.replace(':', "%3A")] {
                let one = scim.get(&format!("{path}/{spelling}")).await.expect(200);
                assert_eq!(&one, document, "{spelling}");
            }
            let location = document["meta"]["location"].as_str().unwrap();
            assert!(location.ends_with(&format!("/scim/v2{path}/{name}")), "{location}");
        }
        scim.get(&format!("{path}/nonsense")).await.error(404, "");
        scim.get(&format!("{path}?filter=id%20eq%20%22User%22")).await.error(403, "");
    }
}

#[tokio::test]
async fn resource_types_lead_to_their_schemas() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let user = scim.get("/ResourceTypes/User").await.expect(200);
    assert_eq!((user["endpoint"].as_str(), user["schema"].as_str()), (Some("/Users"), Some(USER)));
    assert_eq!(user["schemaExtensions"], json!([{ "schema": ENTERPRISE, "required": false }]));
    let group = scim.get("/ResourceTypes/Group").await.expect(200);
    assert_eq!((group["endpoint"].as_str(), group["schema"].as_str()), (Some("/Groups"), Some(GROUP)));
}

#[tokio::test]
async fn the_schema_names_what_can_be_stored_and_how() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let schema = scim.get(&format!("/Schemas/{USER}")).await.expect(200);

    let attributes = schema["attributes"].as_array().unwrap();
    let attribute = |name: &str| attributes.iter().find(|attribute| attribute["name"] == name).cloned().unwrap_or(Value::Null);
    let user_name = attribute("userName");
    assert_eq!((user_name["required"].as_bool(), user_name["uniqueness"].as_str()), (Some(true), Some("server")));
    assert_eq!(attribute("active")["type"], "boolean");
    assert_eq!(attribute("groups")["mutability"], "readOnly");
    // The directory has no place for these.
    for absent in ["photos", "ims", "roles", "x509Certificates"] {
        assert_eq!(attribute(absent), Value::Null, "{absent}");
    }
    let mut parts = each(&json!({ "Resources": attribute("emails")["subAttributes"] }), "name");
    parts.sort();
    assert_eq!(parts, ["primary", "type", "value"]);
}

#[tokio::test]
async fn a_document_for_client_generators_describes_what_is_served() {
    let Fixture { gateway, .. } = &Fixture::start().await;

    let document = reqwest::get(format!("http://{}/openapi.json", gateway.address())).await.unwrap();
    let document: Value = document.json().await.unwrap();

    assert_eq!(document["servers"][0]["url"], format!("http://{}/scim/v2", gateway.address()));
    assert!(document["paths"]["/Users/{id}"]["patch"].is_object(), "{:#}", document["paths"]);
    let properties = &document["components"]["schemas"]["User"]["properties"];
    assert!(properties["userName"].is_object() && properties.get("photos").is_none(), "{properties:#}");
}

#[tokio::test]
async fn addresses_in_answers_are_those_the_client_uses() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let named = scim.request(Method::GET, "/ResourceTypes/User").header("host", "scim.example.com:8443");
    let location = scim.send(named).await.expect(200)["meta"]["location"].clone();
    assert_eq!(location, "http://scim.example.com:8443/scim/v2/ResourceTypes/User");

    let public = &Fixture::set(&[("server.public_url", "https://scim.example.com/")]).await;
    let ana = public.scim.post("/Users", user("ana")).await;
    let location = ana.header("location").to_owned();
    assert_eq!(location, format!("https://scim.example.com/scim/v2/Users/{}", id(&ana.expect(201))));
}
