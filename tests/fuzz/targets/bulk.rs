//! Bulk requests, carried out in any order the plan allows: every operation once, after what it refers to, to the end.

#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use scimgate::scim::bulk::{Action, Applied, BulkRequest};
use scimgate::scim::{Budgets, Dialect, ScimError, urn};
use serde_json::{Value, json};

#[derive(Debug, Arbitrary)]
struct Request<'a> {
    fail_on_errors: u8,
    operations: Vec<Operation<'a>>,
    /// How many may be under way, which of them is done next, and whether it fails.
    width: u8,
    picks: Vec<(u8, bool)>,
}

#[derive(Debug, Arbitrary)]
struct Operation<'a> {
    method: Method,
    group: bool,
    bulk_id: u8,
    target: Id<'a>,
    references: Vec<Id<'a>>,
    name: u8,
    version: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Method {
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

#[derive(Debug, Arbitrary)]
enum Id<'a> {
    Known(u8),
    New(u8),
    Any(&'a str),
}

impl Id<'_> {
    fn text(&self) -> String {
        match self {
            Self::Known(n) => format!("known-{}", n % 8),
            Self::New(n) => format!("bulkId:{}", n % 16),
            // The ids that creations get below are not for others to guess.
            Self::Any(text) => text.replace("new-", "old-"),
        }
    }
}

impl Operation<'_> {
    fn to_json(&self) -> Value {
        let endpoint = if self.group { "/Groups" } else { "/Users" };
        let references: Vec<Value> = self.references.iter().map(|id| json!({ "value": id.text() })).collect();
        let target = self.target.text();
        let (path, data) = match self.method {
            Method::Post => (endpoint.to_owned(), json!({ "userName": format!("n{}", self.name % 4), "members": references })),
            Method::Put => (format!("{endpoint}/{target}"), json!({ "manager": references.first() })),
            Method::Patch => {
                let remove = format!("members[value eq {}]", Value::from(target.as_str()));
                let operations =
                    json!([{ "op": "add", "path": "members", "value": references }, { "op": "remove", "path": remove }]);
                (format!("{endpoint}/{target}"), json!({ "Operations": operations }))
            }
            Method::Delete | Method::Other => (format!("{endpoint}/{target}"), Value::Null),
        };
        let method = format!("{:?}", self.method).to_uppercase();
        json!({ "method": method, "path": path, "bulkId": (self.bulk_id % 16).to_string(), "version": self.version, "data": data })
    }
}

fuzz_target!(|request: Request<'_>| {
    let operations: Vec<Value> = request.operations.iter().map(Operation::to_json).collect();
    let count = operations.len();
    let body = json!({ "schemas": [urn::BULK_REQUEST], "failOnErrors": request.fail_on_errors, "Operations": operations });
    let Ok(parsed) = BulkRequest::parse(body, &Budgets::default(), &mut Dialect::default()) else { return };
    let mut plan = parsed.plan("https://scim.example.com/scim/v2");
    let (mut under_way, mut created, mut begun) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut picks = request.picks.iter().copied();
    loop {
        while under_way.len() <= usize::from(request.width)
            && let Some(ready) = plan.ready()
        {
            let creates = matches!(ready.action, Action::Create(_));
            assert!(begun.insert((ready.ticket.operation(), creates)), "handed out twice: {ready:?}");
            under_way.push(ready);
        }
        if under_way.is_empty() {
            break;
        }
        let (pick, fails) = picks.next().unwrap_or_default();
        let ready = under_way.swap_remove(usize::from(pick) % under_way.len());
        let id = match &ready.action {
            Action::Create(_) => format!("new-{}", ready.ticket.operation()),
            Action::Replace(id, _) | Action::Patch(id, _) | Action::Delete(id) => id.clone(),
        };
        if let Action::Create(data) | Action::Replace(_, data) = &ready.action {
            let lists = [data.get("members"), data.get("manager")];
            let values =
                lists.into_iter().flatten().flat_map(|list| list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice));
            for value in values.filter_map(|item| item.get("value")?.as_str()) {
                assert!(!value.starts_with("bulkId:"), "a reference was left: {value}");
                assert!(!value.starts_with("new-") || created.contains(value), "a reference before its creation: {value}");
            }
        }
        let outcome = if fails {
            Err(ScimError::uniqueness("taken"))
        } else {
            created.insert(id.clone());
            Ok(Applied { status: StatusCode::OK, id, version: None })
        };
        plan.done(ready.ticket, outcome);
    }
    let response = plan.finish();
    let results = response["Operations"].as_array().map_or(0, Vec::len);
    assert!(results <= count && results > 0);
    if request.fail_on_errors == 0 {
        assert_eq!(results, count, "an operation has no result: {response}");
    }
});
