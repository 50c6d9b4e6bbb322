//! Entries in forms that others write: in branches of their own, with names of several parts, in other spellings.

use serde_json::json;

use crate::support::{Fixture, GROUPS, PEOPLE, SlapdOptions, each, group, id, sorted, user};

const ENTRIES: &str = "\
dn: ou=madrid,ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: madrid

dn: uid=eva@example.com,ou=madrid,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: scimgateResource
uid: eva@example.com
cn: Eva Sanz
sn: Sanz

dn: cn=Max Born+uid=max@example.com,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: scimgateResource
uid: max@example.com
cn: Max Born
cn: Maximilian Born
sn: Born
mail: max@example.com
mail: born@example.com
telephoneNumber: +49 551 1
telephoneNumber: +49 551 2

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
objectClass: scimgateResource
cn: staff
member: UID=Eva@Example.com, OU=Madrid ,OU=people,DC=Example,DC=com
member: uid=max@example.com+cn=max  born,ou=people,dc=example,dc=com
member: cn=scimgate,ou=services,dc=example,dc=com
member: uid=nobody,ou=people,dc=example,dc=com
";

async fn company() -> Fixture {
    let directory = SlapdOptions { entries: ENTRIES.to_owned(), ..SlapdOptions::default() };
    Fixture::with_directory(directory).await
}

/// The id of the user of that name.
async fn of(fixture: &Fixture, name: &str) -> String {
    id(&fixture.scim.find("/Users", &format!("userName eq \"{name}@example.com\"")).await["Resources"][0])
}

#[tokio::test]
async fn an_entry_of_a_lower_branch_is_found_and_stays_there() {
    let fixture = &company().await;
    let Fixture { scim, directory, .. } = fixture;
    let eva = format!("/Users/{}", of(fixture, "eva").await);

    let rename = json!([{ "op": "replace", "path": "userName", "value": "eva.sanz@example.com" }]);
    let renamed = scim.patch(&eva, rename).await.expect(200);

    assert_eq!(renamed["userName"], "eva.sanz@example.com");
    let entry = directory.entry(&format!("uid=eva.sanz@example.com,ou=madrid,{PEOPLE}")).await.unwrap();
    assert_eq!(entry.id(), id(&renamed));
    scim.delete(&eva).await.expect(204);
    assert!(directory.search(&format!("ou=madrid,{PEOPLE}"), "(uid=*)").await.is_empty());
}

#[tokio::test]
async fn a_name_of_several_parts_keeps_the_other_parts() {
    let fixture = &company().await;
    let Fixture { scim, directory, .. } = fixture;
    let max = format!("/Users/{}", of(fixture, "max").await);

    let rename = json!([{ "op": "replace", "path": "userName", "value": "m.born@example.com" }]);
    scim.patch(&max, rename).await.expect(200);
    let entry = directory.entry(&format!("uid=m.born@example.com+cn=Max Born,{PEOPLE}")).await.unwrap();
    assert_eq!(entry.all("cn"), ["Max Born", "Maximilian Born"]);

    let both = json!([
        { "op": "replace", "path": "userName", "value": "max@example.com" },
        { "op": "replace", "path": "name.formatted", "value": "Max, Born" },
    ]);
    let renamed = scim.patch(&max, both).await.expect(200);
    assert_eq!(
        (renamed["userName"].as_str(), renamed["name"]["formatted"].as_str()),
        (Some("max@example.com"), Some("Max, Born"))
    );
    let entry = directory.entry(&format!("uid=max@example.com+cn=Max\\, Born,{PEOPLE}")).await.unwrap();
    assert_eq!(entry.all("cn"), ["Max, Born", "Maximilian Born"]);
}

#[tokio::test]
async fn values_that_scim_shows_no_place_for_are_kept() {
    let fixture = &company().await;
    let Fixture { scim, directory, .. } = fixture;
    let path = format!("/Users/{}", of(fixture, "max").await);
    let read = scim.get(&path).await.expect(200);
    assert_eq!(sorted(each(&json!({ "Resources": read["emails"] }), "value")), ["born@example.com", "max@example.com"]);

    // What a client read, with one change.
    let mut changed = read;
    changed["title"] = "Professor".into();
    scim.put(&path, changed).await.expect(200);

    let entry = directory.search(PEOPLE, "(uid=max@example.com)").await.remove(0);
    assert_eq!(entry.one("title"), "Professor");
    assert_eq!(entry.all("mail"), ["born@example.com", "max@example.com"]);
    assert_eq!(entry.all("telephoneNumber"), ["+49 551 1", "+49 551 2"]);
    assert_eq!(entry.all("cn"), ["Max Born", "Maximilian Born"]);
}

#[tokio::test]
async fn members_in_other_spellings_are_the_same_members() {
    let fixture = &company().await;
    let Fixture { scim, directory, .. } = fixture;
    let (eva, max) = (of(fixture, "eva").await, of(fixture, "max").await);
    let staff = id(&scim.find("/Groups", "displayName eq \"staff\"").await["Resources"][0]);
    let path = format!("/Groups/{staff}");
    assert_eq!(scim.members(&staff).await, sorted(vec![eva.clone(), max.clone()]));
    let before = directory.group("staff").await.unwrap();

    // They are in already.
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": eva }, { "value": max }] }]);
    scim.patch(&path, add).await.expect(204);
    scim.put(&path, group("staff", &[&max, &eva])).await.expect(200);
    assert_eq!(directory.group("staff").await.unwrap().all("member"), before.all("member"));

    let remove = json!([{ "op": "remove", "path": "members", "value": [{ "value": eva }] }]);
    scim.patch(&path, remove).await.expect(204);
    assert_eq!(scim.members(&staff).await, [max]);
}

#[tokio::test]
async fn members_that_are_no_resources_survive_every_change() {
    let fixture = &company().await;
    let Fixture { scim, directory, .. } = fixture;
    let staff = id(&scim.find("/Groups", "displayName eq \"staff\"").await["Resources"][0]);
    let path = format!("/Groups/{staff}");
    let ana = scim.new_user("ana").await;

    scim.put(&path, group("staff", &[&ana])).await.expect(200);
    scim.put(&path, group("crew", &[])).await.expect(200);
    scim.patch(&path, json!([{ "op": "replace", "path": "members", "value": [{ "value": ana }] }])).await.expect(204);

    assert_eq!(scim.members(&staff).await, [ana]);
    assert_eq!(directory.members("crew").await, ["ana@example.com", "nobody", "scimgate"]);
}

#[tokio::test]
async fn a_deleted_user_leaves_groups_that_scim_does_not_manage_too() {
    let Fixture { scim, directory, .. } = &company().await;
    let ana = scim.new_user("ana").await;
    directory.push(&directory.group_dn("staff"), "member", &directory.user_dn("ana")).await;

    scim.delete(&format!("/Users/{ana}")).await.expect(204);

    let naming = format!("(member={})", directory.user_dn("ana"));
    assert!(directory.search(GROUPS, &naming).await.is_empty());
    // Who comes under the same name is not a member by it.
    let again = scim.post("/Users", user("ana")).await.expect(201);
    assert!(again.get("groups").is_none(), "{again:#}");
}
