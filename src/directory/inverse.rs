//! What undoes a write: change records that lead back to what was, made of the write and of what it replaced.

use super::change::ChangeRecord;
use super::profile::{Lock, MEMBER_OF, Profile};
use super::{Capabilities, Dn, Entry, Modification, ModifyOp, Rdn, Subschema};

/// Its other end is kept in `MEMBER_OF` ([MS-ADTS] section 3.1.1.1.6).
const FORWARD_LINK: &str = "member";

impl ChangeRecord {
    /// The attributes whose values must be known from before the write for it to be undone.
    ///
    /// Values that are taken away by name are not among them: they are put back as they were named. So a member leaves a group of
    /// thousands without that group being read.
    pub fn needed_before(&self, capabilities: &Capabilities) -> Vec<String> {
        match self {
            Self::Add(_) | Self::Move { .. } => Vec::new(),
            Self::Modify { changes, .. } => {
                let mut names: Vec<String> = Vec::new();
                for change in changes.iter().filter(|change| replaces(change)) {
                    if !names.iter().any(|name| name.eq_ignore_ascii_case(&change.attribute)) {
                        names.push(change.attribute.clone());
                    }
                }
                names
            }
            Self::Rename { dn, rdn, .. } => naming(dn, rdn),
            // Not all directories give operational attributes for `+`.
            Self::Delete(_) => {
                let lock = match Profile::of(capabilities).lock {
                    Lock::Value { attribute, .. } | Lock::Bit { attribute, .. } => attribute,
                };
                ["*", "+", lock].map(str::to_owned).to_vec()
            }
        }
    }

    /// The changes that undo this one, in the order in which they are made. `None` where what was before is needed and not known.
    pub fn inverse(&self, before: Option<&Entry>, capabilities: &Capabilities) -> Option<Vec<Self>> {
        match self {
            Self::Add(entry) => Some(vec![Self::Delete(entry.dn.clone())]),
            Self::Modify { dn, changes } => {
                let changes = undone(changes, before, &capabilities.schema)?;
                Some(vec![Self::Modify { dn: dn.clone(), changes }])
            }
            Self::Rename { dn, rdn, .. } => renamed_back(dn, rdn, before?, &capabilities.schema),
            Self::Move { dn, parent } => {
                let (rdn, home) = (dn.rdn()?, dn.parent()?);
                Some(vec![Self::Move { dn: parent.child(rdn.clone()), parent: home }])
            }
            Self::Delete(_) => Some(put_back(before?, capabilities)),
        }
    }
}

/// Whether a modification ends values that it does not name.
fn replaces(change: &Modification) -> bool {
    change.op == ModifyOp::Replace || (change.op == ModifyOp::Delete && change.values.is_empty())
}

/// The values of an attribute, which the directory may call by its first name.
fn values<'a>(entry: &'a Entry, name: &str, schema: &Subschema) -> &'a [Vec<u8>] {
    match (entry.values(name), schema.attribute(name)) {
        ([], Some(known)) => entry.values(&known.name),
        (found, _) => found,
    }
}

fn undone(changes: &[Modification], before: Option<&Entry>, schema: &Subschema) -> Option<Vec<Modification>> {
    let mut back: Vec<Modification> = Vec::new();
    for change in changes.iter().rev() {
        let name = &change.attribute;
        let of_it = |other: &Modification| other.attribute.eq_ignore_ascii_case(name);
        if changes.iter().any(|other| of_it(other) && replaces(other)) {
            if !back.iter().any(of_it) {
                back.push(Modification::new(ModifyOp::Replace, name, values(before?, name, schema).to_vec()));
            }
            continue;
        }
        let op = if change.op == ModifyOp::Add { ModifyOp::Delete } else { ModifyOp::Add };
        back.push(Modification::new(op, name, change.values.clone()));
    }
    Some(back)
}

/// The attributes that name the entry before or after it is renamed.
fn naming(dn: &Dn, rdn: &Rdn) -> Vec<String> {
    let old = dn.rdn().map(Rdn::avas).unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for ava in old.iter().chain(rdn.avas()) {
        if !names.iter().any(|name| ava.attribute == **name) {
            names.push(ava.attribute.as_str().to_owned());
        }
    }
    names
}

fn renamed_back(dn: &Dn, rdn: &Rdn, before: &Entry, schema: &Subschema) -> Option<Vec<ChangeRecord>> {
    let old = dn.rdn()?;
    let same =
        |value: &[u8], text: &str| std::str::from_utf8(value).is_ok_and(|value| value.to_lowercase() == text.to_lowercase());
    let had = |name: &str, text: &str| values(before, name, schema).iter().any(|value| same(value, text));
    let is_old = |name: &str, text: &str| old.value(name).is_some_and(|value| same(value.as_bytes(), text));
    // A value that was there beside the old name stays when the new name goes.
    let keep_old = rdn.avas().iter().any(|ava| {
        let name = ava.attribute.as_str();
        ava.text().is_some_and(|text| had(name, text) && !is_old(name, text))
    });
    let back = ChangeRecord::Rename { dn: dn.renamed(rdn.clone()), rdn: old.clone(), keep_old };
    // The rename gives the attribute its value as the name spells it, and may keep or take too much of a name of several values.
    let mut respelt = Vec::new();
    for name in naming(dn, rdn) {
        let was = values(before, &name, schema);
        let new: Vec<&str> = rdn.avas().iter().filter(|ava| ava.attribute == *name).filter_map(|ava| ava.text()).collect();
        let spelt: Vec<&str> = old.avas().iter().filter(|ava| ava.attribute == *name).filter_map(|ava| ava.text()).collect();
        let exact = spelt.iter().all(|text| was.iter().any(|value| value == text.as_bytes()));
        let too_much = keep_old && new.iter().any(|text| !had(&name, text) || is_old(&name, text));
        if (!exact || too_much) && !was.is_empty() {
            respelt.push(Modification::new(ModifyOp::Replace, &name, was.to_vec()));
        }
    }
    let mut records = vec![back];
    if !respelt.is_empty() {
        records.push(ChangeRecord::Modify { dn: dn.clone(), changes: respelt });
    }
    Some(records)
}

/// A removed entry, without what only the directory can give it; and where memberships went with it, those.
fn put_back(before: &Entry, capabilities: &Capabilities) -> Vec<ChangeRecord> {
    let profile = Profile::of(capabilities);
    let mut entry = Entry::new(before.dn.clone());
    for (name, values) in before.attributes() {
        // Active Directory's schema says it of the object class too, of which an entry must have one.
        let own = capabilities.schema.attribute(name).is_some_and(|known| known.read_only && known.name != "objectClass")
            || profile.given.iter().any(|given| given.eq_ignore_ascii_case(name));
        if !own {
            entry.push(name, values.iter().cloned());
        }
    }
    let value = before.dn.to_string().into_bytes();
    let mut records = vec![ChangeRecord::Add(entry)];
    if profile.linked_members {
        let groups = before.texts(MEMBER_OF).filter_map(|group| group.parse::<Dn>().ok());
        records.extend(groups.map(|dn| {
            let changes = vec![Modification::new(ModifyOp::Add, FORWARD_LINK, vec![value.clone()])];
            ChangeRecord::Modify { dn, changes }
        }));
    }
    records
}

#[cfg(test)]
#[path = "inverse_tests.rs"]
mod tests;
