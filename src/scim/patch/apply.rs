//! The effect of operations on a resource.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::scim::filter::item_matches;
use crate::scim::{
    AttrType, Attribute, BoundPath, CompareOp, Dialect, Filter, Literal, Mutability, Resource, ResourceType, ScimError, ScimType,
    Tolerance,
};

use super::request::located;
use super::{OpKind, Operation, PatchRequest, Target, items};

impl PatchRequest {
    /// Applies the operations in order to a canonical resource, which stays canonical. Returns whether anything changed. On an
    /// error the resource is left half changed and is to be dropped.
    ///
    /// # Errors
    /// 400 `noTarget` for a value path that matches nothing where it must, `mutability` for the change of an immutable value and
    /// for the removal of a required one.
    pub fn apply(&self, resource: &mut Resource, ty: &ResourceType, dialect: &mut Dialect) -> Result<bool, ScimError> {
        let mut changed = false;
        let mut rest = self.operations.as_slice();
        while let Some(operation) = rest.first() {
            // Neighbours that add to, or remove from, the same attribute take effect in one pass over its items.
            let length = rest.iter().take_while(|next| joins(operation, next)).count().max(1);
            let Some((run, after)) = rest.split_at_checked(length) else { break };
            rest = after;
            let path = operation.target.path.parent();
            let applied = Change { ty, dialect, path: &path }.run(resource, operation, run);
            changed |= applied.map_err(located(operation.index))?;
        }
        Ok(changed)
    }
}

/// The items an operation names one by one: those of its list, or the one value its brackets ask for.
fn joins(first: &Operation, next: &Operation) -> bool {
    let by_list = |operation: &Operation| {
        let target = &operation.target;
        let listed = matches!(operation.value, Some(Value::Array(_))) && target.filter.is_none() && target.path.sub.is_none();
        match operation.kind {
            OpKind::Add => listed,
            OpKind::Remove => listed || removed_value(target).is_some(),
            OpKind::Replace => false,
        }
    };
    first.kind == next.kind
        && first.target.path.attribute.multi_valued
        && first.target.path.parent() == next.target.path.parent()
        && by_list(first)
        && by_list(next)
}

/// The item in `members[value eq "…"]`, which is how most clients remove a member.
fn removed_value(target: &Target) -> Option<Value> {
    match (&target.filter, &target.path.sub) {
        (Some(Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) }), None) => {
            let sub = path.sub.as_ref().filter(|sub| sub.name == "value")?;
            Some(Value::Object(Map::from_iter([(sub.name.clone(), Value::String(text.clone()))])))
        }
        _ => None,
    }
}

fn mutability(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::Mutability, detail)
}

/// Operations on one attribute.
struct Change<'a> {
    ty: &'a ResourceType,
    dialect: &'a mut Dialect,
    /// The attribute.
    path: &'a BoundPath,
}

