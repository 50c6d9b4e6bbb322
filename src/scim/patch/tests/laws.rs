//! What holds of every request.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scim::{Dialect, Kind, Resource};

use super::{ENTERPRISE, group, patched, ty, user};

fn paths() -> impl Strategy<Value = Option<String>> {
    let fixed = [
        "title",
        "userName",
        "name",
        "name.givenName",
        "active",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[type eq \"other\"].value",
        "emails[primary eq true].primary",
        "emails[value co \"a\"].display",
        "addresses",
        "addresses[type eq \"work\"].locality",
        "roles",
        "members",
        "members[value eq \"a\"]",
        "displayName",
        "members[type eq \"User\"].display",
        "photos[type eq \"photo\"].value",
    ];
    let extension = ["", ":department", ":manager", ":manager.value"].map(|rest| format!("{ENTERPRISE}{rest}"));
    let all: Vec<String> = fixed.map(str::to_owned).into_iter().chain(extension).collect();
    prop_oneof![6 => prop::sample::select(all).prop_map(Some), 1 => Just(None), 1 => any::<String>().prop_map(Some)]
}

fn values() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["", "a", "b", "A", "true", "False", "work", "home", "  ", "é"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "value",
        "type",
        "primary",
        "display",
        "$ref",
        "givenName",
        "locality",
        "members",
        "emails",
        "title",
        "active",
        "department",
        "manager",
        "name.givenName",
        "emails[type eq \"work\"].value",
        "userName",
        "displayName",
        ENTERPRISE,
    ]);
    let item = (
        text.clone(),
        prop::option::of(prop::sample::select(vec!["work", "home", "Other", "x"])),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(value, kind, primary)| json!({ "value": value, "type": kind, "primary": primary }));
    let fitting =
        prop_oneof![text.clone().prop_map(Value::from), item.clone(), prop::collection::vec(item, 0..4).prop_map(Value::Array)];
    let random = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop_oneof![fitting, random]
}

fn operations() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "replace", "remove", "Add"]);
    let operation = (op, paths(), prop::option::weighted(0.9, values())).prop_map(|(op, path, value)| {
        let mut operation = json!({ "op": op });
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        operation
    });
    prop::collection::vec(operation, 1..8).prop_map(Value::Array)
}

/// Reading a canonical resource as if a client had sent it gives the same resource.
fn is_canonical(resource: &Resource, kind: Kind) -> Result<(), TestCaseError> {
    let body = Value::Object(resource.map().clone());
    let again = Resource::accept(body, &ty(kind), &mut Dialect::default());
    prop_assert_eq!(again.as_ref(), Ok(resource));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_it_panic_and_resources_stay_canonical(operations in operations()) {
        for (kind, before) in [(Kind::User, user()), (Kind::Group, group(&["a", "b", "c"]))] {
            is_canonical(&before, kind)?;
            let _ = patched(kind, before.clone(), &operations);
            // Most random operations are refused; the others take effect one after the other.
            let mut resource = before;
            for operation in operations.as_array().into_iter().flatten() {
                if let Ok((after, changed)) = patched(kind, resource.clone(), &json!([operation])) {
                    is_canonical(&after, kind)?;
                    prop_assert!(changed || resource == after, "a change went unreported: {operation}");
                    resource = after;
                }
            }
        }
    }

    #[test]
    fn a_replacement_made_twice_changes_nothing_the_second_time(value in values(), path in paths()) {
        let operation = match path {
            Some(path) => json!([{ "op": "replace", "path": path, "value": value }]),
            None => json!([{ "op": "replace", "value": value }]),
        };
        for (kind, before) in [(Kind::User, user()), (Kind::Group, group(&["a", "b", "c"]))] {
            if let Ok((once, _)) = patched(kind, before, &operation)
                && let Ok((twice, changed)) = patched(kind, once.clone(), &operation)
            {
                prop_assert_eq!(&twice, &once);
                prop_assert!(!changed || value.is_object(), "{}", operation);
            }
        }
    }

    #[test]
    fn adding_one_by_one_is_adding_at_once(ids in prop::collection::vec("[a-eA-E]", 0..12)) {
        let items: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        let at_once = json!([{ "op": "add", "path": "members", "value": items }]);
        let after = patched(Kind::Group, group(&["a", "b"]), &at_once).map(|(resource, _)| resource);
        let mut single = group(&["a", "b"]);
        for item in &items {
            let (next, _) = patched(Kind::Group, single, &json!([{ "op": "add", "path": "members", "value": [item] }])).expect("an addition");
            single = next;
        }
        prop_assert_eq!(after, Ok(single));
    }
}
