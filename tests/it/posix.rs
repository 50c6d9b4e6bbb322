//! Groups as posixGroup (RFC 2307), whose members are user names.

use serde_json::{Value, json};

use crate::support::{Fixture, GatewayOptions, SlapdOptions, each, group};

async fn posix() -> Fixture {
    let entries = "dn: ou=north,ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: north\n\n\
                   dn: uid=zoe@example.com,ou=north,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n\
                   objectClass: scimgateResource\nuid: zoe@example.com\ncn: Zoe\nsn: Ruiz\n\n";
    let directory = SlapdOptions { entries: entries.to_owned(), ..SlapdOptions::default() };
    let gateway = GatewayOptions::default().set("groups.object_classes", "[\"posixGroup\"]");
    Fixture::with(directory, gateway).await
}

fn change(op: &str, ids: &[&str]) -> Value {
    json!([{ "op": op, "path": "members", "value": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() }])
}

#[tokio::test]
async fn members_are_kept_by_their_names_and_shown_by_their_ids() {
    let Fixture { scim, directory, .. } = &posix().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let zoe = scim.find("/Users", "userName eq \"zoe@example.com\"").await;
    let zoe = zoe["Resources"][0]["id"].as_str().unwrap();

    let staff = scim.new_group("staff", &[&ana, zoe]).await;
    let path = format!("/Groups/{staff}");

    let entry = directory.group("staff").await.unwrap();
    assert_eq!(entry.all("memberUid"), ["ana@example.com", "zoe@example.com"]);
    let number: u32 = entry.one("gidNumber").parse().unwrap();
    assert!((1_000_000..2_000_000_000).contains(&number));
    let mut expected = vec![ana.clone(), zoe.to_owned()];
    expected.sort();
    assert_eq!(scim.members(&staff).await, expected);

    scim.patch(&path, change("add", &[&bob, &ana])).await.expect(204);
    scim.patch(&path, change("remove", &[zoe])).await.expect(204);
    scim.patch(&path, change("remove", &[zoe])).await.expect(204);
    assert_eq!(directory.group("staff").await.unwrap().all("memberUid"), ["ana@example.com", "bob@example.com"]);
    let user = scim.get(&format!("/Users/{ana}")).await.expect(200);
    assert_eq!(user["groups"][0]["display"], "staff");
    assert_eq!(each(&scim.find("/Groups", &format!("members.value eq \"{bob}\"")).await, "displayName"), ["staff"]);

    // A group may be empty, and is named anew with the number it has.
    scim.put(&path, group("crew", &[])).await.expect(200);
    let entry = directory.group("crew").await.unwrap();
    assert_eq!((entry.all("memberUid").len(), entry.one("gidNumber").parse()), (0, Ok(number)));
}

#[tokio::test]
async fn names_follow_a_user_and_leave_with_it() {
    let Fixture { scim, directory, .. } = &posix().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    let rename = json!([{ "op": "replace", "path": "userName", "value": "anna@example.com" }]);
    scim.patch(&format!("/Users/{ana}"), rename).await.expect(200);
    assert_eq!(scim.members(&staff).await, std::slice::from_ref(&ana));
    assert_eq!(directory.group("staff").await.unwrap().all("memberUid"), ["anna@example.com"]);

    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    assert_eq!(directory.group("staff").await.unwrap().all("memberUid").len(), 0);
}

/// User names have no case, values of memberUid have.
#[tokio::test]
async fn a_name_that_somebody_wrote_otherwise_can_be_taken_away() {
    let Fixture { scim, directory, .. } = &posix().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    directory.set(&directory.group_dn("staff"), "memberUid", "ANA@example.com").await;
    assert_eq!(scim.members(&staff).await, std::slice::from_ref(&ana));

    scim.patch(&format!("/Groups/{staff}"), change("remove", &[&ana])).await.expect(204);

    assert_eq!(directory.group("staff").await.unwrap().all("memberUid").len(), 0);
}

#[tokio::test]
async fn a_group_cannot_be_a_member_of_such_a_group() {
    let Fixture { scim, .. } = &posix().await;
    let inner = scim.new_group("inner", &[]).await;
    scim.post("/Groups", group("outer", &[&inner])).await.error(400, "invalidValue");
}
