//! The value of an operation: what it does to its target, in canonical form.

use serde_json::{Map, Value};

use crate::scim::validate::accept_value;
use crate::scim::{AttrType, BoundPath, ScimError, Tolerance};

use super::path::read_only;
use super::request::{Reading, invalid_value};
use super::{OpKind, Target};

/// `null` and the empty string, which clients send to clear an attribute.
pub(super) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

impl Reading<'_> {
    /// One target, and a value as the client sent it.
    pub(super) fn change(&mut self, kind: OpKind, target: Target, value: Option<Value>) -> Result<(), ScimError> {
        match (kind, value) {
            (OpKind::Remove, value) => self.remove(target, value),
            (OpKind::Add | OpKind::Replace, None) => Err(invalid_value(format!("`value` is missing: what is `{target}` to be?"))),
            (OpKind::Add | OpKind::Replace, Some(value)) if is_blank(&value) => {
                if !self.dialect.accept(Tolerance::PatchEmptyClears) {
                    return Err(invalid_value(format!("the value of `{target}` is empty: clear it with \"remove\"")));
                }
                self.emit(OpKind::Remove, target, None);
                Ok(())
            }
            (OpKind::Add | OpKind::Replace, Some(value)) => self.assign(kind, target, value),
        }
    }

    fn assign(&mut self, kind: OpKind, target: Target, value: Value) -> Result<(), ScimError> {
        let many = target.path.sub.is_none() && target.path.attribute.multi_valued;
        if many && target.filter.is_none() {
            return self.assign_all(kind, target, value);
        }
        let value = if many { one_item(&target, value)? } else { value };
        let (value, cleared) = match value {
            Value::Object(map) if target.path.leaf().kind == AttrType::Complex => self.without_blanks(&target, map),
            value => (value, Vec::new()),
        };
        // In an array, an item of many is read as such and not as an object in place of a list.
        let accepted = if many {
            accept_value(&target.path, Value::Array(vec![value]), self.dialect)?.and_then(first)
        } else {
            let emptied = value.as_object().is_some_and(Map::is_empty);
            let accepted = accept_value(&target.path, value, self.dialect)?;
            if accepted.is_none() && !emptied && target.path.leaf().kind != AttrType::Complex {
                return Err(invalid_value(format!("the value of `{target}` is empty: clear it with \"remove\"")));
            }
            accepted
        };
        // Nothing is left of an object of read-only and unknown sub-attributes: nothing is to be set.
        if let Some(value) = accepted {
            self.emit(kind, target, Some(value));
        }
        for target in cleared {
            self.emit(OpKind::Remove, target, None);
        }
        Ok(())
    }

    /// All values of an attribute of many.
    fn assign_all(&mut self, kind: OpKind, target: Target, value: Value) -> Result<(), ScimError> {
        let none = value.as_array().is_some_and(Vec::is_empty);
        match accept_value(&target.path, value, self.dialect)? {
            Some(value) => self.emit(kind, target, Some(value)),
            None if none => self.emit(kind, target, Some(Value::Array(Vec::new()))),
            // To replace all values by something unreadable would be to remove them all.
            None => return Err(invalid_value(format!("the value of `{target}` holds nothing that could be set"))),
        }
        Ok(())
    }

    /// The object without its blank sub-attributes, and these as targets to be cleared.
    fn without_blanks(&mut self, target: &Target, map: Map<String, Value>) -> (Value, Vec<Target>) {
        let mut kept = Map::new();
        let mut cleared = Vec::new();
        for (key, value) in map {
            let sub = target.path.attribute.sub(&key).filter(|_| is_blank(&value)).map(|sub| target.path.with_sub(sub.clone()));
            match sub.filter(|path| !read_only(path)) {
                Some(path) if self.dialect.accept(Tolerance::PatchEmptyClears) => {
                    cleared.push(Target { path, filter: target.filter.clone() });
                }
                _ => {
                    kept.insert(key, value);
                }
            }
        }
        (Value::Object(kept), cleared)
    }

    fn remove(&mut self, target: Target, value: Option<Value>) -> Result<(), ScimError> {
        let many = target.filter.is_none() && target.path.sub.is_none() && target.path.attribute.multi_valued;
        let Some(value) = value.filter(|value| many && !value.is_null()) else {
            self.emit(OpKind::Remove, target, None);
            return Ok(());
        };
        let items = match unwrapped(&target.path, value) {
            Value::Array(items) => items,
            Value::Null => return Err(names_nothing(&target)),
            item => vec![item],
        };
        if items.is_empty() {
            if !self.dialect.accept(Tolerance::EmptyRemoveList) {
                return Err(invalid_value(format!(
                    "an empty list removes nothing: leave `value` out to remove all of `{target}`"
                )));
            }
            self.emit(OpKind::Remove, target, Some(Value::Array(items)));
            return Ok(());
        }
        if !self.dialect.accept(Tolerance::PatchRemoveValueList) {
            let detail = format!("\"remove\" takes no `value`: name the values of `{target}` in brackets in the path");
            return Err(invalid_value(detail));
        }
        let items = items.into_iter().map(|item| as_item(&target.path, item)).collect();
        // The whole attribute must not go because the values to be removed were unreadable.
        let accepted = accept_value(&target.path, Value::Array(items), self.dialect)?.ok_or_else(|| names_nothing(&target))?;
        self.emit(OpKind::Remove, target, Some(accepted));
        Ok(())
    }
}

fn names_nothing(target: &Target) -> ScimError {
    invalid_value(format!("the value names nothing to remove from `{target}`"))
}

fn first(value: Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.into_iter().next(),
        value => Some(value),
    }
}

/// The one value for the items a filter selects; a list of one will do.
fn one_item(target: &Target, value: Value) -> Result<Value, ScimError> {
    let Value::Array(items) = value else { return Ok(value) };
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (Some(item), None) => Ok(item),
        _ => Err(invalid_value(format!("`{target}` takes one value, not a list"))),
    }
}

/// `{"members": […]}` under the path `members` stands for the list.
fn unwrapped(path: &BoundPath, value: Value) -> Value {
    let name = &path.attribute.name;
    match value {
        Value::Object(map) if map.len() == 1 && path.attribute.sub(name).is_none() => match map.into_iter().next() {
            Some((key, inner)) if key.eq_ignore_ascii_case(name) => inner,
            Some((key, inner)) => Value::Object(Map::from_iter([(key, inner)])),
            None => Value::Null,
        },
        value => value,
    }
}

/// A bare string stands for the item of that `value`.
fn as_item(path: &BoundPath, item: Value) -> Value {
    match (item, path.attribute.sub("value")) {
        (Value::String(text), Some(sub)) => Value::Object(Map::from_iter([(sub.name.clone(), Value::String(text))])),
        (item, _) => item,
    }
}
