//! Groups: created, read, replaced, deleted.

use serde_json::json;

use crate::support::{Fixture, GROUP, each, group, id};

#[tokio::test]
async fn an_empty_group_has_a_placeholder_that_nobody_sees() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;

    let made = scim.post("/Groups", json!({ "schemas": [GROUP], "displayName": "staff" })).await.expect(201);

    assert_eq!(made["members"], json!([]));
    let entry = directory.group("staff").await.unwrap();
    assert!(entry.is_managed());
    assert_eq!(entry.one("member"), "");
    let read = scim.get(&format!("/Groups/{}", id(&made))).await.expect(200);
    assert_eq!(read, made);
    let list = scim.find("/Groups", "displayName eq \"STAFF\"").await;
    assert_eq!(list["Resources"], json!([made]));
}

#[tokio::test]
async fn the_answer_to_a_creation_says_where_the_group_is() {
    let Fixture { scim, directory, gateway } = &Fixture::start().await;

    let answer = scim.post("/Groups", group("staff", &[])).await;

    let (location, version) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
    let made = answer.expect(201);
    assert_eq!(id(&made), directory.group("staff").await.unwrap().id());
    assert_eq!(location, format!("http://{}/scim/v2/Groups/{}", gateway.address(), id(&made)));
    assert_eq!((made["meta"]["location"].as_str(), made["meta"]["version"].as_str()), (Some(&*location), Some(&*version)));
    assert_eq!(made["meta"]["resourceType"], "Group");
}

#[tokio::test]
async fn members_are_entries_in_the_directory_and_resources_in_scim() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);

    let mut body = group("staff", &[&ana, &bob, &ana]);
    body["externalId"] = "g-1".into();
    let made = scim.post("/Groups", body).await.expect(201);

    assert_eq!(directory.members("staff").await, ["ana@example.com", "bob@example.com"]);
    let members = made["members"].as_array().unwrap();
    let shown = members.iter().find(|member| member["value"] == ana).unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!((shown["display"].as_str(), shown["type"].as_str()), (Some("Ana Ruiz"), Some("User")));
    assert!(shown["$ref"].as_str().unwrap().ends_with(&format!("/scim/v2/Users/{ana}")), "{shown}");
    assert_eq!(made["externalId"], "g-1");
}

#[tokio::test]
async fn a_group_can_be_a_member_of_a_group_where_that_is_wanted() {
    let Fixture { scim, .. } = &Fixture::set(&[("groups.nested", "true")]).await;
    let inner = scim.new_group("inner", &[]).await;

    let outer = scim.post("/Groups", group("outer", &[&inner])).await.expect(201);

    let member = &outer["members"][0];
    assert_eq!((member["value"].as_str(), member["type"].as_str()), (Some(&*inner), Some("Group")));
    assert_eq!(member["display"], "inner");
}

#[tokio::test]
async fn a_group_as_a_member_is_refused_with_the_remedy() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let (ana, inner) = (scim.new_user("ana").await, scim.new_group("inner", &[]).await);
    let outer = scim.new_group("outer", &[&ana]).await;
    let path = format!("/Groups/{outer}");

    let refused = scim.post("/Groups", group("other", &[&inner])).await.error(400, "invalidValue");
    assert!(refused.contains("groups.nested = true"), "{refused}");
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": inner }] }]);
    scim.patch(&path, add).await.error(400, "invalidValue");
    scim.put(&path, group("outer", &[&ana, &inner])).await.error(400, "invalidValue");

    assert_eq!(scim.members(&outer).await, [ana]);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{inner}\"]") }]);
    scim.patch(&path, remove).await.expect(204);
}

