//! Whole conversations, as identity providers have them.

use serde_json::json;

use crate::support::{ENTERPRISE, Fixture, USER, each, id, sorted, user_dn};

/// PingFederate and PingOne: lookup, POST, PUT; groups by name; PUT disables; DELETE.
#[tokio::test]
async fn ping_provisions_by_put() {
    let Fixture { scim, slapd, .. } = &Fixture::start().await;
    let ana = |active: bool, title: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:scim:schemas:core:1.0"],
            "userName": "ana@example.com",
            "name": { "givenName": "Ana", "familyName": "Ruiz" },
            "emails": [
                { "type": "Work", "primary": true, "value": "ana@example.com" },
                { "type": "Other", "primary": true, "value": "ana@example.com" },
            ],
            "active": active,
            "title": title,
            "roles": [],
            "groups": [],
            "password": "random",
            "urn:pingidentity:custom": { "x": 1 },
        })
    };

    scim.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(scim.find("/Users", "userName Eq \"ana@example.com\"").await["Resources"], json!([]));
    let made = scim.post("/Users", ana(true, "Engineer")).await.expect(201);
    let path = format!("/Users/{}", id(&made));
    assert_eq!(made["emails"][0], json!({ "type": "work", "primary": true, "value": "ana@example.com" }));

    let found = scim.find("/Users", "email Co \"ana@example.com\"").await;
    assert_eq!(each(&found, "id"), [id(&made)]);
    let updated = scim.put(&path, ana(true, "Architect")).await.expect(200);
    assert_eq!((updated["title"].as_str(), updated["id"].as_str()), (Some("Architect"), made["id"].as_str()));

    let staff = "cn=Staff, \"All\",ou=groups,dc=ping";
    let filter = "displayName Eq \"cn=Staff, \\\"All\\\",ou=groups,dc=ping\"";
    assert_eq!(scim.find("/Groups", filter).await["totalResults"], 0);
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": staff, "members": [] });
    let group = id(&scim.post("/Groups", group).await.expect(201));
    let listed = scim.query("/Groups", &[("count", "1000"), ("startIndex", "1"), ("filter", filter)]).await.expect(200);
    assert_eq!(listed["Resources"][0]["id"], group);
    let with_ana = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": group, "displayName": staff,
        "members": [{ "value": id(&made), "display": "ana@example.com" }],
    });
    scim.put(&format!("/Groups/{group}"), with_ana).await.expect(200);

    let disabled = scim.put(&path, ana(false, "Architect")).await.expect(200);
    assert_eq!((disabled["active"].as_bool(), disabled["groups"][0]["value"].as_str()), (Some(false), Some(&*group)));
    scim.put(&path, ana(true, "Architect")).await.expect(200);
    scim.delete(&path).await.expect(204);
    assert_eq!(scim.members(&group).await, [""; 0]);
    assert!(slapd.entry(&user_dn("ana")).await.is_none());
}

/// Okta: its specification test, then import, update by PUT, deactivation by PATCH, group push.
#[tokio::test]
async fn okta_tests_provisions_and_pushes_groups() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "ana@example.com",
        "name": { "givenName": "Ana", "familyName": "Ruiz" },
        "emails": [{ "primary": true, "value": "ana@example.com", "type": "work" }],
        "displayName": "Ana Ruiz",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    });

    let made = scim.post("/Users", body.clone()).await.expect(201);
    let ana = id(&made);
    let path = format!("/Users/{ana}");
    let listed = scim.get("/Users?count=1&startIndex=1").await.expect(200);
    for attribute in ["id", "userName", "name", "active", "emails"] {
        assert!(listed["Resources"][0].get(attribute).is_some(), "{attribute}");
    }
    scim.post("/Users", body).await.error(409, "uniqueness");
    scim.get("/Users/010101001010101011001010101011").await.error(404, "");
    assert_eq!(scim.find("/Users", "userName eq \"ANA@EXAMPLE.COM\"").await["totalResults"], 1);
    assert_eq!(scim.find("/Users", "userName eq \"abcdefgh@example.com\"").await["totalResults"], 0);

    let mut read = scim.get(&path).await.expect(200);
    read["name"]["middleName"] = "Maria".into();
    assert_eq!(scim.put(&path, read).await.expect(200)["name"]["middleName"], "Maria");
    let deactivate = json!([{ "op": "replace", "value": { "active": false } }]);
    assert_eq!(scim.patch(&path, deactivate).await.expect(200)["active"], false);

    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Push", "members": [] });
    let group = id(&scim.post("/Groups", group).await.expect(201));
    let push = json!([
        { "op": "replace", "value": { "id": group, "displayName": "Push" } },
        { "op": "add", "path": "members", "value": [{ "value": ana, "display": "ana@example.com" }] },
    ]);
    scim.patch(&format!("/Groups/{group}"), push).await.expect(204);
    assert_eq!(scim.members(&group).await, [ana.as_str()]);
    let leave = json!([{ "op": "remove", "path": format!("members[value eq \"{ana}\"]") }]);
    scim.patch(&format!("/Groups/{group}"), leave).await.expect(204);
    assert_eq!(scim.members(&group).await, [""; 0]);
    scim.delete(&format!("/Groups/{group}")).await.expect(204);
}

