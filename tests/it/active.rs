//! Where `active` is kept, and what disabling does and leaves.

use serde_json::{Value, json};

use crate::support::{Directory, Entry, Fixture, SlapdOptions, each, id, user};

async fn ana_in(directory: &Directory) -> Entry {
    directory.user("ana").await.unwrap()
}

fn active(value: impl Into<Value>) -> Value {
    json!([{ "op": "replace", "path": "active", "value": value.into() }])
}

#[tokio::test]
async fn a_disabled_user_is_locked_out() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);
    directory.set_password(&directory.user_dn("ana")).await;
    assert!(directory.signs_in(&directory.user_dn("ana")).await);

    let disabled = scim.patch(&ana, active(false)).await.expect(200);
    assert_eq!(disabled["active"], false);
    assert!(ana_in(directory).await.is_disabled());
    assert!(!directory.signs_in(&directory.user_dn("ana")).await);

    let enabled = scim.patch(&ana, active(true)).await.expect(200);
    assert_eq!(enabled["active"], true);
    assert!(!ana_in(directory).await.is_disabled());
    assert!(directory.signs_in(&directory.user_dn("ana")).await);
}

#[tokio::test]
async fn a_user_can_be_created_disabled_and_is_found_by_it() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    scim.new_user("bob").await;
    let mut ana = user("ana");
    ana["active"] = false.into();

    let made = scim.post("/Users", ana).await.expect(201);

    assert_eq!(made["active"], false);
    assert!(ana_in(directory).await.is_disabled());
    assert_eq!(each(&scim.find("/Users", "active eq false").await, "userName"), ["ana@example.com"]);
    assert_eq!(each(&scim.find("/Users", "active eq true").await, "userName"), ["bob@example.com"]);
    // A client looks for a user before it enables it again.
    let found = scim.find("/Users", "userName eq \"ana@example.com\"").await;
    assert_eq!(found["Resources"][0]["active"], false);
}

#[tokio::test]
async fn a_lock_by_wrong_passwords_is_not_a_disabled_user() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    directory.set(&directory.user_dn("ana"), "pwdAccountLockedTime", "20261124120000Z").await;

    assert_eq!(scim.get(&format!("/Users/{ana}")).await.expect(200)["active"], true);
    assert_eq!(scim.find("/Users", "active eq true").await["totalResults"], 1);
}

#[tokio::test]
async fn disabling_keeps_memberships() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    let mut gone = user("ana");
    gone["active"] = false.into();

    for disable in ["PATCH", "PUT"] {
        scim.patch(&format!("/Users/{ana}"), active(true)).await.expect(200);
        let disabled = match disable {
            "PATCH" => scim.patch(&format!("/Users/{ana}"), active(false)).await,
            _ => scim.put(&format!("/Users/{ana}"), gone.clone()).await,
        };
        let disabled = disabled.expect(200);

        assert_eq!(disabled["active"], false, "{disable}");
        assert_eq!(disabled["groups"][0]["value"], staff, "{disable}");
        assert_eq!(directory.members("staff").await, ["ana@example.com"], "{disable}");
    }
}

#[tokio::test]
async fn every_form_of_disabling_and_enabling_works() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    for (disable, enable) in [
        (active("False"), active("True")),
        (active("false"), active(true)),
        (json!([{ "op": "Replace", "value": { "active": false } }]), json!([{ "op": "Replace", "value": { "active": "True" } }])),
        (json!([{ "op": "add", "path": "active", "value": false }]), json!([{ "op": "add", "value": { "active": true } }])),
        (active(false), json!([{ "op": "remove", "path": "active" }])),
    ] {
        assert_eq!(scim.patch(&ana, disable.clone()).await.expect(200)["active"], false, "{disable}");
        assert_eq!(scim.get(&ana).await.expect(200)["active"], false, "{disable}");
        assert_eq!(scim.patch(&ana, enable.clone()).await.expect(200)["active"], true, "{enable}");
        assert_eq!(scim.get(&ana).await.expect(200)["active"], true, "{enable}");
    }
}

#[tokio::test]
async fn repeating_a_state_changes_nothing() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let ana = format!("/Users/{}", id(&made));

    let again = scim.patch(&ana, active("True")).await.expect(200);
    assert_eq!(again["meta"], made["meta"]);

    let disabled = scim.patch(&ana, active(false)).await.expect(200);
    assert_ne!(disabled["meta"]["version"], made["meta"]["version"]);
    assert_eq!(scim.patch(&ana, active(false)).await.expect(200)["meta"], disabled["meta"]);
}

#[tokio::test]
async fn without_a_password_policy_our_own_attribute_tells() {
    let directory = SlapdOptions { ppolicy: false, ..SlapdOptions::default() };
    let Fixture { scim, directory, .. } = &Fixture::with_directory(directory).await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    assert_eq!(scim.patch(&ana, active(false)).await.expect(200)["active"], false);
    assert_eq!(ana_in(directory).await.one("scimgateActive"), "FALSE");
    assert_eq!(scim.find("/Users", "active eq false").await["totalResults"], 1);

    assert_eq!(scim.patch(&ana, active(true)).await.expect(200)["active"], true);
    assert_eq!(ana_in(directory).await.one("scimgateActive"), "TRUE");
    assert_eq!(scim.find("/Users", "active eq false").await["totalResults"], 0);
}

#[tokio::test]
async fn an_attribute_of_the_company_can_tell() {
    let rule = [("attribute", "businessCategory"), ("enabled", "here"), ("disabled", "left")];
    let settings = rule.map(|(key, value)| (format!("users.active.{key}"), value));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (&**key, *value)).collect();
    let Fixture { scim, directory, .. } = &Fixture::set(&settings).await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    scim.patch(&ana, active(false)).await.expect(200);
    assert_eq!(ana_in(directory).await.one("businessCategory"), "left");
    scim.patch(&ana, active(true)).await.expect(200);
    assert_eq!(ana_in(directory).await.one("businessCategory"), "here");
}
