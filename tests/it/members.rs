//! PATCH of a group's members, in the forms that real clients send.

use serde_json::{Value, json};

use crate::support::{Client, Entry, Fixture, group, sorted, until};

fn items(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

/// Makes users of these names; returns their ids.
async fn users<const N: usize>(scim: &Client, names: [&str; N]) -> [String; N] {
    let mut ids = [const { String::new() }; N];
    for (id, name) in ids.iter_mut().zip(names) {
        *id = scim.new_user(name).await;
    }
    ids
}

#[tokio::test]
async fn what_the_directory_tells_users_of_their_groups_follows_every_change() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let staff = format!("/Groups/{}", scim.new_group("staff", &[ana]).await);
    // Plug-ins of 389 may follow a little later.
    let tells = async |who: &[&str], group: &str| {
        let wanted: Vec<String> = who.iter().map(|name| directory.user_dn(name)).collect();
        let filter = format!("(memberOf={})", directory.outward(&directory.group_dn(group)));
        until("memberOf is as the group", async || {
            let found = directory.search(&directory.site().people, &filter).await;
            sorted(found.iter().map(|entry| directory.outward(&entry.dn).to_lowercase()).collect())
                == sorted(wanted.iter().map(|dn| directory.outward(dn).to_lowercase()).collect())
        })
        .await;
    };
    tells(&["ana"], "staff").await;

    scim.patch(&staff, json!([{ "op": "add", "path": "members", "value": [{ "value": bob }] }])).await.expect(204);
    tells(&["ana", "bob"], "staff").await;
    scim.patch(&staff, json!([{ "op": "remove", "path": format!("members[value eq \"{ana}\"]") }])).await.expect(204);
    tells(&["bob"], "staff").await;
    scim.patch(&staff, json!([{ "op": "replace", "path": "displayName", "value": "crew" }])).await.expect(204);
    tells(&["bob"], "crew").await;
    scim.put(&staff, group("crew", &[ana])).await.expect(200);
    tells(&["ana"], "crew").await;
    scim.delete(&staff).await.expect(204);
    tells(&[], "crew").await;
}

#[tokio::test]
async fn every_form_of_adding_adds() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let both = sorted(vec![ana.clone(), bob.clone()]);

    for (n, add) in [
        json!([{ "op": "add", "path": "members", "value": [{ "value": bob }] }]),
        json!([{ "op": "Add", "path": "members", "value": { "value": bob } }]),
        json!([{ "op": "add", "path": "members", "value": [bob] }]),
        json!([{ "op": "add", "value": { "members": [{ "value": bob }] } }]),
        json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": bob }] }]),
        json!([{ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": [{ "value": bob }] }]),
        json!([{ "op": "add", "path": "members", "value": [{ "value": bob, "type": "User", "display": "Bob" }, { "value": ana }] }]),
        json!([{ "op": "replace", "path": "members", "value": [{ "value": ana }, { "value": bob }] }]),
    ]
    .into_iter()
    .enumerate()
    {
        let staff = scim.new_group(&format!("staff-{n}"), &[ana]).await;
        scim.patch(&format!("/Groups/{staff}"), add.clone()).await.expect(204);
        assert_eq!(scim.members(&staff).await, both, "{add:#}");
    }
}

#[tokio::test]
async fn every_form_of_removing_removes_only_what_it_names() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;

    for (n, remove) in [
        json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\"]") }]),
        json!([{ "op": "Remove", "path": "members", "value": [{ "value": bob }] }]),
        json!([{ "op": "Remove", "path": "members", "value": { "value": bob } }]),
        json!([{ "op": "remove", "path": "members", "value": { "members": [{ "value": bob }] } }]),
        json!([{ "op": "remove", "path": "members", "value": [bob] }]),
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": bob }] }]),
        json!([{ "op": "replace", "path": "members", "value": [{ "value": ana }] }]),
    ]
    .into_iter()
    .enumerate()
    {
        let staff = scim.new_group(&format!("staff-{n}"), &[ana, bob]).await;
        scim.patch(&format!("/Groups/{staff}"), remove.clone()).await.expect(204);
        assert_eq!(scim.members(&staff).await, [ana.as_str()], "{remove:#}");
    }
}

