//! What a request may look like.

use http::StatusCode;
use serde_json::{Value, json};

use crate::scim::{Budgets, Dialect, Kind, OpKind, PatchRequest, ScimError, ScimType, Tolerance, urn};

use super::{ENTERPRISE, read, strict, ty};

fn parse(body: Value, dialect: &mut Dialect) -> Result<PatchRequest, ScimError> {
    PatchRequest::parse(body, &ty(Kind::User), &Budgets::default(), dialect)
}

/// Kind, target and value of every operation, on a user.
#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn listed(operations: Value) -> Vec<(OpKind, String, Value)> {
    let request = read(Kind::User, &operations, &mut Dialect::default()).unwrap_or_else(|e| panic!("{operations}: {e}"));
    request.operations.into_iter().map(|o| (o.kind, o.target.to_string(), o.value.unwrap_or(Value::Null))).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn refused(operations: Value) -> (Option<ScimType>, String) {
    let error = read(Kind::User, &operations, &mut Dialect::default()).expect_err(&operations.to_string());
    assert_eq!(error.status, StatusCode::BAD_REQUEST);
    (error.scim_type, error.detail)
}

#[test]
fn a_request_by_the_rfc_needs_no_tolerance() {
    let operations = json!([
        { "op": "add", "path": "nickName", "value": "An" },
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "x@corp.example" },
        { "op": "remove", "path": "members" },
    ]);
    let user_operations = json!([operations[0], operations[1], { "op": "replace", "value": { "title": "T" } }]);
    let mut dialect = strict();
    assert_eq!(read(Kind::User, &user_operations, &mut dialect).map(|r| r.operations.len()), Ok(3));
    assert_eq!(read(Kind::Group, &json!([operations[2]]), &mut dialect).map(|r| r.operations.len()), Ok(1));
}

#[test]
fn odd_envelopes_are_read_when_tolerated() {
    let operation = json!({ "op": "Replace", "path": "active", "value": false });
    for (body, tolerance) in [
        (json!({ "Operations": [operation] }), Tolerance::PatchMissingSchema),
        (json!({ "schemas": [], "Operations": [operation] }), Tolerance::PatchMissingSchema),
        (json!({ "schemas": [urn::PATCH_OP], "operations": [operation] }), Tolerance::PatchOperationsKeyCase),
        (json!({ "schemas": [urn::PATCH_OP], "Operations": operation }), Tolerance::PatchSingleOperation),
    ] {
        let mut dialect = Dialect::default();
        assert_eq!(parse(body.clone(), &mut dialect).map(|r| r.operations.len()), Ok(1), "{body}");
        assert!(dialect.used.contains(tolerance));
        assert_eq!(parse(body, &mut strict()).map_err(|e| e.scim_type), Err(Some(ScimType::InvalidSyntax)));
    }
}

#[test]
fn bodies_of_another_structure_are_invalid_syntax() {
    for body in [
        json!([]),
        json!({ "schemas": [urn::USER], "Operations": [{ "op": "remove", "path": "title" }] }),
        json!({ "schemas": [urn::PATCH_OP] }),
        json!({ "schemas": [urn::PATCH_OP], "Operations": [] }),
        json!({ "schemas": [urn::PATCH_OP], "Operations": "x" }),
        json!({ "schemas": [urn::PATCH_OP], "Operations": ["x"] }),
        json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "path": "title" }] }),
        json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "move", "path": "title" }] }),
    ] {
        assert_eq!(
            parse(body.clone(), &mut Dialect::default()).map_err(|e| e.scim_type),
            Err(Some(ScimType::InvalidSyntax)),
            "{body}"
        );
    }
}

