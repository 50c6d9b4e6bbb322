//! What the schemas know and the directory has no place for.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ENTERPRISE, body, strict};
use crate::scim::{Budgets, Dialect, Keep, Kind, PatchRequest, Resource, ResourceType, SchemaRegistry, ScimType, Tolerance};

/// Users of whom little is kept, and of their emails only those for work.
fn little() -> Arc<ResourceType> {
    let narrowed = SchemaRegistry::builtin().narrowed(|_, path| match path.to_string().as_str() {
        "userName" | "title" | "emails.value" | "addresses.locality" => Keep::Yes,
        "emails.type" | "addresses.type" => Keep::Suggesting(vec!["work".to_owned()]),
        _ => Keep::No,
    });
    Arc::clone(narrowed.get(Kind::User))
}

/// The resource after the operation and one that sets the title.
fn patched(operation: &Value, dialect: &mut Dialect) -> Result<Resource, (Option<ScimType>, String)> {
    let ty = little();
    let operations = json!([operation, { "op": "replace", "path": "title", "value": "T" }]);
    let told = |error: crate::scim::ScimError| (error.scim_type, error.detail);
    let request = PatchRequest::parse(body(&operations), &ty, &Budgets::default(), dialect).map_err(told)?;
    let user = json!({ "userName": "ana" });
    let mut user = Resource::accept(user, &ty, &mut Dialect::default()).expect("a user");
    request.apply(&mut user, &ty, dialect).map_err(told)?;
    Ok(user)
}

#[test]
fn an_operation_on_what_is_not_kept_holds_nothing_else_back() {
    for path in [
        "nickName".to_owned(),
        "PHOTOS".to_owned(),
        "name".to_owned(),
        "name.givenName".to_owned(),
        "emails.display".to_owned(),
        "ims[type eq \"aim\"].value".to_owned(),
        "photos[type eq \"photo\"]".to_owned(),
        "addresses[type eq \"work\"].formatted".to_owned(),
        ENTERPRISE.to_owned(),
        format!("{ENTERPRISE}:department"),
        format!("{ENTERPRISE}:manager.value"),
    ] {
        for operation in [json!({ "op": "Add", "path": path, "value": "x" }), json!({ "op": "remove", "path": path })] {
            let mut dialect = Dialect::default();
            let user = patched(&operation, &mut dialect).unwrap_or_else(|error| panic!("{operation}: {error:?}"));
            assert_eq!(user.map(), json!({ "userName": "ana", "title": "T" }).as_object().unwrap(), "{operation}");
            assert!(dialect.used.contains(Tolerance::PatchTargetNotKept), "{operation}");

            let (scim_type, detail) = patched(&operation, &mut strict()).expect_err(&operation.to_string());
            assert_eq!(scim_type, Some(ScimType::InvalidPath), "{operation}: {detail}");
        }
    }
}

#[test]
fn an_item_of_a_type_that_is_not_kept_holds_nothing_else_back() {
    for (path, items) in [
        ("emails[type eq \"Home\"].value", json!([{ "type": "home", "value": "x" }])),
        ("emails[type eq \"work\"].value", json!([{ "type": "work", "value": "x" }])),
    ] {
        let user = patched(&json!({ "op": "replace", "path": path, "value": "x" }), &mut Dialect::default());
        assert_eq!(user.expect(path).map().get("emails"), Some(&items), "{path}");
    }
}

#[test]
fn what_no_schema_knows_is_refused() {
    for (path, scim_type) in [
        ("shoeSize", ScimType::InvalidPath),
        ("name.shoe", ScimType::InvalidPath),
        ("ims[type eq \"aim\"].shoe", ScimType::InvalidPath),
        ("nickName[type eq \"x\"].value", ScimType::InvalidPath),
        ("urn:example:acme:2.0:User:shoe", ScimType::InvalidPath),
        ("emails[type eq \"castle\"].value", ScimType::NoTarget),
    ] {
        let operation = json!({ "op": "add", "path": path, "value": "x" });
        let (found, detail) = patched(&operation, &mut Dialect::default()).expect_err(path);
        assert_eq!(found, Some(scim_type), "{path}: {detail}");
    }
}
