//! Whether an entry is as a write left it, or as it was before.

use crate::audit::is_secret;
use crate::directory::profile::Profile;
use crate::directory::{AttributeType, Capabilities, ChangeRecord, Entry, Modification, ModifyOp, Subschema, Vendor};

/// What Active Directory gives a new entry where nobody says otherwise, beside what only it can give.
const MADE_UP: [&str; 8] = [
    "accountExpires",
    "codePage",
    "countryCode",
    "groupType",
    "lockoutTime",
    "msDS-SupportedEncryptionTypes",
    "sAMAccountName",
    "userAccountControl",
];

/// Whether a value is among others, as the directory compares them.
fn has(schema: &Subschema, entry: &Entry, attribute: &str, value: &[u8]) -> bool {
    let key = schema.value_key(attribute, value);
    schema.values(entry, attribute).iter().any(|present| schema.value_key(attribute, present) == key)
}

/// Whether an attribute has these values and no others.
fn is_exactly(schema: &Subschema, entry: &Entry, attribute: &str, values: &[Vec<u8>]) -> bool {
    schema.values(entry, attribute).len() == values.len() && values.iter().all(|value| has(schema, entry, attribute, value))
}

/// Whether the state is the one that a modification leads to.
fn is_made(schema: &Subschema, entry: &Entry, change: &Modification) -> bool {
    let Modification { op, attribute, values } = change;
    match op {
        ModifyOp::Add => values.iter().all(|value| has(schema, entry, attribute, value)),
        ModifyOp::Delete if values.is_empty() => schema.values(entry, attribute).is_empty(),
        ModifyOp::Delete => !values.iter().any(|value| has(schema, entry, attribute, value)),
        ModifyOp::Replace => is_exactly(schema, entry, attribute, values),
    }
}

/// Whether the state is surely the one before. That a value is gone is not enough where another one has come.
fn is_back(schema: &Subschema, entry: &Entry, change: &Modification, all: &[Modification]) -> bool {
    let Modification { op, attribute, .. } = change;
    let refers = schema.attribute(attribute).is_some_and(AttributeType::is_dn);
    let put_back = |value: &[u8]| {
        let key = schema.value_key(attribute, value);
        let added = all.iter().filter(|other| other.op == ModifyOp::Add && other.attribute.eq_ignore_ascii_case(attribute));
        added.flat_map(|other| &other.values).any(|other| schema.value_key(attribute, other) == key)
    };
    let none_else = || schema.values(entry, attribute).iter().all(|value| put_back(value));
    is_made(schema, entry, change) && (*op != ModifyOp::Delete || refers || none_else())
}

/// Whether the values that a write set are there; the error names the first attribute that is another one.
pub(super) fn still_there(record: &ChangeRecord, entry: Option<&Entry>, known: &Capabilities) -> Result<(), String> {
    let schema = &known.schema;
    let entry = match (record, entry) {
        (ChangeRecord::Delete(_), None) => return Ok(()),
        (ChangeRecord::Delete(_), Some(_)) => return Err("there is an entry of this name again".to_owned()),
        (_, None) => return Err("there is no entry of this name any more".to_owned()),
        (_, Some(entry)) => entry,
    };
    match record {
        ChangeRecord::Add(added) => {
            for (name, values) in added.attributes() {
                // The directory adds the classes above those that are named.
                let same = if name.eq_ignore_ascii_case("objectClass") {
                    values.iter().all(|value| has(schema, entry, name, value))
                } else {
                    is_exactly(schema, entry, name, values)
                };
                if !same {
                    return Err(format!("{name} has other values"));
                }
            }
            let profile = Profile::of(known);
            let foreign = entry.attributes().map(|(name, _)| name).find(|name| {
                let own = schema.attribute(name).is_none_or(|known| known.read_only || known.operational)
                    || profile.given.iter().any(|given| given.eq_ignore_ascii_case(name))
                    || (known.vendor == Vendor::ActiveDirectory && MADE_UP.iter().any(|made| made.eq_ignore_ascii_case(name)))
                    || is_secret(name);
                let named = added.dn.rdn().is_some_and(|rdn| rdn.value(name).is_some());
                !own && !named && schema.values(added, name).is_empty()
            });
            match foreign {
                Some(name) => Err(format!("{name} has come")),
                None => Ok(()),
            }
        }
        ChangeRecord::Modify { changes, .. } => {
            // Of several changes of one attribute the last one tells.
            let last = |n: usize, change: &Modification| {
                let rest = changes.get(n + 1..).unwrap_or_default();
                !rest.iter().any(|other| {
                    other.attribute.eq_ignore_ascii_case(&change.attribute)
                        && (other.op == ModifyOp::Replace || other.values.iter().any(|value| change.values.contains(value)))
                })
            };
            let other = changes.iter().enumerate().filter(|(n, change)| last(*n, change));
            match other.map(|(_, change)| change).find(|change| !is_made(schema, entry, change)) {
                Some(change) => Err(format!("{} has other values", change.attribute)),
                None => Ok(()),
            }
        }
        ChangeRecord::Rename { .. } | ChangeRecord::Move { .. } | ChangeRecord::Delete(_) => Ok(()),
    }
}

/// Whether the write is taken back already: by a run that was cut off, or by somebody else. `before` is the entry under the name it
/// had before, where that is another one.
pub(super) fn is_as_before(
    record: &ChangeRecord,
    inverse: &[ChangeRecord],
    (entry, before): (Option<&Entry>, Option<&Entry>),
    known: &Capabilities,
) -> bool {
    let schema = &known.schema;
    match (record, inverse.first()) {
        (ChangeRecord::Add(_), _) => entry.is_none(),
        (ChangeRecord::Rename { .. } | ChangeRecord::Move { .. }, _) => {
            // A name that differs by its case alone is one name.
            let other = record.new_name().is_some_and(|name| name.key() != record.dn().key());
            other && entry.is_none() && before.is_some()
        }
        (ChangeRecord::Modify { .. }, Some(ChangeRecord::Modify { changes, .. })) => {
            entry.is_some_and(|entry| !changes.is_empty() && changes.iter().all(|change| is_back(schema, entry, change, changes)))
        }
        (ChangeRecord::Delete(_), Some(ChangeRecord::Add(put_back))) => entry.is_some_and(|entry| {
            put_back.attributes().all(|(name, values)| values.iter().all(|value| has(schema, entry, name, value)))
        }),
        (ChangeRecord::Modify { .. } | ChangeRecord::Delete(_), _) => false,
    }
}