#[test]
fn too_many_operations_are_refused_with_the_limit() {
    let budgets = Budgets { patch_operations: 2, ..Budgets::default() };
    let operation = json!({ "op": "remove", "path": "title" });
    let request = |n: usize| {
        PatchRequest::parse(super::body(&json!(vec![&operation; n])), &ty(Kind::User), &budgets, &mut Dialect::default())
    };
    assert!(request(2).is_ok());
    let error = request(3).expect_err("one too many");
    assert_eq!(error.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(error.detail.contains("at most 2 are allowed"));
}

#[test]
fn op_names_are_read_in_any_case() {
    for (word, kind) in [("Add", OpKind::Add), ("ADD", OpKind::Add), ("Replace", OpKind::Replace)] {
        assert_eq!(listed(json!([{ "op": word, "path": "title", "value": "T" }])), [(kind, "title".into(), json!("T"))]);
    }
    assert_eq!(listed(json!([{ "op": "Remove", "path": "title" }])), [(OpKind::Remove, "title".into(), Value::Null)]);
}

#[test]
fn every_path_form_finds_its_target_in_any_case() {
    for (path, target, value) in [
        ("NICKNAME", "nickName", json!("x")),
        ("name.givenname", "name.givenName", json!("x")),
        ("urn:ietf:params:scim:schemas:core:2.0:User:title", "title", json!("x")),
        ("urn:ietf:params:scim:schemas:core:2.0:user:name.GivenName", "name.givenName", json!("x")),
        ("emails[type eq \"work\"].value", "emails[type eq \"work\"].value", json!("x")),
        ("emails[type eq \"other\"].Value", "emails[type eq \"other\"].value", json!("x")),
        ("addresses[type eq \"work\"].streetAddress", "addresses[type eq \"work\"].streetAddress", json!("x")),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\"].value",
            "emails[type eq \"work\"].value",
            json!("x"),
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            json!("x"),
        ),
        (
            "URN:ietf:params:scim:schemas:extension:enterprise:2.0:User:Manager.Value",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            json!("x"),
        ),
    ] {
        let found = listed(json!([{ "op": "add", "path": path, "value": value }]));
        assert_eq!(found, [(OpKind::Add, target.to_owned(), value)]);
    }
}

#[test]
fn a_whole_extension_as_path_or_key_is_taken_apart() {
    let value = json!({ "department": "D", "costCenter": "C", "unknown": 1 });
    for operation in [
        json!({ "op": "replace", "path": ENTERPRISE, "value": value }),
        json!({ "op": "replace", "path": ENTERPRISE.to_uppercase().replace("URN", "urn"), "value": value }),
        json!({ "op": "replace", "value": { ENTERPRISE: value } }),
    ] {
        let mut found = listed(json!([operation]));
        found.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(
            found,
            [
                (OpKind::Replace, format!("{ENTERPRISE}:costCenter"), json!("C")),
                (OpKind::Replace, format!("{ENTERPRISE}:department"), json!("D")),
            ]
        );
    }
    let removed = listed(json!([{ "op": "remove", "path": ENTERPRISE }]));
    assert!(removed.contains(&(OpKind::Remove, format!("{ENTERPRISE}:department"), Value::Null)));
}

#[test]
fn path_less_keys_become_paths_in_a_settled_order() {
    let found = listed(json!([{ "op": "Replace", "value": {
        "emails[type eq \"work\"].value": "x@corp.example",
        "name.givenName": "A",
        "active": "False",
        format!("{ENTERPRISE}:department"): "D",
        "urn:ietf:params:scim:schemas:core:2.0:User:title": "T",
        "name": { "familyName": "R" },
    }}]));
    let names: Vec<&str> = found.iter().map(|(_, target, _)| &**target).collect();
    let last = names.iter().position(|n| *n == "emails[type eq \"work\"].value");
    assert_eq!(last, Some(5));
    assert_eq!(names.iter().position(|n| *n == "name.givenName"), Some(4));
    assert!(found.contains(&(OpKind::Replace, "active".into(), json!(false))));
    assert!(found.contains(&(OpKind::Replace, "title".into(), json!("T"))));
    assert!(found.contains(&(OpKind::Replace, format!("{ENTERPRISE}:department"), json!("D"))));
}

#[test]
fn path_like_keys_need_their_tolerance() {
    for (key, tolerance) in [
        ("name.givenName", Tolerance::PatchPathlessDottedKey),
        ("urn:ietf:params:scim:schemas:core:2.0:User:title", Tolerance::PatchPathlessUrnKey),
        ("emails[type eq \"work\"].value", Tolerance::PatchPathlessValuePathKey),
    ] {
        let operations = json!([{ "op": "add", "value": { key: "x@corp.example" } }]);
        let mut dialect = Dialect::default();
        assert!(read(Kind::User, &operations, &mut dialect).is_ok());
        assert!(dialect.used.contains(tolerance), "{key}");
        let error = read(Kind::User, &operations, &mut strict()).expect_err(key);
        assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
    }
}

#[test]
fn read_only_and_unknown_keys_of_a_path_less_value_are_left_out() {
    let found = listed(json!([{ "op": "replace", "value": {
        "id": "1", "schemas": [urn::USER], "meta": { "resourceType": "User" }, "groups": [{ "value": "g" }],
        "shoeSize": 43, "urn:example:2.0:User": { "x": 1 }, "displayName": "Ana",
    }}]));
    assert_eq!(found, [(OpKind::Replace, "displayName".into(), json!("Ana"))]);
    assert_eq!(listed(json!([{ "op": "replace", "value": { "id": "1" } }])), []);
}

