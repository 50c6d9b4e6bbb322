//! Roles in all the forms that clients have for them, where the administrator gave them a place.

use serde_json::{Value, json};

use crate::support::{Directory, Fixture, GatewayOptions, id, sorted, user};

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

/// The groups `users` and `managers` for two roles, before a gateway.
async fn role_groups(settings: &[(&str, &str)]) -> Fixture {
    let directory = Directory::start().await;
    directory.add_user("erin").await;
    for group in ["users", "managers"] {
        directory.add_group(group, &["erin"]).await;
    }
    let lines = format!(
        "[roles]\nROLE_USER = \"{}\"\nROLE_MANAGER = \"{}\"\n",
        directory.group_dn("users"),
        directory.group_dn("managers")
    );
    let options = settings.iter().fold(GatewayOptions::default(), |options, (key, value)| options.set(key, value));
    Fixture::before(directory, options.lines(&lines)).await
}

#[tokio::test]
async fn on_every_directory_a_role_is_a_membership_both_ways() {
    let Fixture { scim, directory, .. } = &role_groups(&[]).await;
    let members = async |group: &str| directory.members(group).await.join(", ");
    let mut ana = user("ana");
    ana["roles"] = json!(["role_user"]);
    ana["title"] = "Engineer".into();
    let created = scim.post("/Users", ana.clone()).await.expect(201);
    assert_eq!(
        (roles(&created), members("users").await),
        (vec!["ROLE_USER".to_owned()], "ana@example.com, erin@example.com".to_owned())
    );
    let path = &format!("/Users/{}", id(&created));
    let bob = scim.new_user("bob").await;

    // What somebody else does to the group is read.
    directory.push(&directory.group_dn("managers"), "member", &directory.user_dn("ana")).await;
    assert_eq!(roles(&scim.get(path).await.expect(200)), ["ROLE_MANAGER", "ROLE_USER"]);
    let listed = scim.get("/Users").await.expect(200);
    let of = |name: &str| {
        let users = listed["Resources"].as_array().unwrap();
        roles(users.iter().find(|user| user["userName"] == format!("{name}@example.com")).unwrap())
    };
    assert_eq!((of("ana"), of("bob")), (vec!["ROLE_MANAGER".to_owned(), "ROLE_USER".to_owned()], Vec::new()));

    let change = async |path: &str, operation: Value| roles(&scim.patch(path, json!([operation])).await.expect(200));
    assert_eq!(change(path, json!({ "op": "Remove", "path": "roles[value eq \"ROLE_MANAGER\"]" })).await, ["ROLE_USER"]);
    assert_eq!(members("managers").await, "erin@example.com");
    assert_eq!(change(path, json!({ "op": "replace", "path": "roles", "value": ["ROLE_MANAGER"] })).await, ["ROLE_MANAGER"]);
    let other = format!("/Users/{bob}");
    assert_eq!(
        change(&other, json!({ "op": "add", "value": { "roles": [{ "value": "ROLE_MANAGER" }], "title": "x" } })).await,
        ["ROLE_MANAGER"]
    );
    assert_eq!(members("managers").await, "ana@example.com, bob@example.com, erin@example.com");
    // What is not about roles leaves them alone, and who is renamed keeps them.
    let rename = json!({ "op": "replace", "path": "userName", "value": "bert@example.com" });
    assert_eq!(change(&other, rename).await, ["ROLE_MANAGER"]);
    assert_eq!(members("managers").await, "ana@example.com, bert@example.com, erin@example.com");
    assert_eq!(scim.get(&format!("{path}?attributes=roles")).await.expect(200)["roles"].as_array().unwrap().len(), 1);

    for (filter, found) in [
        ("roles[value eq \"role_manager\"]", 2),
        ("roles.value eq \"ROLE_USER\"", 0),
        ("roles.value co \"manager\" and title eq \"Engineer\"", 1),
        ("not (roles.value eq \"ROLE_MANAGER\")", 0),
        ("roles pr", 2),
    ] {
        assert_eq!(scim.find("/Users", filter).await["totalResults"], found, "{filter}");
    }

    // A role that is no group is refused before anything is done.
    for answer in [
        scim.patch(path, json!([{ "op": "add", "path": "roles", "value": ["ROLE_ROOT"] }, { "op": "remove", "path": "title" }]))
            .await,
        scim.post("/Users", {
            let mut eve = user("eve");
            eve["roles"] = json!(["ROLE_ROOT"]);
            eve
        })
        .await,
    ] {
        let detail = answer.error(400, "invalidValue");
        assert!(
            detail.contains("ROLE_ROOT") && detail.contains("ROLE_MANAGER, ROLE_USER") && detail.contains("[roles]"),
            "{detail}"
        );
    }
    assert!(directory.user("eve").await.is_none());
    assert_eq!(scim.get(path).await.expect(200)["title"], "Engineer");

    ana["roles"] = json!(["ROLE_USER"]);
    assert_eq!(roles(&scim.put(path, ana.clone()).await.expect(200)), ["ROLE_USER"]);
    ana.as_object_mut().unwrap().remove("roles");
    assert_eq!(roles(&scim.put(path, ana).await.expect(200)), [""; 0]);
    scim.delete(&other).await.expect(204);
    assert_eq!(
        (members("users").await, members("managers").await),
        ("erin@example.com".to_owned(), "erin@example.com".to_owned())
    );
}

#[tokio::test]
async fn on_every_directory_roles_are_audited_kept_without_member_of_and_given_with_a_restored_user() {
    let settings = [("groups.member_of", "false"), ("audit.path", "audit.jsonl"), ("users.on_delete", "disable")];
    let Fixture { scim, directory, gateway } = &role_groups(&settings).await;
    let mut ana = user("ana");
    ana["roles"] = json!(["ROLE_USER", "ROLE_MANAGER"]);
    let created = scim.post("/Users", ana.clone()).await.expect(201);
    let path = &format!("/Users/{}", id(&created));
    assert_eq!(roles(&scim.get(path).await.expect(200)), ["ROLE_MANAGER", "ROLE_USER"]);
    assert_eq!(
        roles(&scim.find("/Users", "userName eq \"ana@example.com\"").await["Resources"][0]),
        ["ROLE_MANAGER", "ROLE_USER"]
    );
    assert!(scim.query("/Users", &[("filter", "roles pr")]).await.error(400, "invalidFilter").contains("memberOf"));

    let line = std::fs::read_to_string(gateway.beside("audit.jsonl")).unwrap();
    assert!(line.contains(&directory.group_dn("managers")) && !line.contains("x-scimgate-role"), "{line}");

    scim.delete(path).await.expect(204);
    assert_eq!(directory.members("users").await, ["erin@example.com"]);
    ana["roles"] = json!(["ROLE_USER"]);
    assert_eq!(roles(&scim.post("/Users", ana).await.expect(201)), ["ROLE_USER"]);
    assert_eq!(directory.members("managers").await, ["erin@example.com"]);

    // A group that is gone: nothing is half done.
    directory.remove(&directory.group_dn("managers")).await;
    let mut eve = user("eve");
    eve["roles"] = json!(["ROLE_USER", "ROLE_MANAGER"]);
    assert!(scim.post("/Users", eve).await.error(500, "").contains("scimgate check"));
    assert!(directory.user("eve").await.is_none());
    assert_eq!(directory.members("users").await, ["ana@example.com", "erin@example.com"]);
}
