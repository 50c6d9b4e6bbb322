//! What operations do to a resource.

use serde_json::{Value, json};

use crate::scim::{Kind, ScimType, Tolerance};

use super::{ENTERPRISE, after, group, members, patched, read, strict, ty, user};

#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn refused(operations: Value) -> Option<ScimType> {
    patched(Kind::User, user(), &operations).expect_err(&operations.to_string()).scim_type
}

#[test]
fn single_values_are_set_by_add_and_replace_alike() {
    for op in ["add", "Replace"] {
        assert_eq!(after(json!([{ "op": op, "path": "title", "value": "T" }]), "title"), json!("T"));
        assert_eq!(
            after(json!([{ "op": op, "path": "userName", "value": "bo@corp.example" }]), "userName"),
            json!("bo@corp.example")
        );
        assert_eq!(after(json!([{ "op": op, "path": "active", "value": true }]), "active"), json!(true));
        assert_eq!(after(json!([{ "op": op, "value": { "active": "False" } }]), "active"), json!(false));
    }
}

#[test]
fn complex_values_are_merged_and_keep_what_is_not_given() {
    for op in ["add", "replace"] {
        let expected = json!({ "givenName": "A", "familyName": "Ruiz", "middleName": "B" });
        let value = json!({ "givenName": "A", "middleName": "B" });
        assert_eq!(after(json!([{ "op": op, "path": "name", "value": value }]), "name"), expected);
        assert_eq!(after(json!([{ "op": op, "value": { "name": value } }]), "name"), expected);
        assert_eq!(after(json!([{ "op": op, "value": { "name.givenName": "A", "name.middleName": "B" } }]), "name"), expected);
    }
    assert_eq!(
        after(json!([{ "op": "remove", "path": "name.givenName" }, { "op": "remove", "path": "name.familyName" }]), "name"),
        Value::Null
    );
}

#[test]
fn extensions_are_set_and_emptied() {
    let manager = format!("{ENTERPRISE}:manager");
    let department = format!("{ENTERPRISE}:department");
    assert_eq!(
        after(json!([{ "op": "Add", "path": manager, "value": "m-2" }, { "op": "Remove", "path": department }]), ENTERPRISE),
        json!({ "manager": { "value": "m-2" } })
    );
    assert_eq!(after(json!([{ "op": "Replace", "path": manager, "value": "" }]), ENTERPRISE), json!({ "department": "R&D" }));
    assert_eq!(
        after(json!([{ "op": "Replace", "path": format!("{manager}.value"), "value": "" }]), ENTERPRISE),
        json!({ "department": "R&D" })
    );
    assert_eq!(after(json!([{ "op": "remove", "path": ENTERPRISE }]), ENTERPRISE), Value::Null);
}

#[test]
fn a_value_path_sets_its_sub_attribute_in_every_match() {
    let emails =
        after(json!([{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "x@corp.example" }]), "emails");
    assert_eq!(
        emails,
        json!([
            { "value": "x@corp.example", "type": "work", "primary": true },
            { "value": "ana@home.example", "type": "home" }
        ])
    );
    let emails = after(json!([{ "op": "replace", "path": "emails[value ew \"example\"].display", "value": "D" }]), "emails");
    assert!(emails.as_array().unwrap().iter().all(|item| item["display"] == "D"));
    let emails =
        after(json!([{ "op": "replace", "path": "emails[type eq \"home\"]", "value": { "value": "h@home.example" } }]), "emails");
    assert_eq!(emails[1], json!({ "value": "h@home.example", "type": "home" }));
}

