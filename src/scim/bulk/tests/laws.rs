//! What holds of every request, in whatever order its operations are carried out.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scim::bulk::{Action, Applied, Ready};
use crate::scim::{Kind, ScimError, urn};

use super::{add_member, applied, entries, plan};

/// One operation of a random request, over few ids and names so that they meet.
#[derive(Debug, Clone)]
enum Random {
    User { name: u8, manager: Option<u8> },
    Group { name: u8, members: Vec<Id> },
    Rename { id: Id, name: u8 },
    Join { group: Id, member: Id },
    Leave { group: Id, member: Id },
    Status { user: Id },
    Delete { kind: Kind, id: Id },
    Nonsense,
}

/// An existing resource, or one that an operation of the request creates (or not, if that operation is of another sort).
#[derive(Debug, Clone, Copy)]
enum Id {
    Old(u8),
    New(u8),
}

impl Id {
    fn text(self) -> String {
        match self {
            Self::Old(n) => format!("old-{n}"),
            Self::New(n) => format!("bulkId:b{n}"),
        }
    }
}

impl Random {
    fn to_json(&self, place: usize) -> Value {
        let bulk_id = format!("b{place}");
        match self {
            Self::User { name, manager } => {
                let manager = manager.map(|n| json!({ "value": Id::New(n).text() }));
                let data = json!({ "userName": format!("n{name}"), "manager": manager });
                json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data })
            }
            Self::Group { name, members } => {
                let members: Vec<Value> = members.iter().map(|id| json!({ "value": id.text() })).collect();
                let data = json!({ "displayName": format!("n{name}"), "members": members });
                json!({ "method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data })
            }
            Self::Rename { id, name } => {
                json!({ "method": "PUT", "path": format!("/Users/{}", id.text()), "data": { "userName": format!("n{name}") } })
            }
            Self::Join { group, member } => add_member(&format!("/Groups/{}", group.text()), &member.text()),
            Self::Leave { group, member } => {
                let path = format!("members[value eq \"{}\"]", member.text());
                super::patch(&format!("/Groups/{}", group.text()), &json!([{ "op": "remove", "path": path }]))
            }
            Self::Status { user } => {
                super::patch(&format!("/Users/{}", user.text()), &json!([{ "op": "replace", "value": { "active": false } }]))
            }
            Self::Delete { kind, id } => json!({ "method": "DELETE", "path": format!("{}/{}", kind.endpoint(), id.text()) }),
            Self::Nonsense => json!({ "method": "GET", "path": "/Users" }),
        }
    }
}

const MOST: u8 = 12;

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![(0u8..4).prop_map(Id::Old), (0..MOST).prop_map(Id::New)]
}

fn operation() -> impl Strategy<Value = Random> {
    let kind = prop_oneof![Just(Kind::User), Just(Kind::Group)];
    prop_oneof![
        4 => (0u8..5, prop::option::weighted(0.3, 0..MOST)).prop_map(|(name, manager)| Random::User { name, manager }),
        3 => (0u8..5, prop::collection::vec(id(), 0..3)).prop_map(|(name, members)| Random::Group { name, members }),
        2 => (id(), 0u8..5).prop_map(|(id, name)| Random::Rename { id, name }),
        3 => (id(), id()).prop_map(|(group, member)| Random::Join { group, member }),
        1 => (id(), id()).prop_map(|(group, member)| Random::Leave { group, member }),
        1 => id().prop_map(|user| Random::Status { user }),
        2 => (kind, id()).prop_map(|(kind, id)| Random::Delete { kind, id }),
        1 => Just(Random::Nonsense),
    ]
}

fn request(operations: &[Random], fail_on_errors: Option<u8>) -> Value {
    let operations: Vec<Value> = operations.iter().enumerate().map(|(place, operation)| operation.to_json(place)).collect();
    json!({ "schemas": [urn::BULK_REQUEST], "failOnErrors": fail_on_errors, "Operations": operations })
}

/// A directory in miniature: names are unique, members exist, what is removed leaves its groups.
#[derive(Debug, Clone, Default, PartialEq)]
struct World {
    resources: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    kind: Kind,
    name: String,
    references: BTreeSet<String>,
    active: bool,
    /// How often it was changed: a version.
    changes: usize,
}

impl World {
    fn new() -> Self {
        let entry = |n: u8| {
            let kind = if n < 2 { Kind::User } else { Kind::Group };
            Entry { kind, name: format!("n{n}"), references: BTreeSet::new(), active: true, changes: 0 }
        };
        Self { resources: (0..4).map(|n| (format!("old-{n}"), entry(n))).collect() }
    }