#[tokio::test]
async fn all_members_go_only_when_that_is_said() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;

    for (n, (remove, emptied)) in [
        (json!([{ "op": "remove", "path": "members" }]), true),
        (json!([{ "op": "remove", "path": "members", "value": null }]), true),
        (json!([{ "op": "replace", "path": "members", "value": [] }]), true),
        (json!([{ "op": "remove", "path": "members", "value": [] }]), false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("staff-{n}");
        let staff = scim.new_group(&name, &[ana, bob]).await;
        scim.patch(&format!("/Groups/{staff}"), remove.clone()).await.expect(204);
        assert_eq!(scim.members(&staff).await.len(), if emptied { 0 } else { 2 }, "{remove:#}");
        assert_eq!(directory.members(&name).await.len(), if emptied { 0 } else { 2 }, "{remove:#}");
    }
}

#[tokio::test]
async fn the_last_member_can_leave_and_others_can_come() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let staff = scim.new_group("staff", &[ana]).await;
    let path = format!("/Groups/{staff}");

    scim.patch(&path, json!([{ "op": "remove", "path": format!("members[value eq \"{ana}\"]") }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, [""; 0]);
    assert_eq!(directory.group("staff").await.unwrap().one("member"), "");

    scim.patch(&path, json!([{ "op": "add", "path": "members", "value": items(&[bob]) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, [bob.as_str()]);
    let list = scim.find("/Groups", &format!("members.value eq \"{bob}\"")).await;
    assert_eq!(list["Resources"][0]["members"].as_array().unwrap().len(), 1);

    scim.patch(&path, json!([{ "op": "remove", "path": "members", "value": items(&[bob]) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, [""; 0]);
}

#[tokio::test]
async fn adding_a_present_member_and_removing_an_absent_one_succeed() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let [ana, bob, cleo] = &users(scim, ["ana", "bob", "cleo"]).await;
    let staff = scim.new_group("staff", &[ana]).await;
    let path = format!("/Groups/{staff}");

    scim.patch(&path, json!([{ "op": "add", "path": "members", "value": items(&[ana]) }])).await.expect(204);
    scim.patch(&path, json!([{ "op": "remove", "path": "members", "value": items(&[bob]) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, [ana.as_str()]);

    // Together with what does change something.
    let mixed = json!([
        { "op": "add", "path": "members", "value": items(&[ana, bob]) },
        { "op": "remove", "path": "members", "value": items(&[cleo]) },
    ]);
    scim.patch(&path, mixed).await.expect(204);
    assert_eq!(scim.members(&staff).await, sorted(vec![ana.clone(), bob.clone()]));
}

#[tokio::test]
async fn operations_take_effect_in_their_order() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let [ana, bob, cleo] = &users(scim, ["ana", "bob", "cleo"]).await;
    let staff = scim.new_group("staff", &[ana]).await;

    let operations = json!([
        { "op": "add", "path": "members", "value": items(&[bob, cleo]) },
        { "op": "remove", "path": "members", "value": items(&[cleo, ana]) },
        { "op": "add", "path": "members", "value": items(&[ana]) },
        { "op": "remove", "path": format!("members[value eq \"{bob}\"]") },
    ]);
    scim.patch(&format!("/Groups/{staff}"), operations).await.expect(204);

    assert_eq!(scim.members(&staff).await, [ana.as_str()]);
}

#[tokio::test]
async fn a_name_that_is_repeated_with_every_change_does_no_harm() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let [ana] = &users(scim, ["ana"]).await;
    let staff = scim.new_group("staff", &[]).await;

    let okta = |name: &str| {
        json!([
            { "op": "replace", "value": { "id": staff, "displayName": name } },
            { "op": "add", "path": "members", "value": [{ "value": ana, "display": "ana@example.com" }] },
        ])
    };
    scim.patch(&format!("/Groups/{staff}"), okta("staff")).await.expect(204);
    assert_eq!(directory.members("staff").await, ["ana@example.com"]);

    scim.patch(&format!("/Groups/{staff}"), okta("crew")).await.expect(204);
    assert_eq!(directory.members("crew").await, ["ana@example.com"]);
}

#[tokio::test]
async fn unknown_members_are_passed_over_and_counted() {
    let Fixture { scim, gateway, .. } = &Fixture::start().await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let nobody = "00000000-0000-0000-0000-000000000000";

    let staff = scim.new_group("staff", &[ana, nobody, "not an id"]).await;
    assert_eq!(scim.members(&staff).await, [ana.as_str()]);

    let path = format!("/Groups/{staff}");
    scim.patch(&path, json!([{ "op": "add", "path": "members", "value": items(&[nobody, bob]) }])).await.expect(204);
    scim.patch(&path, json!([{ "op": "remove", "path": "members", "value": items(&[nobody]) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, sorted(vec![ana.clone(), bob.clone()]));
    let counted = "scimgate_tolerances_total{client=\"ping\",tolerance=\"unknown-member\"} 2";
    assert!(gateway.measures(counted).await, "{}", gateway.admin("/metrics").await.1);
}

#[tokio::test]
async fn a_strict_client_is_told_which_members_are_unknown() {
    let Fixture { scim, .. } = &Fixture::set(&[("clients.ping.refuse", "[\"unknown-member\"]")]).await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let staff = scim.new_group("staff", &[ana]).await;
    let nobody = "00000000-0000-0000-0000-000000000000";

    let path = format!("/Groups/{staff}");
    for add in [
        json!([{ "op": "add", "path": "members", "value": items(&[bob, nobody]) }]),
        json!([{ "op": "replace", "path": "members", "value": items(&[bob, nobody]) }]),
    ] {
        let detail = scim.patch(&path, add).await.error(400, "invalidValue");
        assert!(detail.contains(nobody), "{detail}");
    }
    let detail = scim.put(&path, group("staff", &[bob, nobody])).await.error(400, "invalidValue");
    assert!(detail.contains(nobody), "{detail}");
    scim.post("/Groups", group("crew", &[nobody])).await.error(400, "invalidValue");

    assert_eq!(scim.members(&staff).await, [ana.as_str()]);
}

#[tokio::test]
async fn a_patch_is_answered_by_the_group_when_asked() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let [ana] = &users(scim, ["ana"]).await;
    let staff = scim.new_group("staff", &[]).await;

    let add = json!([{ "op": "add", "path": "members", "value": items(&[ana]) }]);
    let answered = scim.patch(&format!("/Groups/{staff}?attributes=members"), add).await.expect(200);

    assert_eq!(answered["members"][0]["value"], *ana);
}

#[tokio::test]
async fn a_client_can_have_every_group_patch_answered_by_the_group() {
    let Fixture { scim, .. } = &Fixture::set(&[("clients.ping.group_patch", "resource")]).await;
    let [ana, bob] = &users(scim, ["ana", "bob"]).await;
    let staff = scim.new_group("staff", &[ana]).await;

    for (add, count) in [(ana, 1), (bob, 2)] {
        let add = json!([{ "op": "add", "path": "members", "value": items(&[add]) }]);
        let answered = scim.patch(&format!("/Groups/{staff}"), add).await.expect(200);
        assert_eq!(answered["members"].as_array().unwrap().len(), count);
        assert_eq!(answered["displayName"], "staff");
    }
}

#[tokio::test]
async fn fifty_concurrent_changes_of_one_group_lose_nothing() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(scim.new_user(&format!("u{n:02}")).await);
    }
    // The first half is in and leaves; the second half comes. Some of them rename the group to what it is called.
    let half: Vec<&str> = ids.iter().take(25).map(String::as_str).collect();
    let staff = scim.new_group("staff", &half).await;

    let changes = ids.iter().enumerate().map(|(n, id)| {
        let change = json!({ "op": if n < 25 { "remove" } else { "add" }, "path": "members", "value": [{ "value": id }] });
        let name = json!({ "op": "replace", "path": "displayName", "value": "staff" });
        let operations = if n % 5 == 0 { json!([name, change]) } else { json!([change]) };
        let (scim, path) = (scim.clone(), format!("/Groups/{staff}"));
        tokio::spawn(async move { scim.patch(&path, operations).await.expect(204) })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }

    let left: Vec<String> = ids.into_iter().skip(25).collect();
    assert_eq!(scim.members(&staff).await, sorted(left));
    assert_eq!(directory.members("staff").await.len(), 25);
}

#[tokio::test]
async fn a_thousand_members_come_and_go_in_one_request() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    directory.add_users((0..1000).map(|n| format!("u{n:04}"))).await;
    let people: Vec<String> = directory.users().await.iter().map(Entry::id).collect();
    let ids: Vec<&str> = people.iter().map(String::as_str).collect();
    let staff = scim.new_group("staff", &[]).await;
    let path = format!("/Groups/{staff}");

    scim.patch(&path, json!([{ "op": "add", "path": "members", "value": items(&ids) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await.len(), 1000);

    scim.patch(&path, json!([{ "op": "remove", "path": "members", "value": items(&ids[..999]) }])).await.expect(204);
    assert_eq!(scim.members(&staff).await, [ids[999]]);
}