#[test]
fn a_value_path_without_a_match_creates_the_item_for_canonical_types_alone() {
    for (path, item) in [
        ("emails[type eq \"other\"].value", json!({ "type": "other", "value": "x" })),
        ("emails[type eq \"Other\"].value", json!({ "type": "other", "value": "x" })),
        ("phoneNumbers[type eq \"mobile\"].value", json!({ "type": "mobile", "value": "x" })),
        ("addresses[type eq \"work\"].streetAddress", json!({ "type": "work", "streetAddress": "x" })),
        ("emails[type eq \"other\" and display eq \"D\"].value", json!({ "type": "other", "display": "D", "value": "x" })),
        ("roles[primary eq true].value", json!({ "primary": true, "value": "x" })),
    ] {
        let name = path.split('[').next().unwrap();
        for op in ["Add", "Replace"] {
            let operations = json!([{ "op": op, "path": path, "value": "x" }]);
            let values = after(operations.clone(), name);
            assert!(values.as_array().unwrap().contains(&item), "{path}: {values}");
            let mut dialect = strict();
            let request = read(Kind::User, &operations, &mut dialect).expect(path);
            let error = request.apply(&mut user(), &ty(Kind::User), &mut dialect).expect_err(path);
            assert_eq!(error.scim_type, Some(ScimType::NoTarget));
            dialect.allowed.insert(Tolerance::PatchCreateValuePath);
            assert_eq!(request.apply(&mut user(), &ty(Kind::User), &mut dialect), Ok(true));
        }
    }
    for path in [
        "emails[type eq \"castle\"].value",
        "emails[type ne \"work\" and type eq \"other\"].value",
        "emails[type eq \"other\" or type eq \"third\"].value",
        "emails[value eq \"nobody\"].display",
        "emails[type sw \"oth\"].value",
        "roles[primary eq false].value",
        "roles[primary eq true and display eq \"D\"].value",
        "phoneNumbers[not (type eq \"work\")].value",
    ] {
        assert_eq!(refused(json!([{ "op": "replace", "path": path, "value": "x" }])), Some(ScimType::NoTarget), "{path}");
    }
    let whole = json!([{ "op": "add", "path": "emails[type eq \"other\"]", "value": { "value": "x" } }]);
    assert_eq!(refused(whole), Some(ScimType::NoTarget));
}

#[test]
fn adding_joins_what_is_there_and_adds_what_is_not() {
    let emails =
        after(json!([{ "op": "add", "path": "emails", "value": [{ "value": "ANA@corp.example", "type": "Work" }] }]), "emails");
    assert_eq!(emails.as_array().unwrap().len(), 2);
    assert_eq!(emails[0]["value"], "ana@corp.example");
    let emails =
        after(json!([{ "op": "add", "path": "emails", "value": { "value": "ana@corp.example", "type": "other" } }]), "emails");
    assert_eq!(emails.as_array().unwrap().len(), 3);
    let emails =
        after(json!([{ "op": "add", "value": { "emails": [{ "value": "ana@home.example", "display": "Home" }] } }]), "emails");
    assert_eq!(emails[1], json!({ "value": "ana@home.example", "type": "home", "display": "Home" }));
    let streets = after(
        json!([
            { "op": "add", "path": "addresses", "value": [{ "streetAddress": "S 1" }, { "streetAddress": "s 1" }] },
            { "op": "add", "path": "addresses", "value": [{ "streetAddress": "S 1" }, { "streetAddress": "S 2" }] },
        ]),
        "addresses",
    );
    assert_eq!(streets, json!([{ "streetAddress": "S 1" }, { "streetAddress": "S 2" }]));
}

#[test]
fn a_new_primary_is_the_only_one() {
    let new = json!({ "value": "x@corp.example", "type": "other", "primary": true });
    for operations in [
        json!([{ "op": "add", "path": "emails", "value": [new] }]),
        json!([{ "op": "add", "path": "emails[type eq \"other\"].value", "value": "x@corp.example" },
               { "op": "add", "path": "emails[type eq \"other\"].primary", "value": true }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "a", "primary": true }, { "value": "b" }] },
               { "op": "add", "path": "emails", "value": [new] }]),
    ] {
        let emails = after(operations, "emails");
        let primaries: Vec<&Value> = emails.as_array().unwrap().iter().filter(|e| e["primary"] == true).collect();
        assert_eq!(primaries, [&new]);
    }
    let emails = after(json!([{ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }]), "emails");
    assert_eq!((&emails[0]["primary"], &emails[1]["primary"]), (&json!(false), &json!(true)));
}