#[tokio::test]
async fn a_user_tells_the_groups_it_is_in_through_others() {
    let Fixture { scim, .. } = &Fixture::set(&[("groups.nested", "true")]).await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let inner = scim.new_group("inner", &[&ana]).await;
    let middle = scim.new_group("middle", &[&inner]).await;
    let outer = scim.new_group("outer", &[&middle, &ana]).await;
    // A group that contains itself in the end.
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": outer }] }]);
    scim.patch(&format!("/Groups/{inner}"), add).await.expect(204);

    let user = scim.get(&format!("/Users/{ana}")).await.expect(200);

    let mut groups: Vec<(&str, &str)> = user["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["display"].as_str().unwrap(), g["type"].as_str().unwrap()))
        .collect();
    groups.sort_unstable();
    assert_eq!(groups, [("inner", "direct"), ("middle", "indirect"), ("outer", "direct")]);
    assert!(scim.get(&format!("/Users/{bob}")).await.expect(200).get("groups").is_none());
}

#[tokio::test]
async fn put_sets_name_and_members() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana]).await;

    // As a client sends back what it read, with what only the gateway says.
    let mut body = scim.get(&format!("/Groups/{staff}")).await.expect(200);
    body["displayName"] = "crew".into();
    body["members"] = json!([{ "value": bob, "display": "Bob", "type": "User", "$ref": null }]);
    let replaced = scim.put(&format!("/Groups/{staff}"), body).await.expect(200);

    assert_eq!((id(&replaced), replaced["displayName"].as_str()), (staff.clone(), Some("crew")));
    assert_eq!(scim.members(&staff).await, [bob]);
    assert_eq!(directory.members("crew").await, ["bob@example.com"]);
    assert_eq!(directory.groups().await.len(), 1);
}

#[tokio::test]
async fn put_with_an_empty_list_empties_and_without_one_keeps() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    let path = format!("/Groups/{staff}");

    scim.put(&path, json!({ "schemas": [GROUP], "displayName": "crew" })).await.expect(200);
    assert_eq!(scim.members(&staff).await, [ana.as_str()]);

    let emptied = scim.put(&path, group("crew", &[])).await.expect(200);
    assert_eq!(emptied["members"], json!([]));
    assert_eq!(directory.group("crew").await.unwrap().one("member"), "");

    scim.put(&path, group("crew", &[&ana])).await.expect(200);
    assert_eq!(scim.members(&staff).await, [ana]);
}

#[tokio::test]
async fn a_deleted_group_is_gone_and_its_members_stay() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = format!("/Groups/{}", scim.new_group("staff", &[&ana]).await);

    scim.delete(&staff).await.expect(204);

    scim.get(&staff).await.error(404, "");
    scim.delete(&staff).await.error(404, "");
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
    scim.patch(&staff, add).await.error(404, "");
    assert_eq!(directory.group("staff").await, None);
    assert!(scim.get(&format!("/Users/{ana}")).await.expect(200).get("groups").is_none());
}

#[tokio::test]
async fn deleting_users_takes_them_out_of_their_groups() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana, &bob]).await;
    let alone = scim.new_group("alone", &[&ana]).await;

    scim.delete(&format!("/Users/{ana}")).await.expect(204);

    assert_eq!(scim.members(&staff).await, [bob]);
    assert_eq!(directory.members("staff").await, ["bob@example.com"]);
    // Its class does not allow a group without a member.
    assert_eq!(scim.members(&alone).await, [""; 0]);
    assert_eq!(directory.group("alone").await.unwrap().one("member"), "");
}

#[tokio::test]
async fn with_group_synchronisation_off_there_are_no_groups() {
    let Fixture { scim, directory, .. } = &Fixture::set(&[("groups.sync", "false")]).await;
    scim.new_user("ana").await;

    let list = scim.get("/Groups").await.expect(200);
    assert_eq!((list["totalResults"].as_i64(), &list["Resources"]), (Some(0), &json!([])));
    let nobody = "/Groups/00000000-0000-0000-0000-000000000000";
    scim.get(nobody).await.error(404, "");
    let detail = scim.post("/Groups", group("staff", &[])).await.error(403, "");
    assert!(detail.contains("groups.sync"), "{detail}");
    scim.put(nobody, group("staff", &[])).await.error(403, "");
    scim.patch(nobody, json!([{ "op": "replace", "path": "displayName", "value": "x" }])).await.error(403, "");
    scim.delete(nobody).await.error(403, "");
    assert!(directory.groups().await.is_empty());
}

#[tokio::test]
async fn a_list_leaves_members_out_when_asked() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    scim.new_group("staff", &[&ana]).await;

    let query = [("excludedAttributes", "members"), ("filter", "displayName eq \"staff\"")];
    let list = scim.query("/Groups", &query).await.expect(200);

    assert_eq!(each(&list, "displayName"), ["staff"]);
    assert!(list["Resources"][0].get("members").is_none(), "{list:#}");
}
