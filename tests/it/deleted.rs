//! What a DELETE leaves of a user where `users.on_delete` keeps it, and how it comes back.

use serde_json::{Value, json};

use crate::support::{Directory, Entry, Fixture, GatewayOptions, Vendor, each, id, user};

fn activate() -> Value {
    json!([{ "op": "replace", "path": "active", "value": true }])
}

/// Nobody sees a deleted user, whatever way they look.
async fn is_gone(fixture: &Fixture, ana: &str, crew: &str) {
    let scim = &fixture.scim;
    let path = format!("/Users/{ana}");
    scim.get(&path).await.error(404, "");
    scim.put(&path, json!({ "schemas": user("ana")["schemas"], "userName": "ana@example.com" })).await.error(404, "");
    scim.patch(&path, json!([{ "op": "replace", "path": "title", "value": "x" }])).await.error(404, "");
    scim.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await.error(404, "");
    scim.delete(&path).await.error(404, "");
    for filter in ["userName eq \"ana@example.com\"", "externalId eq \"x-ana\"", "active eq false", &format!("id eq \"{ana}\"")] {
        assert_eq!(scim.find("/Users", filter).await["totalResults"], 0, "{filter}");
    }
    assert_eq!(each(&scim.get("/Users").await.expect(200), "userName"), ["bob@example.com"]);
    assert_eq!(scim.members(crew).await.len(), 1);
}

/// What holds of both kinds, in the place where deleted entries are.
async fn comes_and_goes(fixture: &Fixture, deleted: impl AsyncFn(&Directory) -> Option<Entry>) {
    let Fixture { scim, directory, .. } = fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let crew = scim.new_group("crew", &[&ana, &bob]).await;
    let path = format!("/Users/{ana}");

    scim.delete(&path).await.expect(204);
    is_gone(fixture, &ana, &crew).await;
    let entry = deleted(directory).await.unwrap();
    assert!(entry.is_disabled());
    assert_eq!(entry.id(), ana);

    // The same person is created again, with what the provider says now.
    let mut again = user("ana");
    again["title"] = "Returned".into();
    let restored = scim.post("/Users", again).await.expect(201);
    assert_eq!((id(&restored), &restored["title"], &restored["active"]), (ana.clone(), &json!("Returned"), &json!(true)));
    assert!(restored.get("groups").is_none(), "{restored:#}");
    let entry = directory.user("ana").await.unwrap();
    assert!(entry.is_managed() && !entry.is_disabled());
    assert!(deleted(directory).await.is_none_or(|entry| !entry.is_disabled()));
    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 2);

    // Or a client remembers the id.
    scim.delete(&path).await.expect(204);
    is_gone(fixture, &ana, &crew).await;
    assert_eq!(scim.patch(&path, activate()).await.expect(200)["title"], "Returned");
    assert_eq!(scim.get(&path).await.expect(200)["active"], true);
    scim.delete(&path).await.expect(204);
    assert_eq!(scim.put(&path, user("ana")).await.expect(200)["active"], true);
    assert!(scim.get(&path).await.expect(200).get("title").is_none());

    // What is refused restores nobody.
    scim.delete(&path).await.expect(204);
    let wrong = json!([activate()[0], { "op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x@example.com" },
                       { "op": "remove", "path": "userName" }]);
    assert_eq!(scim.patch(&path, wrong).await.status, 400);
    is_gone(fixture, &ana, &crew).await;
    assert!(deleted(directory).await.unwrap().is_disabled());
    // An id that never was is as before.
    scim.patch("/Users/3f8a1f0e-0000-4000-8000-000000000000", activate()).await.error(404, "");
}

#[tokio::test]
async fn a_user_that_is_disabled_where_it_is_comes_back_as_itself() {
    for existing in ["false", "true"] {
        let fixture = Fixture::set(&[("users.on_delete", "disable"), ("provisioning.existing_users", existing)]).await;
        comes_and_goes(&fixture, async |directory| directory.user("ana").await).await;

        // Its name is not free for another person, created or renamed.
        let Fixture { scim, .. } = &fixture;
        let mut other = user("ana");
        other["externalId"] = "somebody else".into();
        for detail in [
            scim.post("/Users", other).await.error(409, "uniqueness"),
            rename(&fixture, "bob", "ana").await.error(409, "uniqueness"),
        ] {
            assert!(detail.contains("users.on_delete") && detail.contains("externalId"), "{detail}");
        }
    }
}

async fn rename(fixture: &Fixture, from: &str, to: &str) -> crate::support::Answer {
    let found = fixture.scim.find("/Users", &format!("userName eq \"{from}@example.com\"")).await;
    let change = json!([{ "op": "replace", "path": "userName", "value": format!("{to}@example.com") }]);
    fixture.scim.patch(&format!("/Users/{}", id(&found["Resources"][0])), change).await
}

#[tokio::test]
async fn a_user_that_is_moved_comes_back_as_itself() {
    let mut directory = Directory::start().await;
    let branch = directory.add_branch("gone").await;
    let options = GatewayOptions::default().set("users.on_delete", "recycle").set("users.recycle_base", &branch);
    let fixture = Fixture::before(directory, options).await;
    let moved = async |directory: &Directory| {
        let rdn = directory.user_dn("ana").split(',').next().unwrap().to_owned();
        directory.entry(&format!("{rdn},{branch}")).await
    };
    comes_and_goes(&fixture, moved).await;

    // Under another name it is known by the provider's own identifier.
    let Fixture { scim, directory, .. } = &fixture;
    let before = moved(directory).await.unwrap().id();
    let mut renamed = user("ann");
    renamed["externalId"] = "x-ana".into();
    assert_eq!(id(&scim.post("/Users", renamed).await.expect(201)), before);
    assert!(directory.user("ann").await.unwrap().is_managed() && moved(directory).await.is_none());
    // The other directories here give a userName once in all of them.
    if directory.vendor() != Vendor::OpenLdap {
        return;
    }

    // Another person of the same name has an account of its own; and cannot be put where the first one lies.
    scim.delete(&format!("/Users/{before}")).await.expect(204);
    let mut other = user("ann");
    other["externalId"] = "somebody else".into();
    let other = id(&scim.post("/Users", other).await.expect(201));
    assert_ne!(other, before);
    let detail = scim.delete(&format!("/Users/{other}")).await.error(409, "");
    assert!(detail.contains("users.recycle_base"), "{detail}");
    assert_eq!(scim.get(&format!("/Users/{other}")).await.expect(200)["active"], true);
}

#[tokio::test]
async fn a_restored_user_joins_the_default_groups_or_stays_deleted() {
    let directory = Directory::start().await;
    directory.add_user("erin").await;
    directory.add_group("everybody", &["erin"]).await;
    let group = directory.group_dn("everybody");
    let options =
        GatewayOptions::default().set("users.on_delete", "disable").set("provisioning.default_groups", &format!("[\"{group}\"]"));
    let Fixture { scim, directory, .. } = &Fixture::before(directory, options).await;
    let ana = scim.new_user("ana").await;
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    assert_eq!(directory.members("everybody").await, ["erin@example.com"]);
    assert_eq!(scim.new_user("ana").await, ana);
    assert_eq!(directory.members("everybody").await, ["ana@example.com", "erin@example.com"]);

    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    directory.remove(&group).await;
    let detail = scim.post("/Users", user("ana")).await.error(500, "");
    assert!(detail.contains("default_groups"), "{detail}");
    scim.get(&format!("/Users/{ana}")).await.error(404, "");
    assert!(directory.user("ana").await.unwrap().is_disabled());
}
