//! Passwords where they are stored: set in the directory, never shown, and no way around a disabled account.

use serde_json::{Value, json};

use crate::support::{Fixture, Vendor, user};

const FIRST: &str = "correct Horse 1 battery";
const SECOND: &str = "staple Ünder 2 \"quotes\"";

fn with_password(name: &str, password: &str) -> Value {
    let mut user = user(name);
    user["password"] = password.into();
    user
}

async fn storing() -> Fixture {
    Fixture::set(&[("users.password", "store"), ("log.level", "debug")]).await
}

#[tokio::test]
async fn a_new_users_password_opens_the_account_and_is_seen_nowhere() {
    let Fixture { scim, directory, gateway } = &storing().await;

    let made = scim.post("/Users?attributes=userName,password", with_password("ana", FIRST)).await.expect(201);

    assert!(made.get("password").is_none(), "{made:#}");
    assert!(directory.signs_in_by(&directory.user_dn("ana"), FIRST).await);
    assert!(!directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
    let schema = scim.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await.expect(200);
    let attributes = schema["attributes"].as_array().unwrap();
    let password = attributes.iter().find(|attribute| attribute["name"] == "password").unwrap();
    assert_eq!((&password["mutability"], &password["returned"]), (&json!("writeOnly"), &json!("never")));
    gateway.logged(|line| line["message"] == "answered" && line["status"] == 201).await;
    assert!(!gateway.log().iter().any(|line| line.to_string().contains("Horse")));
    // In the directory it is not kept as it came.
    assert!(!directory.entry(&directory.user_dn("ana")).await.unwrap().one("userPassword").contains("Horse"));
}

#[tokio::test]
async fn a_password_is_changed_by_patch_and_put_and_stays_when_left_out() {
    let Fixture { scim, directory, .. } = &storing().await;
    let made = scim.post("/Users", with_password("ana", FIRST)).await.expect(201);
    let ana = format!("/Users/{}", made["id"].as_str().unwrap());

    let both = json!([{ "op": "replace", "value": { "password": SECOND, "title": "Engineer" } }]);
    let patched = scim.patch(&ana, both).await.expect(200);
    assert_eq!(patched["title"], "Engineer");
    assert!(directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
    // Active Directory lets the one before in for a while.
    if directory.vendor() != Vendor::ActiveDirectory {
        assert!(!directory.signs_in_by(&directory.user_dn("ana"), FIRST).await);
    }

    scim.put(&ana, user("ana")).await.expect(200);
    assert!(directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
    scim.put(&ana, with_password("ana", FIRST)).await.expect(200);
    assert!(directory.signs_in_by(&directory.user_dn("ana"), FIRST).await);

    scim.patch(&ana, json!([{ "op": "replace", "path": "password", "value": SECOND }])).await.expect(200);
    assert!(directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
}

#[tokio::test]
async fn a_password_does_not_open_a_disabled_account() {
    let Fixture { scim, directory, .. } = &storing().await;
    let mut ana = with_password("ana", FIRST);
    ana["active"] = false.into();

    let made = scim.post("/Users", ana).await.expect(201);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(made["active"], false);
    assert!(!directory.signs_in_by(&directory.user_dn("ana"), FIRST).await);
    let patched = scim.patch(&path, json!([{ "op": "replace", "path": "password", "value": SECOND }])).await.expect(200);
    assert_eq!(patched["active"], false);
    assert!(!directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);

    scim.patch(&path, json!([{ "op": "replace", "path": "active", "value": true }])).await.expect(200);
    assert!(directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
}

#[tokio::test]
async fn a_version_that_is_old_changes_no_password() {
    let Fixture { scim, directory, .. } = &storing().await;
    let made = scim.post("/Users", with_password("ana", FIRST)).await.expect(201);
    let ana = format!("/Users/{}", made["id"].as_str().unwrap());
    let old = made["meta"]["version"].as_str().unwrap();
    let current = scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": "A" }])).await.expect(200);
    let current = current["meta"]["version"].as_str().unwrap();
    let set = |version: &str| {
        scim.request(reqwest::Method::PATCH, &ana)
            .header("if-match", version)
            .header("content-type", "application/scim+json")
            .body(
                json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "value": { "password": SECOND, "title": "B" } }] })
                .to_string(),
            )
    };

    scim.send(set(old)).await.error(412, "");
    assert!(directory.signs_in_by(&directory.user_dn("ana"), FIRST).await);
    assert_eq!(scim.send(set(current)).await.expect(200)["title"], "B");
    assert!(directory.signs_in_by(&directory.user_dn("ana"), SECOND).await);
}