    fn apply(&mut self, ready: &Ready) -> Result<Applied, ScimError> {
        let mut applied = applied(ready);
        let (id, data) = match &ready.action {
            Action::Create(data) => (applied.id.clone(), Some(data)),
            Action::Replace(id, data) | Action::Patch(id, data) => (id.clone(), Some(data)),
            Action::Delete(id) => (id.clone(), None),
        };
        let text = data.map(Value::to_string).unwrap_or_default();
        assert!(!text.contains("bulkId:"), "a reference was left: {text}");
        let current = self.resources.get(&id).filter(|entry| entry.kind == ready.kind).cloned();
        let mut entry = match (&ready.action, current) {
            (Action::Create(_), None) => {
                Entry { kind: ready.kind, name: String::new(), references: BTreeSet::new(), active: true, changes: 0 }
            }
            (Action::Create(_), Some(_)) => panic!("{id} is created twice"),
            (_, Some(entry)) => entry,
            (_, None) => return Err(ScimError::not_found("there is none")),
        };
        entry.changes += 1;
        match (&ready.action, data) {
            (Action::Create(_) | Action::Replace(..), Some(data)) => {
                let name = data.get("userName").or(data.get("displayName")).and_then(Value::as_str).unwrap_or_default();
                entry.name = name.to_owned();
                entry.references = ids(data.get("members")).chain(ids(data.get("manager"))).collect();
            }
            (Action::Patch(..), Some(data)) => {
                let operation = &data["Operations"][0];
                let path = operation["path"].as_str().unwrap_or_default();
                match path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]")) {
                    Some(member) => {
                        entry.references.remove(member);
                    }
                    None if path == "members" => entry.references.extend(ids(operation.get("value"))),
                    None => entry.active = false,
                }
            }
            (_, _) => {
                self.resources.remove(&id);
                self.resources.values_mut().for_each(|entry| {
                    entry.references.remove(&id);
                });
                return Ok(applied);
            }
        }
        if self.resources.iter().any(|(other, taken)| *other != id && taken.kind == entry.kind && taken.name == entry.name) {
            return Err(ScimError::uniqueness("taken"));
        }
        entry.references.retain(|reference| *reference == id || self.resources.contains_key(reference));
        applied.version = Some(format!("W/\"{}\"", entry.changes));
        self.resources.insert(id, entry);
        Ok(applied)
    }
}

fn ids(value: Option<&Value>) -> impl Iterator<Item = String> {
    let items = match value {
        Some(Value::Array(items)) => items.clone(),
        Some(item) => vec![item.clone()],
        None => Vec::new(),
    };
    items.into_iter().filter_map(|item| Some(item.get("value")?.as_str()?.to_owned()))
}

/// Carries a request out with at most `width` operations under way, of which `picks` says which is done next.
fn carry_out(request: Value, width: usize, picks: &[usize]) -> (World, Vec<Value>, Vec<(usize, bool)>) {
    let mut plan = plan(request);
    let mut world = World::new();
    let (mut under_way, mut done, mut picks) = (Vec::new(), Vec::new(), picks.iter().cycle());
    loop {
        while under_way.len() < width
            && let Some(ready) = plan.ready()
        {
            under_way.push(ready);
        }
        if under_way.is_empty() {
            return (world, entries(&plan.finish()), done);
        }
        let ready = under_way.swap_remove(picks.next().copied().unwrap_or(0) % under_way.len());
        done.push((ready.ticket.operation(), matches!(ready.action, Action::Create(_))));
        let outcome = world.apply(&ready);
        plan.done(ready.ticket, outcome);
    }
}

/// The creations each operation refers to; `None` where it refers to nothing that is created.
fn references(operations: &[Random]) -> Vec<Option<Vec<usize>>> {
    let is_creation = |n: u8| matches!(operations.get(usize::from(n)), Some(Random::User { .. } | Random::Group { .. }));
    let of = |operation: &Random| {
        let ids = match operation {
            Random::User { manager, .. } => manager.iter().map(|n| Id::New(*n)).collect(),
            Random::Group { members, .. } => members.clone(),
            Random::Rename { id, .. } | Random::Delete { id, .. } | Random::Status { user: id } => vec![*id],
            Random::Join { group, member } | Random::Leave { group, member } => vec![*group, *member],
            Random::Nonsense => Vec::new(),
        };
        let new = ids.into_iter().filter_map(|id| match id {
            Id::Old(_) => None,
            Id::New(n) => Some(is_creation(n).then_some(usize::from(n))),
        });
        new.collect::<Option<Vec<usize>>>()
    };
    operations.iter().map(of).collect()
}

