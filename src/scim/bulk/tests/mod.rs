mod laws;
mod reading;
mod running;

use http::StatusCode;
use serde_json::{Value, json};

use crate::scim::{Budgets, Dialect, ScimError, urn};

use super::{Action, Applied, BulkPlan, BulkRequest, Ready};

const BASE: &str = "https://scim.example.com/scim/v2";

fn body(operations: &Value) -> Value {
    json!({ "schemas": [urn::BULK_REQUEST], "Operations": operations })
}

fn read(body: Value) -> Result<BulkRequest, ScimError> {
    BulkRequest::parse(body, &Budgets::default(), &mut Dialect::default())
}

fn plan(body: Value) -> BulkPlan {
    read(body).unwrap_or_else(|e| panic!("{e}")).plan(BASE)
}

fn applied(ready: &Ready) -> Applied {
    let (status, id) = match &ready.action {
        Action::Create(_) => (StatusCode::CREATED, format!("id-{}", ready.ticket.operation())),
        Action::Replace(id, _) | Action::Patch(id, _) => (StatusCode::OK, id.clone()),
        Action::Delete(id) => (StatusCode::NO_CONTENT, id.clone()),
    };
    let version = (status != StatusCode::NO_CONTENT).then(|| "W/\"1\"".to_owned());
    Applied { status, id, version }
}

/// Carries a plan out one operation after the other; returns what was done, and the entries of the response.
fn run(body: Value, fails: &[usize]) -> (Vec<Action>, Vec<Value>) {
    let mut plan = plan(body);
    let mut actions = Vec::new();
    while let Some(ready) = plan.ready() {
        let outcome =
            if fails.contains(&ready.ticket.operation()) { Err(ScimError::uniqueness("taken")) } else { Ok(applied(&ready)) };
        actions.push(ready.action);
        plan.done(ready.ticket, outcome);
    }
    (actions, entries(&plan.finish()))
}

fn entries(response: &Value) -> Vec<Value> {
    assert_eq!(response["schemas"], json!([urn::BULK_RESPONSE]));
    response["Operations"].as_array().cloned().unwrap_or_default()
}

fn statuses(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["status"].as_str().unwrap_or("-")).collect()
}

fn user(bulk_id: &str, name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": { "schemas": [urn::USER], "userName": name } })
}

fn group(bulk_id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": { "displayName": name, "members": members } })
}

fn patch(path: &str, operations: &Value) -> Value {
    json!({ "method": "PATCH", "path": path, "data": { "schemas": [urn::PATCH_OP], "Operations": operations } })
}

fn add_member(path: &str, id: &str) -> Value {
    patch(path, &json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]))
}
