//! What has to be done to an entry so that it becomes another resource.

use super::names::Targets;
use super::{Active, ResourceMapping};
use crate::directory::{Entry, Filter, Modification, ModifyOp, Rdn};
use crate::scim::{Resource, ScimError};

/// A rename and modifications; both may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The entry's new RDN.
    pub rename: Option<Rdn>,
    /// To be applied after it, at once.
    pub modifications: Vec<Modification>,
}

impl Change {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.rename.is_none() && self.modifications.is_empty()
    }
}

impl ResourceMapping {
    /// What turns the entry, which reads as `old`, into `new`. Only what differs is touched: a value the client never saw, or a
    /// second value it cannot express, stays.
    pub fn change(&self, entry: &Entry, old: &Resource, new: &Resource, targets: &Targets) -> Result<Change, ScimError> {
        self.check_user_name(new)?;
        let (before, after) = (self.values(old, targets)?, self.values(new, targets)?);
        let rename = self.new_rdn(&entry.dn, &before, &after)?;
        let in_name = |attribute: &str| {
            rename.as_ref().is_some_and(|rdn| rdn.avas().iter().any(|ava| ava.attribute == *attribute))
        };
        let none = Vec::new();
        let mut modifications = Vec::new();
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            // The rename itself brings the new value in and takes the old one out.
            if old != new && !in_name(name) {
                modifications.extend(self.value_change(entry, name, old, new));
            }
        }
        let flag = |resource: &Resource| resource.map().get("active").and_then(serde_json::Value::as_bool).unwrap_or(true);
        if flag(old) != flag(new) {
            match self.active.change(flag(new)) {
                Some(change) => modifications.push(change),
                None if self.active == Active::Nowhere && flag(new) => {}
                None => return Err(self.no_place_for_active()),
            }
        }
        if let Some(filler) = self.filler(entry, &modifications) {
            modifications.insert(0, filler);
        }
        if rename.is_some() || !modifications.is_empty() {
            modifications.extend(self.adoption(entry));
        }
        Ok(Change { rename, modifications })
    }

    /// The name of nobody, where the modifications would leave a group without the member its class demands.
    fn filler(&self, entry: &Entry, modifications: &[Modification]) -> Option<Modification> {
        let attribute = self.member_attribute().filter(|_| self.demands_member())?;
        let touched = modifications.iter().filter(|change| change.attribute.eq_ignore_ascii_case(attribute));
        let left = touched.fold(entry.values(attribute).len(), |left, change| match change.op {
            ModifyOp::Add => left + change.values.len(),
            ModifyOp::Delete => left.saturating_sub(change.values.len()),
            ModifyOp::Replace => change.values.len(),
        });
        (left == 0).then(|| self.placeholder_change(attribute))
    }

    /// The difference of one attribute. A value that was only filled in on reading is not in the entry, so it is not taken out.
    fn value_change(&self, entry: &Entry, name: &str, old: &[Vec<u8>], new: &[Vec<u8>]) -> Vec<Modification> {
        let stored = entry.values(name);
        let old: Vec<Vec<u8>> = old.iter().filter(|value| stored.contains(value)).cloned().collect();
        let single = self.rules.iter().any(|rule| rule.attribute == name && rule.definition.single_value);
        let multi = self.rules.iter().any(|rule| rule.attribute == name && rule.is_multi());
        if single || (!multi && old.len() == stored.len()) {
            return vec![Modification::new(ModifyOp::Replace, name, new.to_vec())];
        }
        let stays: Vec<Vec<u8>> = new.iter().filter(|value| !stored.contains(value) || old.contains(value)).cloned().collect();
        Modification::between(name, &old, &stays)
    }

    /// What makes an entry ours, if it is not yet.
    pub fn adoption(&self, entry: &Entry) -> Vec<Modification> {
        let missing = self.ownership.iter().filter(|mark| !entry.has(&mark.attribute, &mark.value));
        missing.map(|mark| Modification::new(ModifyOp::Add, &mark.attribute, vec![mark.value.clone().into_bytes()])).collect()
    }

    /// Holds while the entry is as it was read (RFC 4528), so that a change computed from it loses no other.
    pub fn unchanged(&self, entry: &Entry) -> Filter {
        let mark = entry.text(self.profile.change_mark);
        mark.map_or_else(Filter::everything, |mark| Filter::equal(self.profile.change_mark, mark))
    }
}