/// The order in which one operation after the other would run: a creation comes before an operation that refers to it. `None` if
/// there is a circle.
fn sequence(references: &[Option<Vec<usize>>]) -> Option<Vec<usize>> {
    fn visit(place: usize, references: &[Option<Vec<usize>>], way: &mut Vec<usize>, out: &mut Vec<usize>) -> Option<()> {
        if out.contains(&place) {
            return Some(());
        }
        if way.contains(&place) {
            return None;
        }
        way.push(place);
        let mut needs = references[place].clone().unwrap_or_default();
        needs.sort_unstable();
        needs.into_iter().try_for_each(|need| visit(need, references, way, out))?;
        way.pop();
        out.push(place);
        Some(())
    }
    let mut out = Vec::new();
    (0..references.len()).try_for_each(|place| visit(place, references, &mut Vec::new(), &mut out))?;
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn side_by_side_or_one_by_one_it_ends_the_same(
        operations in prop::collection::vec(operation(), 1..usize::from(MOST)),
        width in 2usize..8,
        picks in prop::collection::vec(any::<usize>(), 1..30),
    ) {
        let (world, results, done) = carry_out(request(&operations, None), 1, &[0]);
        let (same_world, same_results, same_done) = carry_out(request(&operations, None), width, &picks);
        prop_assert_eq!(&same_results, &results);
        prop_assert_eq!(same_world, world);
        prop_assert_eq!(results.len(), operations.len(), "every operation has a result");
        for mut handed_out in [done, same_done] {
            let before = handed_out.len();
            handed_out.sort_unstable();
            handed_out.dedup();
            prop_assert_eq!(handed_out.len(), before, "no operation is carried out twice");
        }
    }

    #[test]
    fn fail_on_errors_stops_where_one_by_one_would_have(
        operations in prop::collection::vec(operation(), 1..usize::from(MOST)),
        allowed in 1u8..5,
        width in 1usize..8,
        picks in prop::collection::vec(any::<usize>(), 1..30),
    ) {
        let references = references(&operations);
        if let Some(sequence) = sequence(&references) {
            // The model: the results of all operations, cut off after so many errors.
            let (_, all, _) = carry_out(request(&operations, None), 1, &[0]);
            let failed = |place: usize| !all[place]["status"].as_str().unwrap_or_default().starts_with('2');
            let mut errors = 0;
            let attempted: BTreeSet<usize> = sequence
                .iter()
                .take_while(|place| {
                    let goes_on = errors < allowed;
                    errors += u8::from(failed(**place));
                    goes_on
                })
                .copied()
                .collect();
            let (_, mut results, _) = carry_out(request(&operations, Some(allowed)), width, &picks);
            let mut expected: Vec<Value> = attempted.iter().map(|place| all[*place].clone()).collect();
            // Where the resource of a failed operation is may be known only from one that was not attempted.
            for result in results.iter_mut().chain(&mut expected).filter(|result| result.get("response").is_some()) {
                result.as_object_mut().map(|result| result.remove("location"));
            }
            prop_assert_eq!(results, expected);
        }
    }

    #[test]
    fn references_decide_the_order_and_nothing_else_does(operations in prop::collection::vec(operation(), 1..usize::from(MOST))) {
        let references = references(&operations);
        if let Some(mut sequence) = sequence(&references) {
            let (_, results, done) = carry_out(request(&operations, None), 1, &[0]);
            let handed_out: Vec<usize> = done.iter().map(|(place, _)| *place).collect();
            // What cannot be done is never handed out: nonsense, references to nothing, and what needs one that failed.
            sequence.retain(|place| handed_out.contains(place));
            prop_assert_eq!(&handed_out, &sequence);
            for (place, operation) in operations.iter().enumerate() {
                let impossible = matches!(operation, Random::Nonsense) || references[place].is_none();
                prop_assert!(!(impossible && handed_out.contains(&place)));
                prop_assert!(!impossible || results[place]["status"] == "400");
            }
        }
    }

    #[test]
    fn no_request_makes_it_panic(
        operations in prop::collection::vec(operation(), 1..usize::from(MOST)),
        noise in prop::collection::vec((any::<prop::sample::Index>(), "(/Users/bulkId:|bulkId:|/)?[b\"\\[]?[0-9]{0,2}"), 0..9),
    ) {
        let mut body = request(&operations, None);
        let keys = ["method", "path", "bulkId", "version", "data"];
        for (place, text) in noise {
            let operation = &mut body["Operations"][place.index(operations.len())];
            operation[keys[place.index(keys.len())]] = text.into();
        }
        let mut plan = plan(body);
        while let Some(ready) = plan.ready() {
            let outcome = Ok(applied(&ready));
            plan.done(ready.ticket, outcome);
        }
        prop_assert_eq!(entries(&plan.finish()).len(), operations.len());
    }
}
