//! PATCH without reading first, where the operations say all that is needed.

use std::collections::HashMap;

use serde_json::Value;

use super::rule::Rule;
use super::write::no_place_for_active;
use super::{Active, ResourceMapping};
use crate::directory::{Modification, ModifyOp};
use crate::scim::patch::{OpKind, Operation, PatchRequest};
use crate::scim::{Kind, ScimError};

/// How a PATCH is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// By modifications that hold whatever the entry has.
    Direct(Vec<Modification>),
    /// By adding and taking away members, and perhaps a name that has to be compared with the entry's.
    Members {
        /// In any order; no id is twice.
        change: MemberChange,
        /// The group's name, as some clients repeat it with every change.
        name: Option<String>,
    },
    /// By reading, applying and writing the difference.
    ReadModifyWrite,
}

/// Members to add and to take away, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// To be members afterwards.
    pub add: Vec<String>,
    /// Not to be members afterwards.
    pub remove: Vec<String>,
}

impl ResourceMapping {
    /// How this PATCH can be carried out.
    pub fn plan(&self, patch: &PatchRequest) -> Result<Plan, ScimError> {
        match self.ty.kind {
            Kind::User => self.user_plan(patch),
            Kind::Group => Ok(group_plan(patch)),
        }
    }

    fn user_plan(&self, patch: &PatchRequest) -> Result<Plan, ScimError> {
        let mut changes: Vec<Modification> = Vec::new();
        for operation in &patch.operations {
            let Some(change) = self.direct(operation)? else { return Ok(Plan::ReadModifyWrite) };
            // The last word on an attribute counts, as if the operations were applied in turn.
            changes.retain(|earlier| earlier.attribute != change.attribute);
            changes.push(change);
        }
        Ok(Plan::Direct(changes))
    }

    /// The modification an operation is, if it needs no look at the entry: one value, set or cleared, of an attribute that holds
    /// nothing else and that neither names the entry nor is demanded by its class.
    fn direct(&self, operation: &Operation) -> Result<Option<Modification>, ScimError> {
        let path = &operation.target.path;
        if operation.target.filter.is_some() || path.attribute.multi_valued {
            return Ok(None);
        }
        if path.attribute.name == "active" && path.extension.is_none() {
            let active = match (&operation.value, operation.kind) {
                (Some(Value::Bool(active)), OpKind::Add | OpKind::Replace) => *active,
                (_, OpKind::Remove) => true,
                _ => return Ok(None),
            };
            return match self.active.change(active) {
                None if self.active == Active::Nowhere && !active => Err(no_place_for_active()),
                change => Ok(change),
            };
        }
        let mut rules = self.rules.iter().filter(|rule| rule.path.parent() == path.parent());
        let (Some(rule), None) = (rules.find(|rule| rule.path == *path), rules.find(|rule| rule.path == *path)) else {
            return Ok(None);
        };
        if rule.codec.refers() || self.is_bound(rule) {
            return Ok(None);
        }
        let values = match (&operation.value, operation.kind) {
            (Some(value), OpKind::Add | OpKind::Replace) => match rule.write(value).filter(|bytes| !bytes.is_empty()) {
                Some(value) => vec![value],
                None => return Ok(None),
            },
            (None, OpKind::Remove) => Vec::new(),
            (Some(_), OpKind::Remove) | (None, OpKind::Add | OpKind::Replace) => return Ok(None),
        };
        Ok(Some(Modification::new(ModifyOp::Replace, &rule.attribute, values)))
    }

    /// Whether the attribute may hold other values, names entries, is demanded by the class, or feeds another rule.
    fn is_bound(&self, rule: &Rule) -> bool {
        let attribute = &rule.attribute;
        !rule.definition.single_value
            || self.rdn == **attribute
            || self.fallback.iter().any(|(demanded, _)| demanded.eq_ignore_ascii_case(attribute))
            || self.rules.iter().filter(|other| other.attribute.eq_ignore_ascii_case(attribute)).count() > 1
            || rule.path.attribute.required
    }
}

fn group_plan(patch: &PatchRequest) -> Plan {
    // Whether each id is a member in the end.
    let mut member: HashMap<&str, bool> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut name = None;
    for operation in &patch.operations {
        let target = &operation.target;
        match (target.path.to_string().as_str(), operation.kind, &operation.value) {
            ("displayName", OpKind::Add | OpKind::Replace, Some(Value::String(text))) if target.filter.is_none() => {
                name = Some(text.clone());
            }
            ("members", OpKind::Add | OpKind::Remove, Some(Value::Array(items))) if target.filter.is_none() => {
                for item in items {
                    let Some(id) = item.get("value").and_then(Value::as_str) else { return Plan::ReadModifyWrite };
                    note(&mut member, &mut order, id, operation.kind == OpKind::Add);
                }
            }
            ("members", OpKind::Remove, None) => {
                let Some(id) = target.filter.as_ref().and_then(only_value) else { return Plan::ReadModifyWrite };
                note(&mut member, &mut order, id, false);
            }
            _ => return Plan::ReadModifyWrite,
        }
    }
    let ids = |wanted: bool| order.iter().filter(|id| member.get(**id) == Some(&wanted)).map(|id| (*id).to_owned()).collect();
    Plan::Members { change: MemberChange { add: ids(true), remove: ids(false) }, name }
}

fn note<'a>(member: &mut HashMap<&'a str, bool>, order: &mut Vec<&'a str>, id: &'a str, is_member: bool) {
    if member.insert(id, is_member).is_none() {
        order.push(id);
    }
}

/// The id in `[value eq "id"]`.
fn only_value(filter: &crate::scim::filter::Filter<crate::scim::BoundPath>) -> Option<&str> {
    use crate::scim::filter::{CompareOp, Filter, Literal};
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(id) }
            if path.sub.as_ref().is_some_and(|sub| sub.name == "value") =>
        {
            Some(id)
        }
        _ => None,
    }
}
