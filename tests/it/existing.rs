//! Entries that were in the directory before SCIM came.

use serde_json::json;

use crate::support::{Fixture, GatewayOptions, SlapdOptions, USER, each, group_dn, id, user, user_dn};

const BEFORE: &str = "\
dn: uid=erin@example.com,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: erin@example.com
cn: Erin Byrne
sn: Byrne
mail: erin@example.com

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: uid=erin@example.com,ou=people,dc=example,dc=com
";

fn before() -> SlapdOptions {
    SlapdOptions { entries: BEFORE.to_owned(), ..SlapdOptions::default() }
}

#[tokio::test]
async fn an_entry_that_is_not_managed_is_not_seen_but_keeps_its_name() {
    let Fixture { scim, slapd, .. } = &Fixture::with_directory(before()).await;
    let erin = slapd.entry(&user_dn("erin")).await.unwrap();

    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    assert_eq!(scim.get("/Groups").await.expect(200)["totalResults"], 0);
    let path = format!("/Users/{}", erin.one("entryUUID"));
    scim.get(&path).await.error(404, "");
    scim.put(&path, user("erin")).await.error(404, "");
    scim.delete(&path).await.error(404, "");
    let detail = scim.post("/Users", user("erin")).await.error(409, "uniqueness");
    assert!(detail.contains("existing_users"), "{detail}");

    assert_eq!(slapd.entry(&user_dn("erin")).await.unwrap(), erin);
}

#[tokio::test]
async fn a_member_that_is_not_managed_stays_unseen_and_stays_a_member() {
    let Fixture { scim, slapd, .. } = &Fixture::with_directory(before()).await;
    let ana = scim.new_user("ana").await;
    let crew = scim.new_group("crew", &[&ana]).await;
    slapd.push(&group_dn("crew"), "member", &user_dn("erin")).await;

    assert_eq!(scim.members(&crew).await, [ana.as_str()]);
    let remove_all = json!([{ "op": "remove", "path": "members", "value": [{ "value": ana }] }]);
    scim.patch(&format!("/Groups/{crew}"), remove_all).await.expect(204);

    assert_eq!(scim.members(&crew).await, [""; 0]);
    assert_eq!(slapd.members("crew").await, ["erin@example.com"]);
}

#[tokio::test]
async fn provisioning_existing_users_takes_an_entry_over_by_its_first_change() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let Fixture { scim, slapd, .. } = &Fixture::with(before(), options).await;

    let found = scim.find("/Users", "userName eq \"erin@example.com\"").await;
    assert_eq!(each(&found, "userName"), ["erin@example.com"]);
    assert_eq!(slapd.entry(&user_dn("erin")).await.unwrap().all("objectClass"), ["inetOrgPerson"]);
    scim.post("/Users", user("erin")).await.error(409, "uniqueness");

    let erin = id(&found["Resources"][0]);
    let changed = scim.patch(&format!("/Users/{erin}"), json!([{ "op": "add", "path": "title", "value": "Chief" }])).await;

    assert_eq!(changed.expect(200)["title"], "Chief");
    let entry = slapd.entry(&user_dn("erin")).await.unwrap();
    assert_eq!(entry.all("objectClass"), ["inetOrgPerson", "scimgateResource"]);
    assert_eq!((entry.one("title"), entry.one("mail")), ("Chief", "erin@example.com"));
}

#[tokio::test]
async fn an_existing_group_is_taken_over_by_a_change_of_its_members() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let Fixture { scim, slapd, .. } = &Fixture::with(before(), options).await;
    let ana = scim.new_user("ana").await;
    let staff = id(&scim.find("/Groups", "displayName eq \"staff\"").await["Resources"][0]);

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
    scim.patch(&format!("/Groups/{staff}"), add.clone()).await.expect(204);
    scim.patch(&format!("/Groups/{staff}"), add).await.expect(204);

    assert_eq!(slapd.members("staff").await, ["ana@example.com", "erin@example.com"]);
    let entry = slapd.entry(&group_dn("staff")).await.unwrap();
    assert_eq!(entry.all("objectClass"), ["groupOfNames", "scimgateResource"]);
}

#[tokio::test]
async fn without_any_schema_of_ours_users_and_groups_still_work() {
    let directory = SlapdOptions { schema: false, ppolicy: false, ..before() };
    let Fixture { scim, slapd, gateway } = &Fixture::with_directory(directory).await;

    // Nothing can be marked, so all that is there counts as managed; the log says so.
    assert_eq!(each(&scim.get("/Users").await.expect(200), "userName"), ["erin@example.com"]);
    gateway.logged(|line| line["level"] == "WARN" && line["message"].to_string().contains("mark of managed")).await;

    let ana = scim.new_user("ana").await;
    let crew = scim.new_group("crew", &[&ana]).await;
    assert_eq!(slapd.entry(&user_dn("ana")).await.unwrap().all("objectClass"), ["inetOrgPerson"]);
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