#[test]
fn removals_of_users_attributes() {
    assert_eq!(after(json!([{ "op": "remove", "path": "title" }]), "title"), Value::Null);
    assert_eq!(after(json!([{ "op": "remove", "path": "emails" }]), "emails"), Value::Null);
    let work_only = json!([{ "value": "ana@corp.example", "type": "work", "primary": true }]);
    for operation in [
        json!({ "op": "remove", "path": "emails[type eq \"home\"]" }),
        json!({ "op": "remove", "path": "emails[type eq \"home\"].value" }),
        json!({ "op": "replace", "path": "emails[type eq \"home\"].value", "value": "" }),
        json!({ "op": "Remove", "path": "emails", "value": [{ "value": "ana@home.example" }] }),
        json!({ "op": "Remove", "path": "emails", "value": [{ "type": "home" }] }),
        json!({ "op": "Remove", "path": "emails", "value": "ANA@home.example" }),
    ] {
        assert_eq!(after(json!([operation]), "emails"), work_only, "{operation}");
    }
    let emails = after(json!([{ "op": "remove", "path": "emails.type" }]), "emails");
    assert_eq!(emails, json!([{ "value": "ana@corp.example", "primary": true }, { "value": "ana@home.example" }]));
    assert_eq!(after(json!([{ "op": "remove", "path": "emails[type eq \"other\"]" }]), "emails").as_array().unwrap().len(), 2);
}

#[test]
fn required_and_immutable_values_stay() {
    assert_eq!(refused(json!([{ "op": "remove", "path": "userName" }])), Some(ScimType::Mutability));
    assert_eq!(refused(json!([{ "op": "replace", "path": "userName", "value": "" }])), Some(ScimType::Mutability));
    let operations = json!([{ "op": "replace", "path": "members[value eq \"a\"].value", "value": "z" }]);
    let error = patched(Kind::Group, group(&["a"]), &operations).expect_err("an immutable sub-attribute");
    assert_eq!(error.scim_type, Some(ScimType::Mutability));
    let operations = json!([{ "op": "replace", "path": "members[value eq \"a\"].value", "value": "a" }]);
    assert_eq!(patched(Kind::Group, group(&["a"]), &operations).map(|(_, changed)| changed), Ok(false));
}

#[test]
fn members_are_added_in_every_form() {
    for operation in [
        json!({ "op": "add", "path": "members", "value": [{ "value": "d" }] }),
        json!({ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": "d" }] }),
        json!({ "op": "add", "path": "members", "value": { "value": "d" } }),
        json!({ "op": "add", "value": { "members": [{ "value": "d" }] } }),
        json!({ "op": "add", "path": "members", "value": [{ "value": "a" }, { "value": "d" }, { "value": "d" }] }),
    ] {
        assert_eq!(members(json!([operation])), ["a", "b", "c", "d"], "{operation}");
    }
    assert_eq!(members(json!([{ "op": "add", "path": "members", "value": [{ "value": "a" }] }])), ["a", "b", "c"]);
    assert_eq!(members(json!([{ "op": "add", "path": "members", "value": [] }])), ["a", "b", "c"]);
}

#[test]
fn members_are_removed_in_every_form_and_no_others() {
    for operation in [
        json!({ "op": "remove", "path": "members[value eq \"b\"]" }),
        json!({ "op": "Remove", "path": "members", "value": [{ "value": "b" }] }),
        json!({ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "b" }] }),
        json!({ "op": "remove", "path": "members", "value": { "value": "b" } }),
        json!({ "op": "remove", "path": "members", "value": "b" }),
        json!({ "op": "remove", "path": "members", "value": ["b", "nobody"] }),
        json!({ "op": "remove", "path": "members", "value": { "members": [{ "value": "b" }] } }),
    ] {
        assert_eq!(members(json!([operation])), ["a", "c"], "{operation}");
    }
    assert_eq!(members(json!([{ "op": "remove", "path": "members[value eq \"nobody\"]" }])), ["a", "b", "c"]);
    assert_eq!(members(json!([{ "op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]" }])), ["c"]);
}

