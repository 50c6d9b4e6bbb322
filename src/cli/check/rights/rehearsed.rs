//! Rights by trying: additions and removals that the server is told not to do, and modifications that fail in any case, but for
//! another reason than a missing right, which is what a server looks for first.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::findings::Findings;
use super::super::{Patient, section};
use super::Rights;
use super::effective::nobody;
use crate::directory::{Directory as _, DirectoryError, Entry, Modification, ModifyOp, Rdn, Reads, ResultCode, SearchRequest};
use crate::ldap::{Inspection, Rehearsed};
use crate::mapping::{ResourceMapping, Targets};
use crate::scim::{Dialect, Kind, Resource};

pub(super) async fn check(
    patient: &Patient<'_>,
    side: &ResourceMapping,
    sample: Option<&Entry>,
    inspection: Option<&mut Inspection>,
    findings: &mut Findings,
) {
    let mut rights = Rights { how: "tried without doing it", ..Rights::default() };
    if let Some(inspection) = inspection {
        let add = add(patient, side, inspection, findings).await;
        rights.add = add;
        // A server that has just shown that it does not do what it is told not to do.
        if let (Some(true), Some(sample)) = (add, sample) {
            rights.delete = match inspection.rehearse_delete(&sample.dn).await {
                Ok(Rehearsed::WouldBeDone) => Some(true),
                Ok(Rehearsed::WasDone) => {
                    findings.wrong(format!("{} was removed although the No-Op control forbade it", sample.dn));
                    None
                }
                Err(error) => error.is(ResultCode::InsufficientAccessRights).then_some(false),
            };
        }
    }
    match sample {
        Some(sample) => {
            for name in side.written() {
                match write(patient, sample, name).await {
                    Some(true) => rights.allowed.push(name.to_owned()),
                    Some(false) => rights.denied.push(name.to_owned()),
                    None => {}
                }
            }
        }
        None => nobody(side, findings),
    }
    rights.tell(patient, side, findings);
}

/// Whether a new resource would be taken; `None` if the server cannot be told not to do it.
async fn add(
    patient: &Patient<'_>,
    side: &ResourceMapping,
    inspection: &mut Inspection,
    findings: &mut Findings,
) -> Option<bool> {
    let section = section(side);
    let entry = match stranger(side) {
        Ok(entry) => entry,
        Err(detail) => {
            findings.wrong(format!("an entry cannot be made of one of the {section}: {detail}"));
            return None;
        }
    };
    let entry = harmless(patient, side, entry).await?;
    match inspection.rehearse_add(&entry).await {
        Ok(Rehearsed::WouldBeDone) => Some(true),
        Ok(Rehearsed::WasDone) => {
            let removed = patient.directory.delete(&entry.dn, None, Reads::NOTHING).await;
            let what_now = removed.map_or_else(|error| format!("remove it: {error}"), |_| "it has been removed again".to_owned());
            findings.wrong(format!("{} was added although the No-Op control forbade it: {what_now}", entry.dn));
            None
        }
        Err(error) => match error.code() {
            Some(ResultCode::InsufficientAccessRights | ResultCode::NoSuchObject) => Some(false),
            Some(ResultCode::UnavailableCriticalExtension) | None => None,
            Some(_) => {
                findings.mend(
                    format!("the directory would not take one of the {section} as scimgate writes them: {error}"),
                    format!("let the classes, the map and the directory's rules agree; the entry was {}", shape(&entry)),
                );
                None
            }
        },
    }
}

/// A resource that nobody has, as an entry.
fn stranger(side: &ResourceMapping) -> Result<Entry, String> {
    let name = format!("scimgate-check-{}", Uuid::new_v4());
    let body: Value = match side.ty.kind {
        Kind::User => {
            let address = format!("{name}@example.invalid");
            json!({ "userName": address, "displayName": "scimgate check", "externalId": name,
                "name": { "givenName": "scimgate", "familyName": "check" }, "emails": [{ "value": address, "type": "work" }] })
        }
        Kind::Group => json!({ "displayName": name, "externalId": name }),
    };
    let resource = Resource::accept(body, &side.ty, &mut Dialect::strict()).map_err(|error| error.detail)?;
    side.new_entry(&resource, &Targets::new()).map_err(|error| error.detail)
}

/// What may be tried of an entry (see `LdapDirectory::holds`): what others of the branch have. In an empty branch, one that is like
/// the branch itself, for the right to add is the same.
async fn harmless(patient: &Patient<'_>, side: &ResourceMapping, wanted: Entry) -> Option<Entry> {
    let mut entry = Entry::new(wanted.dn.clone());
    for (name, values) in wanted.attributes() {
        if patient.directory.holds(&side.base, name).await.unwrap_or(false) {
            entry.push(name, values.iter().cloned());
        }
    }
    let entry = match patient.capabilities.schema.check(&entry) {
        Ok(()) => entry,
        Err(_) => like_the_branch(patient, side).await?,
    };
    patient.capabilities.schema.check(&entry).ok().map(|()| entry)
}

async fn like_the_branch(patient: &Patient<'_>, side: &ResourceMapping) -> Option<Entry> {
    let naming = side.base.rdn()?.avas().first()?.attribute.clone();
    let request = SearchRequest::entry(&side.base, vec!["objectClass".to_owned()]);
    let branch = patient.directory.search(&request).await.ok()?.entries.into_iter().next()?;
    let name = format!("scimgate-check-{}", Uuid::new_v4());
    let mut entry = Entry::new(side.base.child(Rdn::new(naming.clone(), name.clone())));
    entry.push("objectClass", branch.values("objectClass").iter().cloned());
    entry.push_text(naming.as_str(), &name);
    Some(entry)
}

/// The names of its attributes, and its classes.
fn shape(entry: &Entry) -> String {
    let names: Vec<&str> = entry.attributes().map(|(name, _)| name).collect();
    let classes: Vec<&str> = entry.texts("objectClass").collect();
    format!("of the classes {} with {}", classes.join(", "), names.join(", "))
}

/// Whether an attribute may be written; `None` if the answer does not tell.
async fn write(patient: &Patient<'_>, sample: &Entry, name: &str) -> Option<bool> {
    let change = |op, values: &[Vec<u8>]| Modification::new(op, name, values.to_vec());
    // A value cannot be added twice, and an attribute not be removed twice, so neither is ever done.
    let changes = match sample.values(name) {
        [] => vec![change(ModifyOp::Delete, &[]), change(ModifyOp::Delete, &[])],
        [first, ..] => {
            let first = std::slice::from_ref(first);
            vec![change(ModifyOp::Delete, first), change(ModifyOp::Add, first), change(ModifyOp::Add, first)]
        }
    };
    match patient.directory.modify(&sample.dn, &changes, None, Reads::NOTHING).await {
        Err(DirectoryError::Refused { code, .. }) => match code {
            ResultCode::InsufficientAccessRights => Some(false),
            ResultCode::NoSuchAttribute
            | ResultCode::AttributeOrValueExists
            | ResultCode::InappropriateMatching
            | ResultCode::ObjectClassViolation
            | ResultCode::NamingViolation
            | ResultCode::NotAllowedOnRdn => Some(true),
            _ => None,
        },
        Ok(_) | Err(_) => None,
    }
}
