//! What is filled in for clients that must find it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::Projection;

fn user(body: &Value) -> Resource {
    let mut resource = Resource::new();
    resource.map_mut().extend(body.as_object().unwrap().clone());
    resource
}

fn completed(body: &Value) -> Value {
    let mut resource = user(body);
    MAPPING.users.complete(&mut resource);
    Value::Object(resource.into_map())
}

#[test]
fn names_are_made_of_other_names() {
    let name = |body: Value| completed(&body)["name"].clone();
    for (body, given, family) in [
        (json!({ "displayName": "Ana María Ruiz" }), "Ana María", "Ruiz"),
        (json!({ "displayName": "Ruiz Soto, Ana" }), "Ana", "Ruiz Soto"),
        (json!({ "displayName": "Ana Ruiz Soto", "name": { "familyName": "Ruiz Soto" } }), "Ana", "Ruiz Soto"),
        (json!({ "displayName": "Ruiz, Ana", "name": { "givenName": "Ana" } }), "Ana", "Ruiz"),
        (json!({ "displayName": "B C", "name": { "formatted": "Ana Ruiz" } }), "Ana", "Ruiz"),
        (json!({ "displayName": "Ana Ruiz", "name": { "formatted": "ana.soto@x" } }), "Ana", "Ruiz"),
        (json!({ "userName": "ana.ruiz@corp.example", "displayName": "Anita" }), "ana", "ruiz"),
        (json!({ "userName": "aruiz@corp.example" }), "aruiz", "aruiz"),
        (json!({ "userName": "aruiz", "name": { "familyName": "Ruiz" } }), "aruiz", "Ruiz"),
        // Ruizo is another name than Ruiz.
        (json!({ "displayName": "Ana Ruizo", "name": { "familyName": "izo" } }), "Ana", "izo"),
    ] {
        let made = name(body.clone());
        assert_eq!((&made["givenName"], &made["familyName"]), (&json!(given), &json!(family)), "{body}");
    }
    assert_eq!(completed(&json!({ "userName": "@" })), json!({ "userName": "@" }));
}

#[test]
fn an_email_address_is_made_of_a_user_name_that_is_one() {
    let emails = |body: Value| completed(&body)["emails"].clone();
    assert_eq!(emails(json!({ "userName": "ana@x" })), json!([{ "value": "ana@x", "type": "work", "primary": true }]));
    assert_eq!(emails(json!({ "userName": "ana" })), Value::Null);
    let own = json!([{ "value": "a@y", "type": "home" }]);
    assert_eq!(emails(json!({ "userName": "ana@x", "emails": own })), own);
}

#[test]
fn nothing_is_made_that_the_schema_does_not_have() {
    let mut config = config();
    config.users.attributes =
        vec![("name.givenName".to_owned(), String::new()), ("emails[type eq \"work\"].value".to_owned(), String::new())];
    let compiled = compiled(&config, Loaded { ours: true, ppolicy: false });
    let mut resource = user(&json!({ "userName": "ana.ruiz@x" }));
    compiled.users.complete(&mut resource);
    assert_eq!(Value::Object(resource.into_map()), json!({ "userName": "ana.ruiz@x", "name": { "familyName": "ruiz" } }));

    let mut group = user(&json!({ "displayName": "Ana Ruiz" }));
    MAPPING.groups.complete(&mut group);
    assert_eq!(Value::Object(group.into_map()), json!({ "displayName": "Ana Ruiz" }));
}

#[test]
fn what_is_made_is_asked_for_with_what_it_is_made_of() {
    let asked = |query: &str| {
        let mut asked = MAPPING.users.attributes(&Projection::from_query(query, &MAPPING.users.ty).unwrap()).to_vec();
        asked.retain(|name| ["cn", "displayName", "uid", "givenName", "mail"].contains(&name.as_str()));
        asked.sort();
        asked
    };
    assert_eq!(asked("attributes=emails"), ["mail", "uid"]);
    assert_eq!(asked("attributes=name.givenName"), ["cn", "displayName", "givenName", "uid"]);
    assert!(!asked("attributes=title").contains(&"cn".to_owned()));
}

#[test]
fn what_is_merely_repeated_says_nothing() {
    let old = json!({ "userName": "ana@x", "displayName": "Ana Ruiz" });
    let shown = completed(&old);
    let meant = |new: &Value| Value::Object(MAPPING.users.without_repeated(&user(&old), user(new)).into_map());
    assert_eq!(meant(&shown), old);
    let mut bare = shown.clone();
    bare["emails"] = json!([{ "value": "ana@x" }]);
    assert_eq!(meant(&bare), old);

    for new in [
        // Other values, or more of them.
        json!({ "userName": "ana@x", "displayName": "Ana Ruiz", "name": { "givenName": "Anita" } }),
        json!({ "userName": "ana@x", "displayName": "Ana Ruiz", "emails": [{ "value": "ana@x", "type": "home" }] }),
        json!({ "userName": "ana@x", "displayName": "Ana Ruiz", "emails": [{ "value": "ana@x" }, { "value": "b@x" }] }),
        // It would no longer be made as it was sent.
        json!({ "userName": "ana@x", "displayName": "Eva Soto", "name": { "givenName": "Ana", "familyName": "Ruiz" } }),
        json!({ "userName": "eva@x", "displayName": "Ana Ruiz", "emails": [{ "value": "ana@x" }] }),
    ] {
        assert_eq!(meant(&new), new);
    }
    // What the directory has is never merely repeated.
    let stored = json!({ "userName": "ana@x", "displayName": "Ana Ruiz", "name": { "givenName": "Ana", "familyName": "Ruiz" } });
    let same = MAPPING.users.without_repeated(&user(&stored), user(&stored));
    assert_eq!(Value::Object(same.into_map()), stored);
}

fn any_user() -> impl Strategy<Value = Value> {
    let text =
        || prop::option::of(prop::sample::select(vec!["Ana", "Ruiz", "Ana Ruiz", "Ruiz, Ana", "ana@x", "ana.ruiz@x", "b"]));
    let item = (prop::sample::select(vec!["ana@x", "ana.ruiz@x", "b"]), prop::sample::select(vec!["work", "home"]));
    (text(), text(), text(), text(), text(), prop::option::of(item)).prop_map(
        |(user, display, formatted, given, family, email)| {
            let name = json!({ "formatted": formatted, "givenName": given, "familyName": family });
            let emails = email.map(|(value, kind)| json!([{ "value": value, "type": kind, "primary": true }]));
            let mut whole =
                json!({ "userName": user.unwrap_or("ana@x"), "displayName": display, "name": name, "emails": emails });
            let kept = |map: &mut serde_json::Map<String, Value>| map.retain(|_, value| !value.is_null());
            kept(whole["name"].as_object_mut().unwrap());
            kept(whole.as_object_mut().unwrap());
            if whole["name"] == json!({}) {
                whole.as_object_mut().unwrap().remove("name");
            }
            whole
        },
    )
}

proptest! {
    #[test]
    fn what_was_shown_and_comes_back_changes_nothing(old in any_user()) {
        let back = MAPPING.users.without_repeated(&user(&old), user(&completed(&old)));
        prop_assert_eq!(Value::Object(back.into_map()), old);
    }

    #[test]
    fn whatever_was_sent_is_read_again(old in any_user(), new in any_user()) {
        let mut read = MAPPING.users.without_repeated(&user(&old), user(&new));
        MAPPING.users.complete(&mut read);
        prop_assert_eq!(Value::Object(read.into_map()), completed(&new));
    }
}