#[test]
fn all_members_are_removed_without_a_value_and_none_by_an_empty_list() {
    for operation in [json!({ "op": "remove", "path": "members" }), json!({ "op": "remove", "path": "members", "value": null })] {
        assert!(members(json!([operation])).is_empty());
    }
    for value in [json!([]), json!({ "members": [] })] {
        let operations = json!([{ "op": "remove", "path": "members", "value": value }]);
        assert_eq!(members(operations.clone()), ["a", "b", "c"]);
        let error = read(Kind::Group, &operations, &mut strict()).expect_err("an empty list");
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    }
    for value in [json!([{}]), json!([null]), json!([{ "unknown": "a" }]), json!({ "members": null })] {
        let operations = json!([{ "op": "remove", "path": "members", "value": value }]);
        let error = patched(Kind::Group, group(&["a"]), &operations).expect_err("nothing is named");
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{operations}");
    }
}

#[test]
fn members_are_replaced_exactly() {
    assert_eq!(
        members(json!([{ "op": "replace", "path": "members", "value": [{ "value": "d" }, { "value": "a" }] }])),
        ["d", "a"]
    );
    assert_eq!(members(json!([{ "op": "replace", "value": { "members": [{ "value": "d" }] } }])), ["d"]);
    for operation in
        [json!({ "op": "replace", "path": "members", "value": [] }), json!({ "op": "Replace", "value": { "members": [] } })]
    {
        assert!(members(json!([operation])).is_empty(), "{operation}");
    }
}

#[test]
fn renames_leave_the_members() {
    for operation in [
        json!({ "op": "Replace", "path": "displayName", "value": "ops" }),
        json!({ "op": "replace", "value": { "displayName": "ops" } }),
        json!({ "op": "replace", "value": { "id": "g-1", "displayName": "ops" } }),
        json!({ "op": "replace", "value": { "schemas": ["x"], "externalId": "e", "displayName": "ops" } }),
    ] {
        let (after, changed) = patched(Kind::Group, group(&["a"]), &json!([operation])).expect("a rename");
        assert!(changed);
        assert_eq!(after.text("displayName"), Some("ops"));
        assert_eq!(after.map()["members"].as_array().unwrap().len(), 1);
    }
    let (_, changed) =
        patched(Kind::Group, group(&["a"]), &json!([{ "op": "replace", "value": { "displayName": "dev" } }])).unwrap();
    assert!(!changed);
}

#[test]
fn mixed_operations_take_effect_in_their_order() {
    assert_eq!(
        members(json!([
            { "op": "remove", "path": "members[value eq \"a\"]" },
            { "op": "remove", "path": "members", "value": [{ "value": "b" }] },
            { "op": "add", "path": "members", "value": [{ "value": "d" }] },
            { "op": "add", "path": "members", "value": [{ "value": "a" }] },
            { "op": "remove", "path": "members[value eq \"d\"]" },
        ])),
        ["c", "a"]
    );
    assert_eq!(
        members(json!([{ "op": "remove", "path": "members" }, { "op": "add", "path": "members", "value": [{ "value": "z" }] }])),
        ["z"]
    );
}

#[test]
fn many_thousand_members_are_added_and_removed_in_linear_time() {
    let many = |from: usize| -> Vec<Value> { (from..from + 20_000).map(|n| json!({ "value": format!("id-{n}") })).collect() };
    let one_by_one: Vec<Value> =
        (0..9_000).map(|n| json!({ "op": "remove", "path": format!("members[value eq \"id-{n}\"]") })).collect();
    let started = std::time::Instant::now();
    let (resource, _) = patched(
        Kind::Group,
        group(&[]),
        &json!([
            { "op": "add", "path": "members", "value": many(0) },
            { "op": "add", "path": "members", "value": many(10_000) },
        ]),
    )
    .expect("additions");
    assert_eq!(resource.map()["members"].as_array().unwrap().len(), 30_000);
    let (resource, _) = patched(Kind::Group, resource, &Value::Array(one_by_one)).expect("removals");
    assert_eq!(resource.map()["members"].as_array().unwrap().len(), 21_000);
    let (resource, _) =
        patched(Kind::Group, resource, &json!([{ "op": "remove", "path": "members", "value": many(10_000) }])).expect("removals");
    assert_eq!(resource.map()["members"].as_array().unwrap().len(), 1_000);
    // Quadratic, this would be 10^9 comparisons and take minutes in a debug build.
    assert!(started.elapsed().as_secs() < 30);
}
