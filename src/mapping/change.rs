//! What has to be done to an entry so that it becomes another resource.

use std::collections::{BTreeSet, HashSet};

use super::names::Targets;
use super::rule::Rule;
use super::write::no_place_for_active;
use super::{Active, ResourceMapping};
use crate::directory::{Entry, Equality, Filter, Modification, ModifyOp, Rdn};
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
        // An entry that was there before us may have any userName, as long as it stays.
        if new.text("userName") != old.text("userName") {
            self.check_user_name(new)?;
        }
        let (before, after) = (self.values(old, targets)?, self.values(new, targets)?);
        let rename = self.new_rdn(&entry.dn, (old, &before), (new, &after))?;
        let none = Vec::new();
        let mut modifications = Vec::new();
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            let Some(rule) = self.rules.iter().find(|rule| rule.attribute == *name) else {
                // Filled in for the class alone: it follows what it was made of, unless somebody gave it another value, or it
                // names the entry and so has followed already.
                let names = entry.dn.rdn().is_some_and(|rdn| rdn.value(name).is_some());
                let made_up = self.generated.iter().any(|generated| generated.eq_ignore_ascii_case(name));
                if old != new && !names && !made_up && entry.values(name) == old.as_slice() {
                    modifications.extend(self.replacement(name, old, new.clone()));
                }
                continue;
            };
            if old != new {
                let mut stored = entry.values(name).to_vec();
                // The client saw these; what was only filled in on reading is not in the entry.
                let mut seen: HashSet<Vec<u8>> = old.iter().map(|value| rule.key(value)).collect();
                if let Some((from, to)) = entry.dn.rdn().zip(rename.as_ref()) {
                    follow(rule, (from, to), &mut stored, &mut seen);
                }
                let naming = entry.dn.rdn().is_some_and(|rdn| rdn.value(&rule.attribute).is_some());
                modifications.extend(self.value_change(rule, naming, (&stored, &seen), new));
            }
        }
        let flag = |resource: &Resource| resource.map().get("active").and_then(serde_json::Value::as_bool).unwrap_or(true);
        if flag(old) != flag(new) {
            if self.active == Active::Nowhere && !flag(new) {
                return Err(no_place_for_active());
            }
            modifications.extend(self.active.changes(entry, flag(new)));
        }
        if let Some((attribute, value)) = self.password(new).and_then(|password| self.profile.password.value(password)) {
            modifications.push(Modification::new(ModifyOp::Replace, attribute, vec![value]));
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
        let attribute = self.member_attribute().filter(|_| self.demands_member)?;
        let mut touched = modifications.iter().filter(|change| change.attribute == attribute).peekable();
        touched.peek()?;
        let left = touched.fold(entry.values(attribute).len(), |left, change| match change.op {
            ModifyOp::Add => left + change.values.len(),
            ModifyOp::Delete => left.saturating_sub(change.values.len()),
            ModifyOp::Replace => change.values.len(),
        });
        (left == 0).then(|| self.placeholder_change(attribute))
    }

    /// The difference of one attribute: what was seen and is no longer wanted goes, what is wanted and not there comes.
    fn value_change(
        &self,
        rule: &Rule,
        naming: bool,
        (stored, seen): (&[Vec<u8>], &HashSet<Vec<u8>>),
        wanted: &[Vec<u8>],
    ) -> Vec<Modification> {
        let name = &rule.attribute;
        let (seen, unseen): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) = stored.iter().partition(|value| seen.contains(&rule.key(value)));
        let keys = |values: &[&Vec<u8>]| values.iter().map(|value| rule.key(value)).collect::<HashSet<_>>();
        let (seen_keys, unseen_keys) = (keys(&seen), keys(&unseen));
        // A name in another spelling is the same name; a text in another is not what the client wants.
        let respelt = !rule.codec.refers();
        let spelt: HashSet<&[u8]> = stored.iter().map(Vec::as_slice).collect();
        let is_there = |value: &&Vec<u8>| {
            let key = rule.key(value);
            unseen_keys.contains(&key) || seen_keys.contains(&key) && (!respelt || spelt.contains(value.as_slice()))
        };
        let multi = self.rules.iter().any(|other| other.attribute == *name && other.is_multi());
        let one_by_one = rule.definition.equality != Equality::None;
        if multi && one_by_one {
            let (keep, come): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) = wanted.iter().partition(is_there);
            let keep = keys(&keep);
            let gone: Vec<Vec<u8>> = seen.into_iter().filter(|value| !keep.contains(&rule.key(value))).cloned().collect();
            let come: Vec<Vec<u8>> = come.into_iter().cloned().collect();
            let changes = [(ModifyOp::Delete, gone), (ModifyOp::Add, come)].into_iter().filter(|(_, values)| !values.is_empty());
            return changes.map(|(op, values)| Modification::new(op, name, values)).collect();
        }
        // A value that the client cannot see stays, behind the one that it can: a directory keeps the order of values if it can,
        // and the first is the one that is read, but for the one in the entry's name.
        let wanted_keys = keys(&wanted.iter().collect::<Vec<_>>());
        let rest = unseen.into_iter().filter(|value| !rule.definition.single_value && !wanted_keys.contains(&rule.key(value)));
        let values: Vec<Vec<u8>> = wanted.iter().chain(rest).cloned().collect();
        let same_set = || values.len() == stored.len() && values.iter().all(|value| stored.contains(value));
        if values == stored || naming && same_set() {
            return Vec::new();
        }
        if one_by_one { self.replacement(name, stored, values) } else { vec![Modification::new(ModifyOp::Replace, name, values)] }
    }

    /// Puts values in the place of others. Where the directory cannot be told to look first whether the entry is as it was read,
    /// it is by the old values that it notices: one that is gone cannot be taken away.
    fn replacement(&self, name: &str, old: &[Vec<u8>], new: Vec<Vec<u8>>) -> Vec<Modification> {
        if !self.swaps {
            return vec![Modification::new(ModifyOp::Replace, name, new)];
        }
        let all = [(ModifyOp::Delete, old.to_vec()), (ModifyOp::Add, new)].into_iter().filter(|(_, values)| !values.is_empty());
        all.map(|(op, values)| Modification::new(op, name, values)).collect()
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

/// What a rename does to the values of a naming attribute (RFC 4511 section 4.9): the old one goes, the new one comes.
fn follow(rule: &Rule, (from, to): (&Rdn, &Rdn), stored: &mut Vec<Vec<u8>>, seen: &mut HashSet<Vec<u8>>) {
    let (Some(old), Some(new)) = (from.value(&rule.attribute), to.value(&rule.attribute)) else { return };
    if old == new {
        return;
    }
    let (old, new) = (rule.key(old.as_bytes()), new.as_bytes().to_vec());
    stored.retain(|value| rule.key(value) != old);
    let new_key = rule.key(&new);
    if !stored.iter().any(|value| rule.key(value) == new_key) {
        stored.push(new);
    }
    seen.insert(new_key);
}
