//! The items of an attribute of many values: which of them are the same, and adding and removing thousands in linear time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::scim::filter::same_text;
use crate::scim::text::prepare;
use crate::scim::{AttrType, Attribute, Mutability};

/// The sub-attribute that marks the one preferred item.
pub(super) const PRIMARY: &str = "primary";

/// A value as a key: values are the same exactly if their keys are.
fn key(value: &Value, leaf: Option<&Attribute>) -> String {
    match value {
        Value::String(text) => prepare(text, leaf.is_none_or(minds_case)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn minds_case(leaf: &Attribute) -> bool {
    leaf.case_exact || leaf.kind == AttrType::Binary
}

/// Whether two values have one key.
fn same(left: &Value, right: &Value, leaf: Option<&Attribute>) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => same_text(left, right, leaf.is_none_or(minds_case)),
        (left, right) => left == right,
    }
}

/// What tells an item from others: its `value`, or itself where the values are simple.
fn value_of<'a>(item: &'a Value, attribute: &Attribute) -> Option<&'a Value> {
    if attribute.kind == AttrType::Complex { attribute.sub("value").and_then(|sub| item.get(&*sub.name)) } else { Some(item) }
}

fn type_of<'a>(item: &'a Value, attribute: &Attribute) -> Option<&'a Value> {
    attribute.sub("type").and_then(|sub| item.get(&*sub.name))
}

fn value_leaf(attribute: &Attribute) -> Option<&Attribute> {
    if attribute.kind == AttrType::Complex { attribute.sub("value").map(AsRef::as_ref) } else { Some(attribute) }
}

/// The sub-attributes called `names` of an item, as a key; `None` if it lacks one of them.
fn projection<'a>(item: &Value, names: impl Iterator<Item = &'a str>, attribute: &Attribute) -> Option<String> {
    let map = item.as_object()?;
    let mut parts = Map::new();
    for name in names {
        let leaf = attribute.sub(name).map(AsRef::as_ref);
        parts.insert(name.to_owned(), Value::String(key(map.get(name)?, leaf)));
    }
    Some(Value::Object(parts).to_string())
}