/// Entra: test connection with a random name, match, create, PATCH with its own words, soft delete, restore, delete.
#[tokio::test]
async fn entra_provisions_by_patch() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let random = scim.find("/Users", "userName eq \"5b4b9dd2-3a9c-4a6e-8b13-4a3d2f2b8f5b\"").await;
    assert_eq!((random["totalResults"].as_u64(), &random["Resources"]), (Some(0), &json!([])));
    let made = scim
        .post(
            "/Users?aadOptscim062020",
            json!({
                "schemas": [USER, ENTERPRISE],
                "externalId": "ana",
                "userName": "ana@example.com",
                "active": true,
                "addresses": null,
                "displayName": "Ana Ruiz",
                "emails": [{ "type": "work", "value": "ana@example.com", "primary": true }],
                "meta": { "resourceType": "User" },
                "name": { "familyName": "Ruiz", "givenName": "Ana" },
                "phoneNumbers": null,
                "title": null,
                "department": null,
            }),
        )
        .await
        .expect(201);
    let path = format!("/Users/{}", id(&made));
    let operations = json!([
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ana.gil@example.com" },
        { "op": "Replace", "path": "name.familyName", "value": "Gil" },
        { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+34 600" },
        { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Rides" },
        { "op": "Add", "value": { "nickName": "Anita", "name.givenName": "Anna" } },
        { "op": "Remove", "path": "displayName" },
    ]);
    let changed = scim.patch(&path, operations).await.expect(200);
    assert_eq!(changed["emails"][0]["value"], "ana.gil@example.com");
    assert_eq!((changed["name"]["familyName"].as_str(), changed["name"]["givenName"].as_str()), (Some("Gil"), Some("Anna")));
    assert_eq!((changed["phoneNumbers"][0]["value"].as_str(), changed["nickName"].as_str()), (Some("+34 600"), Some("Anita")));
    assert_eq!((changed[ENTERPRISE]["department"].as_str(), changed.get("displayName")), (Some("Rides"), None));

    let disable = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    assert_eq!(scim.patch(&path, disable).await.expect(200)["active"], false);
    let found = scim.find("/Users", "externalId eq \"ana\"").await;
    assert_eq!(each(&found, "id"), [id(&made)]);
    let restore = json!([{ "op": "Add", "path": "active", "value": "True" }]);
    assert_eq!(scim.patch(&path, restore).await.expect(200)["active"], true);
    scim.delete(&path).await.expect(204);
}

/// Entra's groups: matched without their members, filled in one request, emptied member by member.
#[tokio::test]
async fn entra_fills_groups() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);

    let filter = [("excludedAttributes", "members"), ("filter", "displayName eq \"Staff\"")];
    assert_eq!(scim.query("/Groups", &filter).await.expect(200)["totalResults"], 0);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "Staff",
        "meta": { "resourceType": "Group" },
    });
    let staff = id(&scim.post("/Groups", body).await.expect(201));
    let path = format!("/Groups/{staff}");

    let add =
        json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": ana }, { "$ref": null, "value": bob }] }]);
    scim.patch(&path, add).await.expect(204);
    assert_eq!(scim.members(&staff).await, sorted(vec![ana.clone(), bob.clone()]));
    let remove = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": ana }] }]);
    scim.patch(&path, remove).await.expect(204);
    assert_eq!(scim.members(&staff).await, [bob]);
    let rename = json!([{ "op": "Replace", "path": "displayName", "value": "Crew" }]);
    scim.patch(&path, rename).await.expect(204);
    let read = scim.get(&format!("{path}?excludedAttributes=members")).await.expect(200);
    assert_eq!((read["displayName"].as_str(), read.get("members")), (Some("Crew"), None));
}
