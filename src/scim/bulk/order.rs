//! The order of a request's operations: which of them form a circle, and which wait for which.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::scim::Kind;
use crate::scim::text::prepare;

use super::graph::{Graph, components};
use super::reference::{bulk_id, patch_operations, strings};
use super::request::{Call, Change, Method, Operation, Target, invalid};

/// Operations in the order they take effect, as if one ran after the other.
#[derive(Debug)]
pub(super) struct Order {
    /// One operation each, or the creations of a circle. What one refers to is created by one before it.
    pub(super) units: Vec<Vec<usize>>,
    /// What each operation refers to: the creations of that.
    pub(super) needs: Vec<Vec<usize>>,
    /// Which units wait for which. Nodes beyond the units are gates.
    pub(super) graph: Graph,
}

/// What two operations may both touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key<'a> {
    /// The resource with this id.
    Id(&'a str),
    /// The resource that this operation creates.
    Created(usize),
    /// The names of one kind of resource.
    Names(Kind),
    /// One of them.
    Name(Kind, String),
}

/// How an operation touches it. Those that share it may do so at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Alone,
    Shared(Share),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// Refers to a resource.
    Mention,
    /// Takes a name.
    Take,
    /// May free a name.
    Free,
}

impl Order {
    /// Puts operations in order. An operation that refers to a bulkId no operation has becomes one that cannot be done.
    pub(super) fn new(operations: &mut [Operation], creators: &HashMap<String, usize>) -> Self {
        let needs: Vec<Vec<usize>> = operations.iter_mut().map(|operation| needs(operation, creators)).collect();
        let units = components(&needs);
        let graph = graph(operations, &needs, &units, creators);
        Self { units, needs, graph }
    }
}

/// The creations of what an operation refers to, each once.
fn needs(operation: &mut Operation, creators: &HashMap<String, usize>) -> Vec<usize> {
    let Ok(call) = &operation.call else { return Vec::new() };
    let in_data = data_strings(call);
    let references = in_data.iter().filter_map(|text| bulk_id(text));
    let target = match &operation.target {
        Some((_, Target::Created(id))) => Some(id.as_str()),
        Some((_, Target::Id(_))) | None => None,
    };
    let found: Result<HashSet<usize>, &str> = references.chain(target).map(|id| creators.get(id).copied().ok_or(id)).collect();
    match found {
        Ok(found) => {
            let mut found: Vec<usize> = found.into_iter().collect();
            found.sort_unstable();
            found
        }
        Err(unknown) => {
            let shown = crate::scim::filter::shown(unknown);
            let detail = format!("it refers to the bulkId {shown}, which no \"POST\" of this request has");
            operation.call = Err(invalid(detail));
            Vec::new()
        }
    }
}

fn data_strings(call: &Call) -> Vec<Cow<'_, str>> {
    match &call.change {
        Change::Create(data) | Change::Replace(data) => strings(data, false),
        Change::Patch(data) => strings(data, true),
        Change::Delete => Vec::new(),
    }
}

/// Units that touch the same thing as one at a time wait for each other, in their order.
fn graph(operations: &[Operation], needs: &[Vec<usize>], units: &[Vec<usize>], creators: &HashMap<String, usize>) -> Graph {
    /// The latest to touch something, all in the same mode.
    struct Run {
        mode: Mode,
        units: Vec<usize>,
        /// Reached when those before the run are done.
        gate: Option<usize>,
    }
    let ids = operations.iter().filter_map(|operation| match &operation.target {
        Some((_, Target::Id(id))) => Some(id.as_str()),
        Some((_, Target::Created(_))) | None => None,
    });
    let ids: HashSet<&str> = ids.collect();
    let mut graph = Graph::new(units.len());
    let mut runs: HashMap<Key<'_>, Run> = HashMap::new();
    for (unit, members) in units.iter().enumerate() {
        // A circle touches what any of its members does, as one.
        let mut touched: HashMap<Key<'_>, Mode> = HashMap::new();
        for (index, operation) in members.iter().filter_map(|index| Some((*index, operations.get(*index)?))) {
            let needs = needs.get(index).map(Vec::as_slice).unwrap_or_default();
            for (key, mode) in touches(index, operation, needs, &ids, creators) {
                touched.entry(key).and_modify(|known| *known = if *known == mode { mode } else { Mode::Alone }).or_insert(mode);
            }
        }
        for (key, mode) in touched {
            let run = runs.entry(key).or_insert_with(|| Run { mode, units: Vec::new(), gate: None });
            if run.mode != mode || mode == Mode::Alone {
                if !run.units.is_empty() {
                    run.gate = Some(graph.gate(&std::mem::take(&mut run.units)));
                }
                run.mode = mode;
            }
            run.units.push(unit);
            if let Some(gate) = run.gate {
                graph.edge(gate, unit);
            }
        }
    }
    graph
}

