//! A new userName or displayName is a new name of the entry; everything else stays.

use serde_json::{Value, json};

use crate::support::{Fixture, GatewayOptions, USER, each, group, id, user};

fn user_name(name: &str) -> Value {
    json!([{ "op": "replace", "path": "userName", "value": name }])
}

#[tokio::test]
async fn a_new_user_name_renames_the_entry_and_keeps_id_and_memberships() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let ana = id(&made);
    let staff = scim.new_group("staff", &[&ana]).await;
    let uuid = directory.user("ana").await.unwrap().id();

    let renamed = scim.patch(&format!("/Users/{ana}"), user_name("ana.gil@example.com")).await.expect(200);

    assert_eq!((id(&renamed), renamed["userName"].as_str()), (ana.clone(), Some("ana.gil@example.com")));
    assert_eq!(directory.user("ana").await, None);
    let entry = directory.user("ana.gil").await.unwrap();
    assert_eq!((entry.one("uid"), entry.id()), ("ana.gil@example.com", uuid));
    assert_eq!(directory.members("staff").await, ["ana.gil@example.com"]);
    assert_eq!(scim.members(&staff).await, [ana]);
    assert_eq!(renamed["groups"][0]["value"], staff);
}

#[tokio::test]
async fn put_renames_and_changes_at_once() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let mut wanted = user("ana");
    wanted["userName"] = "ana.gil@example.com".into();
    wanted["name"]["familyName"] = "Gil".into();

    let renamed = scim.put(&format!("/Users/{ana}"), wanted).await.expect(200);

    assert_eq!((id(&renamed), renamed["name"]["familyName"].as_str()), (ana.clone(), Some("Gil")));
    assert_eq!(directory.user("ana.gil").await.unwrap().one("sn"), "Gil");
    assert_eq!(each(&scim.find("/Users", "userName eq \"ana.gil@example.com\"").await, "id"), [ana]);
    assert_eq!(scim.find("/Users", "userName eq \"ana@example.com\"").await["totalResults"], 0);
}

#[tokio::test]
async fn a_change_of_case_alone_is_a_rename() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;

    let renamed = scim.patch(&format!("/Users/{ana}"), user_name("Ana@example.com")).await.expect(200);

    assert_eq!(renamed["userName"], "Ana@example.com");
    assert_eq!(directory.user("Ana").await.unwrap().one("uid"), "Ana@example.com");
    assert_eq!(scim.members(&staff).await, [ana]);
}

#[tokio::test]
async fn a_taken_user_name_is_a_conflict_and_changes_nothing() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("bob").await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let ana = format!("/Users/{}", id(&made));

    scim.patch(&ana, user_name("bob@example.com")).await.error(409, "uniqueness");
    scim.put(&ana, user("bob")).await.error(409, "uniqueness");
    let both = json!([
        { "op": "replace", "path": "title", "value": "Engineer" },
        { "op": "replace", "path": "userName", "value": "bob@example.com" },
    ]);
    scim.patch(&ana, both).await.error(409, "uniqueness");

    assert_eq!(scim.get(&ana).await.expect(200), made);
}

#[tokio::test]
async fn a_rename_with_a_refused_value_is_taken_back() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let ana = format!("/Users/{}", id(&made));

    // LDAP telephone numbers are printable ASCII, and those of Active Directory at least not so long.
    let bad = json!([
        { "op": "replace", "path": "userName", "value": "ana.gil@example.com" },
        { "op": "add", "path": "phoneNumbers", "value": [{ "type": "work", "value": "☎".repeat(65) }] },
    ]);
    scim.patch(&ana, bad).await.error(400, "invalidValue");

    let after = scim.get(&ana).await.expect(200);
    assert_eq!(after["userName"], "ana@example.com");
    assert!(after.get("phoneNumbers").is_none());
    assert!(directory.user("ana.gil").await.is_none());
}

#[tokio::test]
async fn a_renamed_group_keeps_id_and_members() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    let path = format!("/Groups/{staff}");

    for (n, rename) in [
        json!([{ "op": "replace", "path": "displayName", "value": "crew-0" }]),
        json!([{ "op": "Replace", "value": { "displayName": "crew-1" } }]),
        json!([{ "op": "replace", "value": { "id": staff, "displayName": "crew-2" } }]),
        json!([{ "op": "replace", "value": { "schemas": ["x"], "displayName": "crew-3", "externalId": "e" } }]),
    ]
    .into_iter()
    .enumerate()
    {
        scim.patch(&path, rename).await.expect(204);
        let name = format!("crew-{n}");
        let read = scim.get(&path).await.expect(200);
        assert_eq!((read["displayName"].as_str(), read["id"].as_str()), (Some(&*name), Some(&*staff)));
        assert_eq!(directory.members(&name).await, ["ana@example.com"]);
    }
    assert_eq!(directory.group("staff").await, None);
}

#[tokio::test]
async fn a_taken_group_name_is_a_conflict_whatever_its_case() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_group("Staff", &[]).await;
    let crew = scim.new_group("crew", &[]).await;

    scim.post("/Groups", group("sTAFF", &[])).await.error(409, "uniqueness");
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "STAFF" }]);
    scim.patch(&format!("/Groups/{crew}"), rename).await.error(409, "uniqueness");
    scim.put(&format!("/Groups/{crew}"), group("staff", &[])).await.error(409, "uniqueness");

    assert_eq!(scim.get(&format!("/Groups/{crew}")).await.expect(200)["displayName"], "crew");
}

#[tokio::test]
async fn a_name_that_is_no_rdn_is_unique_too() {
    // Entries are named by employeeNumber here; userName is an attribute like any other.
    let options = GatewayOptions::default().set("users.rdn", "employeeNumber");
    let Fixture { scim, .. } = &Fixture::with_gateway(options).await;
    let numbered = |name: &str, number: &str| {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        json!({ "schemas": [USER, enterprise], "userName": format!("{name}@example.com"), enterprise: { "employeeNumber": number } })
    };
    scim.post("/Users", numbered("ana", "1")).await.expect(201);
    let bob = id(&scim.post("/Users", numbered("bob", "2")).await.expect(201));

    scim.post("/Users", numbered("ana", "3")).await.error(409, "uniqueness");
    scim.patch(&format!("/Users/{bob}"), user_name("ana@example.com")).await.error(409, "uniqueness");
    scim.put(&format!("/Users/{bob}"), numbered("ANA", "2")).await.error(409, "uniqueness");

    assert_eq!(each(&scim.find("/Users", "userName eq \"ana@example.com\"").await, "userName").len(), 1);
}
