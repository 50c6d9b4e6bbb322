//! What a filter says about a resource.
//!
//! An attribute of many values satisfies a comparison if any of them does. `ne` is the negation of `eq` over the whole attribute:
//! an attribute without a value satisfies it, one with the value among others does not.

use std::cmp::Ordering;

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Number, Value};

use crate::scim::text::prepare;
use crate::scim::{AttrType, Attribute, BoundPath, Resource};

use super::{CompareOp, Filter, Literal};

impl Filter<BoundPath> {
    /// Whether the resource satisfies the filter.
    pub fn matches(&self, resource: &Resource) -> bool {
        match self {
            Self::And(left, right) => left.matches(resource) && right.matches(resource),
            Self::Or(left, right) => left.matches(resource) || right.matches(resource),
            Self::Not(inner) => !inner.matches(resource),
            Self::Present(path) => resource.values(path).into_iter().any(has_value),
            Self::Compare { path, op, value } => compare(&resource.values(path), path.leaf(), *op, value),
            Self::ValuePath { path, filter } => match resource.attribute(path) {
                Some(Value::Array(items)) => items.iter().any(|item| item_matches(filter, item)),
                Some(item) => item_matches(filter, item),
                None => false,
            },
        }
    }
}

/// Whether one item of an attribute satisfies the filter in the brackets after it.
pub(crate) fn item_matches(filter: &Filter<BoundPath>, item: &Value) -> bool {
    match filter {
        Filter::And(left, right) => item_matches(left, item) && item_matches(right, item),
        Filter::Or(left, right) => item_matches(left, item) || item_matches(right, item),
        Filter::Not(inner) => !item_matches(inner, item),
        Filter::Present(path) => of_item(path, item).into_iter().any(has_value),
        Filter::Compare { path, op, value } => compare(&of_item(path, item), path.leaf(), *op, value),
        // Binding refuses a value path inside another; one built by hand holds for no item.
        Filter::ValuePath { .. } => false,
    }
}

fn of_item<'a>(path: &BoundPath, item: &'a Value) -> Vec<&'a Value> {
    let found = match &path.sub {
        Some(sub) => item.get(&*sub.name),
        None => Some(item),
    };
    match found {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(|item| !item.is_null()),
        Value::Object(map) => map.values().any(|value| !value.is_null()),
    }
}

fn compare(values: &[&Value], leaf: &Attribute, op: CompareOp, literal: &Literal) -> bool {
    match (op, literal) {
        (CompareOp::Eq, Literal::Null) => !values.iter().copied().any(has_value),
        (CompareOp::Ne, Literal::Null) => values.iter().copied().any(has_value),
        (CompareOp::Ne, _) => !values.iter().any(|value| satisfies(value, leaf, CompareOp::Eq, literal)),
        (_, _) => values.iter().any(|value| satisfies(value, leaf, op, literal)),
    }
}

fn satisfies(value: &Value, leaf: &Attribute, op: CompareOp, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::String(value), Literal::String(literal)) if leaf.kind == AttrType::DateTime => {
            instant(value).zip(instant(literal)).is_some_and(|(value, literal)| holds(op, value.cmp(&literal)))
        }
        (Value::String(value), Literal::String(literal)) => text_satisfies(value, literal, op, minds_case(leaf)),
        (Value::Number(value), Literal::Number(literal)) => numeric(value, literal).is_some_and(|ordering| holds(op, ordering)),
        (Value::Bool(value), Literal::Boolean(literal)) => match op {
            CompareOp::Eq => value == literal,
            CompareOp::Ne => value != literal,
            CompareOp::Co | CompareOp::Sw | CompareOp::Ew | CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le => {
                false
            }
        },
        (_, Literal::String(_) | Literal::Number(_) | Literal::Boolean(_) | Literal::Null) => false,
    }
}

/// Whether two values of the attribute that differ in case differ: its own rule, and base64 always.
fn minds_case(leaf: &Attribute) -> bool {
    leaf.case_exact || leaf.kind == AttrType::Binary
}

fn text_satisfies(value: &str, literal: &str, op: CompareOp, case_exact: bool) -> bool {
    if matches!(op, CompareOp::Eq | CompareOp::Ne) {
        return same_text(value, literal, case_exact) == (op == CompareOp::Eq);
    }
    let (value, literal) = (prepare(value, case_exact), prepare(literal, case_exact));
    match op {
        CompareOp::Co => value.contains(&literal),
        CompareOp::Sw => value.starts_with(&literal),
        CompareOp::Ew => value.ends_with(&literal),
        // UTF-8 bytes order as the code points do.
        CompareOp::Eq | CompareOp::Ne | CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le => {
            holds(op, value.cmp(&literal))
        }
    }
}

/// Whether two strings are the same once prepared. Identifiers, by far the most compared, are told apart without allocating.
pub(crate) fn same_text(left: &str, right: &str, case_exact: bool) -> bool {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if left == right {
        true
    } else if plain(left) && plain(right) {
        !case_exact && left.eq_ignore_ascii_case(right)
    } else {
        prepare(left, case_exact) == prepare(right, case_exact)
    }
}

fn holds(op: CompareOp, ordering: Ordering) -> bool {
    match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::Ne => ordering.is_ne(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

fn numeric(left: &Number, right: &Number) -> Option<Ordering> {
    let integer = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (_, _) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// An xsd:dateTime as an instant; without an offset it is UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    let local: civil::DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}
