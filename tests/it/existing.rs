//! Entries that were in the directory before SCIM came.

use serde_json::json;

use crate::support::{Fixture, GatewayOptions, SlapdOptions, USER, each, id, user};

/// With Erin, who is in the group `staff`, as somebody else made them.
async fn company(options: GatewayOptions) -> Fixture {
    let fixture = Fixture::with_gateway(options).await;
    fixture.directory.add_user("erin").await;
    fixture.directory.add_group("staff", &["erin"]).await;
    fixture
}

#[tokio::test]
async fn an_entry_that_is_not_managed_is_not_seen_but_keeps_its_name() {
    let Fixture { scim, directory, .. } = &company(GatewayOptions::default()).await;
    let erin = directory.user("erin").await.unwrap();

    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    assert_eq!(scim.get("/Groups").await.expect(200)["totalResults"], 0);
    let path = format!("/Users/{}", erin.id());
    scim.get(&path).await.error(404, "");
    scim.put(&path, user("erin")).await.error(404, "");
    scim.delete(&path).await.error(404, "");
    let detail = scim.post("/Users", user("erin")).await.error(409, "uniqueness");
    assert!(detail.contains("existing_users"), "{detail}");

    assert_eq!(directory.user("erin").await.unwrap(), erin);
}

#[tokio::test]
async fn a_member_that_is_not_managed_stays_unseen_and_stays_a_member() {
    let Fixture { scim, directory, .. } = &company(GatewayOptions::default()).await;
    let ana = scim.new_user("ana").await;
    let crew = scim.new_group("crew", &[&ana]).await;
    directory.push(&directory.group_dn("crew"), "member", &directory.user_dn("erin")).await;

    assert_eq!(scim.members(&crew).await, [ana.as_str()]);
    let remove_all = json!([{ "op": "remove", "path": "members", "value": [{ "value": ana }] }]);
    scim.patch(&format!("/Groups/{crew}"), remove_all).await.expect(204);

    assert_eq!(scim.members(&crew).await, [""; 0]);
    assert_eq!(directory.members("crew").await, ["erin@example.com"]);
}

#[tokio::test]
async fn provisioning_existing_users_takes_an_entry_over_by_its_first_change() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let Fixture { scim, directory, .. } = &company(options).await;

    let found = scim.find("/Users", "userName eq \"erin@example.com\"").await;
    assert_eq!(each(&found, "userName"), ["erin@example.com"]);
    assert!(!directory.user("erin").await.unwrap().is_managed());
    scim.post("/Users", user("erin")).await.error(409, "uniqueness");

    let erin = id(&found["Resources"][0]);
    let changed = scim.patch(&format!("/Users/{erin}"), json!([{ "op": "add", "path": "title", "value": "Chief" }])).await;

    assert_eq!(changed.expect(200)["title"], "Chief");
    let entry = directory.user("erin").await.unwrap();
    assert!(entry.is_managed());
    assert_eq!((entry.one("title"), entry.one("mail")), ("Chief", "erin@example.com"));
}

#[tokio::test]
async fn the_first_write_adopts_by_one_modification_with_the_external_id() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let Fixture { scim, directory, gateway } = &company(options).await;
    let erin = format!("/Users/{}", directory.user("erin").await.unwrap().id());

    let link = json!([{ "op": "add", "path": "externalId", "value": "x-erin" }]);
    assert_eq!(scim.patch(&erin, link).await.expect(200)["externalId"], "x-erin");

    let entry = directory.user("erin").await.unwrap();
    assert!(entry.is_managed());
    assert_eq!(entry.one("scimgateExternalId"), "x-erin");
    assert_eq!(gateway.operations("modify", "success").await, 1, "{}", gateway.admin("/metrics").await.1);
    assert_eq!(each(&scim.find("/Users", "externalId eq \"x-erin\"").await, "userName"), ["erin@example.com"]);
}

#[tokio::test]
async fn an_existing_group_is_taken_over_by_a_change_of_its_members() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let Fixture { scim, directory, .. } = &company(options).await;
    let ana = scim.new_user("ana").await;
    let staff = id(&scim.find("/Groups", "displayName eq \"staff\"").await["Resources"][0]);

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
    scim.patch(&format!("/Groups/{staff}"), add.clone()).await.expect(204);
    scim.patch(&format!("/Groups/{staff}"), add).await.expect(204);

    assert_eq!(directory.members("staff").await, ["ana@example.com", "erin@example.com"]);
    assert!(directory.group("staff").await.unwrap().is_managed());
}

#[tokio::test]
async fn without_any_schema_of_ours_users_and_groups_still_work() {
    let directory = SlapdOptions { schema: false, ppolicy: false, ..SlapdOptions::default() };
    let Fixture { scim, directory, gateway } = &Fixture::with_directory(directory).await;
    directory.add_user("erin").await;

    // Nothing can be marked, so all that is there counts as managed; the log says so.
    assert_eq!(each(&scim.get("/Users").await.expect(200), "userName"), ["erin@example.com"]);
    gateway.logged(|line| line["level"] == "WARN" && line["message"].to_string().contains("mark of managed")).await;

    let ana = scim.new_user("ana").await;
    let crew = scim.new_group("crew", &[&ana]).await;
    assert_eq!(directory.user("ana").await.unwrap().all("objectClass"), ["inetOrgPerson"]);
    assert_eq!(scim.members(&crew).await, [ana.as_str()]);
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    assert_eq!(scim.members(&crew).await, [""; 0]);
}

#[tokio::test]
async fn what_the_directory_cannot_hold_is_not_promised() {
    let directory = SlapdOptions { schema: false, ppolicy: false, ..SlapdOptions::default() };
    let Fixture { scim, .. } = &Fixture::with_directory(directory).await;

    let schema = scim.get(&format!("/Schemas/{USER}")).await.expect(200);
    let names = each(&json!({ "Resources": schema["attributes"] }), "name");
    assert!(names.contains(&"title".to_owned()) && names.contains(&"active".to_owned()), "{names:?}");
    for absent in ["nickName", "timezone", "externalId"] {
        assert!(!names.contains(&absent.to_owned()), "{absent}");
    }

    // What only decorates is passed over; what protects is refused.
    let mut ana = user("ana");
    ana["nickName"] = "Anita".into();
    let made = scim.post("/Users", ana).await.expect(201);
    assert!(made.get("nickName").is_none() && made.get("externalId").is_none(), "{made:#}");
    assert_eq!(made["active"], true);
    let mut bob = user("bob");
    bob["active"] = false.into();
    let detail = scim.post("/Users", bob).await.error(400, "invalidValue");
    assert!(detail.contains("ppolicy"), "{detail}");
    let disable = json!([{ "op": "replace", "path": "active", "value": false }]);
    scim.patch(&format!("/Users/{}", id(&made)), disable).await.error(400, "invalidValue");
}