/// What an operation touches, and how. One that cannot be done touches the resource it would have created: that it is not there
/// must be known before those that refer to it.
fn touches<'a>(
    index: usize,
    operation: &'a Operation,
    needs: &[usize],
    ids: &HashSet<&'a str>,
    creators: &HashMap<String, usize>,
) -> Vec<(Key<'a>, Mode)> {
    let mut touched: Vec<(Key<'a>, Mode)> = Vec::new();
    if operation.method == Some(Method::Post) {
        touched.push((Key::Created(index), Mode::Alone));
    }
    let Ok(call) = &operation.call else { return touched };
    match &operation.target {
        Some((_, Target::Id(id))) => touched.push((Key::Id(id), Mode::Alone)),
        Some((_, Target::Created(id))) => touched.extend(creators.get(id).map(|creator| (Key::Created(*creator), Mode::Alone))),
        None => {}
    }
    touched.extend(needs.iter().map(|creator| (Key::Created(*creator), Mode::Shared(Share::Mention))));
    if !ids.is_empty() {
        let mentioned = data_strings(call).into_iter().filter_map(|text| ids.get(&*text).copied());
        touched.extend(mentioned.map(|id| (Key::Id(id), Mode::Shared(Share::Mention))));
    }
    let names = Key::Names(call.kind);
    match &call.change {
        Change::Create(data) => {
            touched.push((names, Mode::Shared(Share::Take)));
            touched.extend(name(call.kind, data).map(|name| (Key::Name(call.kind, name), Mode::Alone)));
        }
        Change::Patch(data) if keeps_names(data) => {}
        Change::Replace(_) | Change::Patch(_) => touched.push((names, Mode::Alone)),
        Change::Delete => touched.push((names, Mode::Shared(Share::Free))),
    }
    touched
}

/// The name a new resource is to have.
fn name(kind: Kind, data: &Value) -> Option<String> {
    let attribute = match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    };
    let (_, value) = data.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(attribute))?;
    value.as_str().map(|text| prepare(text, false))
}

/// Whether a PATCH leaves alone whatever may have to be unique: it is about members and the status only, as most are.
fn keeps_names(data: &Value) -> bool {
    let harmless = |attribute: &str| ["members", "active"].iter().any(|name| attribute.eq_ignore_ascii_case(name));
    patch_operations(data).all(|operation| {
        let find = |name: &str| operation.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match (find("path"), find("value")) {
            (Some(Value::String(path)), _) => harmless(path.split(['.', '[']).next().unwrap_or_default().trim()),
            (None | Some(Value::Null), Some(Value::Object(value))) => value.keys().all(|key| harmless(key)),
            (_, _) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn most_patches_leave_names_alone() {
        let keeps = |operations: Value| keeps_names(&json!({ "Operations": operations }));
        assert!(keeps(
            json!([{ "op": "add", "path": "members", "value": [] }, { "op": "remove", "path": "Members[value eq \"x\"]" }])
        ));
        assert!(keeps(json!({ "op": "replace", "value": { "active": false } })));
        for operation in [
            json!({ "op": "replace", "path": "userName", "value": "x" }),
            json!({ "op": "replace", "path": "urn:x:active", "value": "x" }),
            json!({ "op": "replace", "value": { "active": false, "userName": "x" } }),
            json!({ "op": "remove" }),
            json!({ "op": "remove", "path": 1 }),
        ] {
            assert!(!keeps(json!([{ "op": "add", "path": "active", "value": true }, operation])), "{operation}");
        }
    }
}