#[test]
fn booleans_as_strings_and_the_manager_as_a_string_are_canonical_afterwards() {
    let manager = format!("{ENTERPRISE}:manager");
    let found = listed(json!([
        { "op": "Replace", "path": "active", "value": "False" },
        { "op": "Add", "path": manager, "value": "m-2" },
        { "op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True" },
    ]));
    assert_eq!(
        found,
        [
            (OpKind::Replace, "active".into(), json!(false)),
            (OpKind::Add, manager, json!({ "value": "m-2" })),
            (OpKind::Add, "emails[type eq \"work\"].primary".into(), json!(true)),
        ]
    );
}

#[test]
fn empty_strings_and_nulls_clear() {
    let manager = format!("{ENTERPRISE}:manager");
    for value in [json!(""), json!(null)] {
        for path in ["title", "name.givenName", "emails", "emails[type eq \"work\"].value", &manager] {
            let operations = json!([{ "op": "Replace", "path": path, "value": value }]);
            assert_eq!(listed(operations.clone()), [(OpKind::Remove, path.to_owned(), Value::Null)]);
            let error = read(Kind::User, &operations, &mut strict()).expect_err(path);
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        }
        assert_eq!(
            listed(json!([{ "op": "replace", "value": { "title": value } }])),
            [(OpKind::Remove, "title".into(), Value::Null)]
        );
        let found = listed(json!([{ "op": "replace", "path": "name", "value": { "givenName": value, "familyName": "R" } }]));
        assert_eq!(
            found,
            [
                (OpKind::Replace, "name".into(), json!({ "familyName": "R" })),
                (OpKind::Remove, "name.givenName".into(), Value::Null),
            ]
        );
    }
}

#[test]
fn refusals_name_the_operation_and_the_attribute() {
    for (operation, scim_type, part) in [
        (json!({ "op": "remove" }), ScimType::NoTarget, "name the attribute"),
        (json!({ "op": "remove", "value": { "title": "x" } }), ScimType::NoTarget, "name the attribute"),
        (json!({ "op": "add", "path": "title" }), ScimType::InvalidValue, "`title`"),
        (json!({ "op": "replace" }), ScimType::InvalidValue, "object"),
        (json!({ "op": "replace", "value": "x" }), ScimType::InvalidValue, "object"),
        (
            json!({ "op": "add", "path": "titel", "value": "x" }),
            ScimType::InvalidPath,
            "`titel` names no attribute of User, did you mean `title`?",
        ),
        (json!({ "op": "add", "path": "name.shoe", "value": "x" }), ScimType::InvalidPath, "`name.shoe`"),
        (json!({ "op": "add", "path": "emails[type eq \"work\"].shoe", "value": "x" }), ScimType::InvalidPath, "shoe"),
        (json!({ "op": "add", "path": "title[value eq \"x\"]", "value": "x" }), ScimType::InvalidPath, "`title`"),
        (json!({ "op": "add", "path": "", "value": "x" }), ScimType::InvalidPath, "at byte 0"),
        (json!({ "op": "add", "path": 1, "value": "x" }), ScimType::InvalidPath, "string"),
        (json!({ "op": "remove", "path": "emails[type]" }), ScimType::InvalidFilter, "at byte 11"),
        (json!({ "op": "remove", "path": "emails[shoe eq \"x\"]" }), ScimType::InvalidFilter, "`shoe`"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), ScimType::Mutability, "`id`"),
        (json!({ "op": "replace", "path": "meta.created", "value": "x" }), ScimType::Mutability, "`meta.created`"),
        (json!({ "op": "replace", "path": "schemas", "value": ["x"] }), ScimType::Mutability, "`schemas`"),
        (json!({ "op": "remove", "path": "groups" }), ScimType::Mutability, "`groups`"),
        (json!({ "op": "add", "path": "active", "value": "perhaps" }), ScimType::InvalidValue, "active"),
        (json!({ "op": "replace", "path": "emails", "value": [{}] }), ScimType::InvalidValue, "`emails`"),
    ] {
        let text = operation.to_string();
        let (found, detail) = refused(json!([{ "op": "remove", "path": "title" }, operation]));
        assert_eq!(found, Some(scim_type), "{text}: {detail}");
        assert!(detail.starts_with("Operations[1]: ") && detail.contains(part), "{text}: {detail}");
    }
}
