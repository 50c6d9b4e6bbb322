//! Roles, where the administrator gave them a place: in whatever form they come.

use serde_json::{Value, json};

use crate::support::{Client, Fixture, GatewayOptions, SlapdOptions, USER, id, sorted, user};

/// What Entra makes of an application's role.
const NESTED: &str = r#"{"id":"18d14569-c3bd-439b-9a66-3a2aee01d14f","value":"ROLE_USER","displayName":"Users"}"#;

async fn with_roles(lines: &str) -> Fixture {
    let map = format!("[users.attributes]\n\"roles.value\" = \"businessCategory\"\n{lines}");
    Fixture::with(SlapdOptions::default(), GatewayOptions::default().lines(&map)).await
}

/// The values of a user's roles, in order of the alphabet.
async fn roles(scim: &Client, path: &str) -> Vec<String> {
    let user = scim.get(path).await.expect(200);
    let roles = user["roles"].as_array().cloned().unwrap_or_default();
    sorted(roles.iter().map(|role| role["value"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn roles_of_every_form_are_kept_where_the_map_says() {
    let Fixture { scim, directory, gateway, .. } = &with_roles("").await;
    let forms = [
        (json!(["ROLE_USER", "ROLE_MANAGER"]), vec!["ROLE_MANAGER", "ROLE_USER"]),
        (json!([{ "value": "ROLE_USER", "display": "Users", "primary": true }]), vec!["ROLE_USER"]),
        (json!([{ "value": NESTED, "type": "WindowsAzureActiveDirectoryRole", "primary": "True" }]), vec![NESTED]),
        (json!(NESTED), vec![NESTED]),
        (json!([]), vec![]),
    ];
    let kept = async |path: &str, expected: &[&str], what: &str| {
        assert_eq!(roles(scim, path).await, expected, "{what}");
        assert_eq!(directory.user("ana").await.unwrap().all("businessCategory"), expected, "{what}");
    };
    for (form, expected) in &forms {
        let mut ana = user("ana");
        ana["roles"] = form.clone();
        let path = format!("/Users/{}", id(&scim.post("/Users", ana.clone()).await.expect(201)));
        kept(&path, expected, &format!("POST {form}")).await;

        for (form, expected) in &forms {
            ana["roles"] = form.clone();
            scim.put(&path, ana.clone()).await.expect(200);
            kept(&path, expected, &format!("PUT {form}")).await;
        }
        for (form, expected) in &forms {
            let operation = json!([{ "op": "Replace", "path": "roles", "value": form }]);
            scim.patch(&path, operation).await.expect(200);
            kept(&path, expected, &format!("PATCH {form}")).await;
        }
        scim.delete(&path).await.expect(204);
    }
    let metrics = gateway.admin("/metrics").await.1;
    assert!(metrics.contains("tolerance=\"roles-as-strings\""), "{metrics}");
}

#[tokio::test]
async fn roles_come_and_go_one_by_one() {
    let Fixture { scim, directory, .. } = &with_roles("").await;
    let path = &format!("/Users/{}", scim.new_user("ana").await);
    for (operation, expected) in [
        (json!({ "op": "Add", "path": "roles", "value": ["ROLE_USER"] }), vec!["ROLE_USER"]),
        (json!({ "op": "Add", "path": "roles", "value": [{ "value": NESTED }] }), vec!["ROLE_USER", NESTED]),
        (json!({ "op": "add", "value": { "roles": ["ROLE_USER", "ROLE_MANAGER"] } }), vec!["ROLE_MANAGER", "ROLE_USER", NESTED]),
        (json!({ "op": "Remove", "path": "roles", "value": ["ROLE_USER"] }), vec!["ROLE_MANAGER", NESTED]),
        (json!({ "op": "remove", "path": "roles[value eq \"ROLE_MANAGER\"]" }), vec![NESTED]),
        (json!({ "op": "Remove", "path": "roles", "value": [{ "value": NESTED }] }), vec![]),
        // What Entra sends for an application of which a person has one role only.
        (json!({ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "ROLE_USER" }), vec!["ROLE_USER"]),
        (json!({ "op": "Remove", "path": "roles" }), vec![]),
    ] {
        scim.patch(path, json!([operation])).await.expect(200);
        assert_eq!(roles(scim, path).await, expected, "{operation}");
        assert_eq!(directory.user("ana").await.unwrap().all("businessCategory"), expected, "{operation}");
    }
    let none = scim.find("/Users", "roles.value eq \"ROLE_USER\"").await;
    assert_eq!(none["totalResults"], 0);
    scim.patch(path, json!([{ "op": "add", "path": "roles", "value": ["ROLE_USER"] }])).await.expect(200);
    assert_eq!(scim.find("/Users", "roles eq \"role_user\"").await["totalResults"], 1);
}

#[tokio::test]
async fn a_strict_client_sends_roles_as_objects() {
    let Fixture { scim, .. } = &with_roles("[clients.ping]\nrefuse = [\"roles-as-strings\"]\n").await;
    let ana = |roles: Value| json!({ "schemas": [USER], "userName": "ana@example.com", "roles": roles });
    let detail = scim.post("/Users", ana(json!(["ROLE_USER"]))).await.error(400, "invalidValue");
    assert!(detail.contains("roles"), "{detail}");
    let made = scim.post("/Users", ana(json!([{ "value": "ROLE_USER" }]))).await.expect(201);
    assert_eq!(made["roles"], json!([{ "value": "ROLE_USER" }]));
}