impl Change<'_> {
    fn run(&mut self, resource: &mut Resource, first: &Operation, run: &[Operation]) -> Result<bool, ScimError> {
        let attribute = &self.path.attribute;
        let before = resource.remove(self.path);
        let had = before.is_some();
        let fixed = if attribute.mutability == Mutability::Immutable { before.clone() } else { None };
        let (after, changed) = if attribute.multi_valued {
            let mut list = match before {
                Some(Value::Array(list)) => list,
                Some(value) => vec![value],
                None => Vec::new(),
            };
            let changed = self.many(&mut list, first, run)?;
            list.retain(|item| !is_empty_object(item));
            (if list.is_empty() { None } else { Some(Value::Array(list)) }, changed)
        } else {
            self.one(before, first)?
        };
        if fixed.is_some() && fixed != after {
            return Err(mutability(format!("`{}` is immutable and has a value", self.path)));
        }
        match after {
            Some(value) => resource.set(self.path, value),
            None if had && attribute.required => {
                return Err(mutability(format!("`{}` is required and cannot be removed", self.path)));
            }
            None => {}
        }
        Ok(changed)
    }

    /// An attribute of one value: what it is then, and whether that is something else.
    fn one(&self, before: Option<Value>, operation: &Operation) -> Result<(Option<Value>, bool), ScimError> {
        let complex = self.path.attribute.kind == AttrType::Complex;
        match (operation.kind, &operation.target.path.sub, &operation.value) {
            (OpKind::Remove, None, _) | (OpKind::Add | OpKind::Replace, None, None) => {
                let changed = before.is_some();
                Ok((None, changed))
            }
            (OpKind::Remove, Some(_), _) | (OpKind::Add | OpKind::Replace, Some(_), None) => {
                let Some(mut value) = before else { return Ok((None, false)) };
                let changed = self.clear_sub(&mut value, operation)?;
                Ok((Some(value).filter(|value| !is_empty_object(value)), changed))
            }
            (OpKind::Add | OpKind::Replace, None, Some(value)) if !complex => {
                let changed = before.as_ref() != Some(value);
                Ok((Some(value.clone()), changed))
            }
            (OpKind::Add | OpKind::Replace, _, Some(value)) => {
                let mut whole = before.unwrap_or_else(|| Value::Object(Map::new()));
                let changed = self.assign(&mut whole, operation, value)?;
                Ok((Some(whole).filter(|value| !is_empty_object(value)), changed))
            }
        }
    }

    /// An attribute of many values. Only the first operation of a run may be one that does not name its items one by one.
    fn many(&mut self, list: &mut Vec<Value>, first: &Operation, run: &[Operation]) -> Result<bool, ScimError> {
        let attribute = &self.path.attribute;
        let target = &first.target;
        let selective = target.filter.is_some() || target.path.sub.is_some();
        match (first.kind, &first.value) {
            (OpKind::Remove, _) if joins(first, first) => {
                let of_brackets: Vec<Value> = run.iter().filter_map(|operation| removed_value(&operation.target)).collect();
                let of_lists = run.iter().filter(|o| o.target.filter.is_none()).filter_map(|o| o.value.as_ref()?.as_array());
                Ok(items::remove(list, of_lists.flatten().chain(&of_brackets), attribute))
            }
            (OpKind::Remove, _) | (OpKind::Add | OpKind::Replace, None) if selective => self.remove_selected(list, first),
            (OpKind::Remove, _) | (OpKind::Add | OpKind::Replace, None) => {
                let changed = !list.is_empty();
                list.clear();
                Ok(changed)
            }
            (OpKind::Add | OpKind::Replace, Some(value)) if selective => self.assign_selected(list, first, value),
            (OpKind::Add, Some(_)) => {
                let lists: Vec<&[Value]> = run.iter().filter_map(|o| Some(o.value.as_ref()?.as_array()?.as_slice())).collect();
                Ok(items::append(list, &lists, attribute))
            }
            (OpKind::Replace, Some(value)) => {
                let mut given = Vec::new();
                items::append(
                    &mut given,
                    &[value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)],
                    attribute,
                );
                given.retain(|item| !is_empty_object(item));
                let changed = *list != given;
                *list = given;
                Ok(changed)
            }
        }
    }

    fn selects(target: &Target, item: &Value) -> bool {
        target.filter.as_ref().is_none_or(|filter| item_matches(filter, item))
    }

    fn remove_selected(&self, list: &mut Vec<Value>, operation: &Operation) -> Result<bool, ScimError> {
        let target = &operation.target;
        if target.path.sub.is_none() {
            let before = list.len();
            list.retain(|item| !Self::selects(target, item));
            return Ok(list.len() != before);
        }
        let mut changed = false;
        for item in list.iter_mut().filter(|item| Self::selects(target, item)) {
            changed |= self.clear_sub(item, operation)?;
        }
        Ok(changed)
    }

    fn assign_selected(&mut self, list: &mut Vec<Value>, operation: &Operation, value: &Value) -> Result<bool, ScimError> {
        let mut touched = HashSet::new();
        let (mut changed, mut selected) = (false, false);
        for (place, item) in list.iter_mut().enumerate() {
            if Self::selects(&operation.target, item) {
                selected = true;
                changed |= self.assign(item, operation, value)?;
                let preferred = match &operation.target.path.sub {
                    Some(sub) => sub.name == "primary" && *value == Value::Bool(true),
                    None => items::is_primary(value),
                };
                if preferred {
                    touched.insert(place);
                }
            }
        }
        if !selected {
            let mut item = self.template(&operation.target)?;
            self.assign(&mut item, operation, value)?;
            touched.insert(list.len());
            list.push(item);
            changed = true;
        }
        Ok(items::keep_primary(list, &touched) || changed)
    }

    /// The item a value path that matched nothing brings into being, but for the sub-attribute to be set.
    fn template(&mut self, target: &Target) -> Result<Value, ScimError> {
        let no_target = || {
            let detail = format!("no value of this {} matches `{target}`", self.ty.kind.name());
            ScimError::bad_request(ScimType::NoTarget, detail)
        };
        let Some(filter) = &target.filter else { return Ok(Value::Object(Map::new())) };
        let mut item = Map::new();
        let complete = target.path.sub.is_some() && equalities(filter, &mut item);
        // A type that the schema knows and the directory has no place for will do: as in POST, the item is passed over later.
        let whole = self.ty.whole.as_ref().and_then(|whole| whole.resolve_str(&self.path.to_string()));
        let canonical = self.path.attribute.sub("type").and_then(|kind| {
            let given = item.get(&*kind.name)?.as_str()?;
            let all = whole.as_ref().and_then(|whole| whole.attribute.sub("type"));
            let known = std::iter::once(kind).chain(all).flat_map(|kind| &kind.canonical_values);
            let known = known.into_iter().find(|known| known.eq_ignore_ascii_case(given))?;
            Some((kind.name.clone(), Value::String(known.clone())))
        });
        // Of a list without a primary item, the first value is it.
        let is_value = target.path.sub.as_ref().is_some_and(|sub| sub.name == "value");
        let first = complete && is_value && item.len() == 1 && item.get(items::PRIMARY) == Some(&Value::Bool(true));
        match canonical {
            None if first && self.dialect.accept(Tolerance::PatchCreateValuePath) => Ok(Value::Object(item)),
            Some((name, kind)) if complete && self.dialect.accept(Tolerance::PatchCreateValuePath) => {
                item.insert(name, kind);
                Ok(Value::Object(item))
            }
            _ => Err(no_target()),
        }
    }

    /// Sets the sub-attribute of the operation, or the given sub-attributes, of one item; where values are simple, the item.
    fn assign(&self, item: &mut Value, operation: &Operation, value: &Value) -> Result<bool, ScimError> {
        match (&operation.target.path.sub, item, value) {
            (Some(sub), Value::Object(map), value) => self.set_sub(map, sub, value),
            (None, Value::Object(map), Value::Object(given)) => {
                let mut changed = false;
                for (name, value) in given {
                    if let Some(sub) = self.path.attribute.sub(name) {
                        changed |= self.set_sub(map, sub, value)?;
                    }
                }
                Ok(changed)
            }
            (_, item, value) => {
                let changed = item != value;
                *item = value.clone();
                Ok(changed)
            }
        }
    }

    fn set_sub(&self, map: &mut Map<String, Value>, sub: &Attribute, value: &Value) -> Result<bool, ScimError> {
        match map.get(&sub.name) {
            Some(existing) if existing == value => return Ok(false),
            Some(_) if sub.mutability == Mutability::Immutable => {
                return Err(mutability(format!("`{}.{}` is immutable and has a value", self.path, sub.name)));
            }
            _ => {}
        }
        map.insert(sub.name.clone(), value.clone());
        Ok(true)
    }

    /// Removes the sub-attribute of the operation from one item. An item left without its `value`, with nothing but labels, is emptied.
    fn clear_sub(&self, item: &mut Value, operation: &Operation) -> Result<bool, ScimError> {
        let (Some(sub), Value::Object(map)) = (&operation.target.path.sub, item) else { return Ok(false) };
        if !map.contains_key(&sub.name) {
            return Ok(false);
        }
        if sub.mutability == Mutability::Immutable {
            return Err(mutability(format!("`{}.{}` is immutable and has a value", self.path, sub.name)));
        }
        map.remove(&sub.name);
        let label = |name: &String| {
            let read_only = || self.path.attribute.sub(name).is_some_and(|sub| sub.mutability == Mutability::ReadOnly);
            matches!(&**name, "type" | "primary" | "display" | "$ref") || read_only()
        };
        if sub.name == "value" && map.keys().all(label) {
            map.clear();
        }
        if sub.required && !map.is_empty() {
            return Err(mutability(format!("`{}.{}` is required and cannot be removed", self.path, sub.name)));
        }
        Ok(true)
    }
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Collects what a conjunction of `eq` comparisons says of an item; false for any other filter, and for one that says two things.
fn equalities(filter: &Filter<BoundPath>, item: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(left, right) => equalities(left, item) && equalities(right, item),
        Filter::Compare { path, op: CompareOp::Eq, value } => {
            let value = match value {
                Literal::String(text) => Value::String(text.clone()),
                Literal::Number(number) => Value::Number(number.clone()),
                Literal::Boolean(boolean) => Value::Bool(*boolean),
                Literal::Null => return false,
            };
            match &path.sub {
                Some(sub) if sub.mutability != Mutability::ReadOnly => item.insert(sub.name.clone(), value).is_none(),
                _ => false,
            }
        }
        Filter::Or(..) | Filter::Not(_) | Filter::Present(_) | Filter::Compare { .. } | Filter::ValuePath { .. } => false,
    }
}