fn names(item: &Value) -> BTreeSet<&str> {
    item.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

/// Where the items of one value are.
#[derive(Debug, Default)]
struct Places {
    first: usize,
    by_type: HashMap<Option<String>, usize>,
}

/// Items by what tells them apart.
#[derive(Debug, Default)]
struct Index {
    by_value: HashMap<String, Places>,
    /// Items without `value`, by all their sub-attributes.
    whole: HashMap<String, usize>,
}

impl Index {
    fn of(items: &[Value], attribute: &Attribute) -> Self {
        let mut index = Self::default();
        for (place, item) in items.iter().enumerate() {
            index.insert(place, item, attribute);
        }
        index
    }

    fn insert(&mut self, place: usize, item: &Value, attribute: &Attribute) {
        match value_of(item, attribute) {
            Some(value) => {
                let kind = type_key(item, attribute);
                match self.by_value.entry(key(value, value_leaf(attribute))) {
                    Entry::Occupied(mut places) => {
                        places.get_mut().by_type.entry(kind).or_insert(place);
                    }
                    Entry::Vacant(vacant) => {
                        vacant.insert(Places { first: place, by_type: HashMap::from([(kind, place)]) });
                    }
                }
            }
            None => {
                if let Some(key) = projection(item, names(item).into_iter(), attribute) {
                    self.whole.entry(key).or_insert(place);
                }
            }
        }
    }

    /// The item that is the same as the given one: of the same value, and of the same type unless one of them has none.
    fn find(&self, item: &Value, attribute: &Attribute) -> Option<usize> {
        let Some(value) = value_of(item, attribute) else {
            let key = projection(item, names(item).into_iter(), attribute)?;
            return self.whole.get(&key).copied();
        };
        let places = self.by_value.get(&key(value, value_leaf(attribute)))?;
        match type_key(item, attribute) {
            None => Some(places.first),
            kind @ Some(_) => places.by_type.get(&kind).or_else(|| places.by_type.get(&None)).copied(),
        }
    }
}

fn type_key(item: &Value, attribute: &Attribute) -> Option<String> {
    type_of(item, attribute).map(|kind| key(kind, attribute.sub("type").map(AsRef::as_ref)))
}

/// [`Index::find`] without an index, for one item alone.
fn find(items: &[Value], item: &Value, attribute: &Attribute) -> Option<usize> {
    let Some(value) = value_of(item, attribute) else {
        let wanted = projection(item, names(item).into_iter(), attribute)?;
        return items.iter().position(|other| {
            value_of(other, attribute).is_none()
                && projection(other, names(other).into_iter(), attribute).as_ref() == Some(&wanted)
        });
    };
    let same_value = |other: &Value| value_of(other, attribute).is_some_and(|other| same(other, value, value_leaf(attribute)));
    let Some(kind) = type_of(item, attribute) else { return items.iter().position(same_value) };
    let leaf = attribute.sub("type").map(AsRef::as_ref);
    items
        .iter()
        .position(|other| same_value(other) && type_of(other, attribute).is_some_and(|other| same(other, kind, leaf)))
        .or_else(|| items.iter().position(|other| same_value(other) && type_of(other, attribute).is_none()))
}

/// Adds lists of items, one list after the other. What is there already is not added again: it takes over the given
/// sub-attributes, except immutable ones. Returns whether anything changed.
pub(super) fn append(items: &mut Vec<Value>, lists: &[&[Value]], attribute: &Attribute) -> bool {
    let single = lists.iter().map(|list| list.len()).sum::<usize>() <= 1;
    let mut index = (!single).then(|| Index::of(items, attribute));
    let mut primaries: Option<Vec<usize>> = None;
    let mut changed = false;
    for list in lists {
        let mut preferred = Vec::new();
        for given in *list {
            let found = match &index {
                Some(index) => index.find(given, attribute),
                None => find(items, given, attribute),
            };
            let place = found.unwrap_or(items.len());
            if is_primary(given) {
                primaries.get_or_insert_with(|| primary_places(items));
                preferred.push(place);
            }
            if let Some(existing) = items.get_mut(place) {
                if join(existing, given, attribute) {
                    changed = true;
                    if let Some(index) = &mut index {
                        index.insert(place, existing, attribute);
                    }
                }
            } else {
                if let Some(index) = &mut index {
                    index.insert(place, given, attribute);
                }
                items.push(given.clone());
                changed = true;
            }
        }
        if let (Some(before), false) = (&mut primaries, preferred.is_empty()) {
            let keep: HashSet<usize> = preferred.iter().copied().collect();
            for place in before.iter().filter(|place| !keep.contains(place)) {
                changed |= items.get_mut(*place).is_some_and(demote);
            }
            *before = preferred;
        }
    }
    changed
}

/// Takes over the given sub-attributes of the same item.
fn join(existing: &mut Value, given: &Value, attribute: &Attribute) -> bool {
    let (Some(existing), Some(given)) = (existing.as_object_mut(), given.as_object()) else { return false };
    let mut changed = false;
    for (name, value) in given {
        let Some(sub) = attribute.sub(name) else { continue };
        // What tells the items apart is the same but for its spelling; an addition does not respell.
        let fixed = match sub.mutability {
            Mutability::Immutable | Mutability::ReadOnly => true,
            Mutability::ReadWrite | Mutability::WriteOnly => {
                matches!(&*sub.name, "value" | "type") && existing.contains_key(name)
            }
        };
        if !fixed && existing.get(name) != Some(value) {
            existing.insert(name.clone(), value.clone());
            changed = true;
        }
    }
    changed
}

pub(super) fn is_primary(item: &Value) -> bool {
    item.get(PRIMARY) == Some(&Value::Bool(true))
}

fn primary_places(items: &[Value]) -> Vec<usize> {
    items.iter().enumerate().filter(|(_, item)| is_primary(item)).map(|(place, _)| place).collect()
}

fn demote(item: &mut Value) -> bool {
    is_primary(item) && item.as_object_mut().is_some_and(|map| map.insert(PRIMARY.to_owned(), Value::Bool(false)).is_some())
}

/// After some items were made primary: the others no longer are. Nothing happens when none of `touched` is primary.
pub(super) fn keep_primary(items: &mut [Value], touched: &HashSet<usize>) -> bool {
    let preferred = touched.iter().any(|place| items.get(*place).is_some_and(is_primary));
    let mut changed = false;
    for (place, item) in items.iter_mut().enumerate() {
        if preferred && !touched.contains(&place) {
            changed |= demote(item);
        }
    }
    changed
}

/// Removes the items that have the `value` of a given one; where a given one has none, those that equal it in all its
/// sub-attributes. Returns whether anything was removed.
pub(super) fn remove<'a>(items: &mut Vec<Value>, given: impl Iterator<Item = &'a Value>, attribute: &Attribute) -> bool {
    let mut values = Vec::new();
    let mut partial: HashMap<BTreeSet<&str>, HashSet<String>> = HashMap::new();
    for item in given {
        if let Some(value) = value_of(item, attribute) {
            values.push(value);
            continue;
        }
        let names = names(item);
        if let Some(key) = projection(item, names.iter().copied(), attribute) {
            partial.entry(names).or_default().insert(key);
        }
    }
    let leaf = value_leaf(attribute);
    let keys: HashSet<String> =
        if values.len() > 1 { values.iter().map(|value| key(value, leaf)).collect() } else { HashSet::new() };
    let by_value = |item: &Value| match (value_of(item, attribute), values.as_slice()) {
        (None, _) | (Some(_), []) => false,
        (Some(value), [only]) => same(value, only, leaf),
        (Some(value), _) => keys.contains(&key(value, leaf)),
    };
    let by_parts = |item: &Value| {
        let has = |(names, keys): (&BTreeSet<&str>, &HashSet<String>)| {
            !names.is_empty() && projection(item, names.iter().copied(), attribute).is_some_and(|key| keys.contains(&key))
        };
        partial.iter().any(has)
    };
    let before = items.len();
    items.retain(|item| !by_value(item) && !by_parts(item));
    items.len() != before
}
