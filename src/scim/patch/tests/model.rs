//! PATCH against a plain model: attributes of one value as a map, members as a set.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scim::{Kind, Resource};

use super::{ENTERPRISE, patched};

/// Paths of attributes that have one value and are not required.
const PATHS: [&str; 5] = [
    "title",
    "nickName",
    "name.givenName",
    "name.familyName",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
];

/// What an operation does, as anyone would say it.
#[derive(Debug, Clone)]
enum Step {
    Set(&'static str, String),
    Clear(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let path = || prop::sample::select(PATHS.to_vec());
    let step = prop_oneof![(path(), "[a-c]{1,2}").prop_map(|(path, value)| Step::Set(path, value)), path().prop_map(Step::Clear)];
    prop::collection::vec((step, any::<bool>()), 1..12)
}

/// Where a path's value is in a resource.
fn read(resource: &Resource, path: &str) -> Option<String> {
    let map = Value::Object(resource.map().clone());
    let pointer = match path.strip_prefix(ENTERPRISE) {
        Some(rest) => format!("/{ENTERPRISE}/{}", rest.trim_start_matches(':')),
        None => format!("/{}", path.replace('.', "/")),
    };
    map.pointer(&pointer).and_then(Value::as_str).map(str::to_owned)
}

proptest! {
    #[test]
    fn single_values_are_a_map(steps in steps()) {
        let before: Resource = serde_json::from_value::<serde_json::Map<_, _>>(json!({ "userName": "ana" })).map(|map| {
            let mut resource = Resource::new();
            *resource.map_mut() = map;
            resource
        }).unwrap();
        let mut model = BTreeMap::new();
        let mut operations = Vec::new();
        for (step, by_add) in &steps {
            match step {
                Step::Set(path, value) => {
                    model.insert(*path, value.clone());
                    operations.push(json!({ "op": if *by_add { "add" } else { "replace" }, "path": path, "value": value }));
                }
                Step::Clear(path) => {
                    model.remove(path);
                    operations.push(json!({ "op": "remove", "path": path }));
                }
            }
        }
        let (after, changed) = patched(Kind::User, before.clone(), &operations.into()).unwrap();
        for path in PATHS {
            prop_assert_eq!(read(&after, path), model.get(path).cloned(), "{}", path);
        }
        prop_assert!(changed || after == before);
    }

    #[test]
    fn members_are_a_set(steps in prop::collection::vec((0..4u8, prop::collection::btree_set("[a-e]", 0..4)), 1..10)) {
        let mut model: BTreeSet<String> = BTreeSet::new();
        let mut operations = Vec::new();
        for (kind, ids) in &steps {
            let items: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
            match kind {
                0 => {
                    model.extend(ids.iter().cloned());
                    operations.push(json!({ "op": "add", "path": "members", "value": items }));
                }
                1 => {
                    model.retain(|id| !ids.contains(id));
                    operations.push(json!({ "op": "remove", "path": "members", "value": items }));
                }
                2 => {
                    model.clone_from(ids);
                    operations.push(json!({ "op": "replace", "path": "members", "value": items }));
                }
                _ => {
                    for id in ids {
                        model.remove(id);
                        operations.push(json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }));
                    }
                }
            }
        }
        prop_assume!(!operations.is_empty());
        let (after, _) = patched(Kind::Group, super::group(&[]), &operations.into()).unwrap();
        let members = after.map().get("members").and_then(Value::as_array).cloned().unwrap_or_default();
        let found: Vec<String> = members.iter().filter_map(|member| Some(member["value"].as_str()?.to_owned())).collect();
        prop_assert_eq!(found.len(), model.len(), "a member is there twice: {:?}", found);
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), model);
    }
}
