mod effects;
mod forms;
mod kept;
mod laws;
mod model;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::scim::{Budgets, Dialect, Kind, PatchRequest, Resource, ResourceType, SchemaRegistry, ScimError, ToleranceSet, urn};

const ENTERPRISE: &str = urn::ENTERPRISE_USER;

fn strict() -> Dialect {
    Dialect { allowed: ToleranceSet::none(), ..Dialect::default() }
}

fn ty(kind: Kind) -> Arc<ResourceType> {
    Arc::clone(SchemaRegistry::builtin().get(kind))
}

fn body(operations: &Value) -> Value {
    json!({ "schemas": [urn::PATCH_OP], "Operations": operations })
}

fn read(kind: Kind, operations: &Value, dialect: &mut Dialect) -> Result<PatchRequest, ScimError> {
    PatchRequest::parse(body(operations), &ty(kind), &Budgets::default(), dialect)
}

fn user() -> Resource {
    let body = json!({
        "schemas": [urn::USER, ENTERPRISE],
        "userName": "ana@corp.example",
        "name": { "givenName": "Ana", "familyName": "Ruiz" },
        "active": true,
        "emails": [
            { "value": "ana@corp.example", "type": "work", "primary": true },
            { "value": "ana@home.example", "type": "home" }
        ],
        ENTERPRISE: { "department": "R&D", "manager": { "value": "m-1" } }
    });
    Resource::accept(body, &ty(Kind::User), &mut Dialect::default()).expect("a user")
}

fn group(ids: &[&str]) -> Resource {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id, "type": "User" })).collect();
    let body = json!({ "schemas": [urn::GROUP], "displayName": "dev", "members": members });
    Resource::accept(body, &ty(Kind::Group), &mut Dialect::default()).expect("a group")
}

/// The resource after the operations, and whether they changed it.
fn patched(kind: Kind, mut resource: Resource, operations: &Value) -> Result<(Resource, bool), ScimError> {
    let mut dialect = Dialect::default();
    let request = read(kind, operations, &mut dialect)?;
    let changed = request.apply(&mut resource, &ty(kind), &mut dialect)?;
    Ok((resource, changed))
}

/// The attribute `name` of the user after the operations; it must differ from before exactly if `changed` says so.
#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn after(operations: Value, name: &str) -> Value {
    let before = user();
    let (after, changed) = patched(Kind::User, before.clone(), &operations).unwrap_or_else(|e| panic!("{operations}: {e}"));
    assert_eq!(before != after, changed, "{operations}");
    after.map().get(name).cloned().unwrap_or(Value::Null)
}

/// The ids of a group of `a`, `b` and `c` after the operations.
#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn members(operations: Value) -> Vec<String> {
    let before = group(&["a", "b", "c"]);
    let (after, changed) = patched(Kind::Group, before.clone(), &operations).unwrap_or_else(|e| panic!("{operations}: {e}"));
    assert_eq!(before != after, changed, "{operations}");
    let members = after.map().get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    members.iter().filter_map(|member| Some(member.get("value")?.as_str()?.to_owned())).collect()
}
