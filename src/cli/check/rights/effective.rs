//! Rights as the directory itself tells them.

use super::super::findings::Findings;
use super::super::{Patient, section};
use super::Rights;
use crate::directory::Entry;
use crate::ldap::Inspection;
use crate::mapping::ResourceMapping;

/// Active Directory's constructed attributes ([MS-ADTS] sections 3.1.1.4.5.6 and 3.1.1.4.5.8).
const CHILD_CLASSES: &str = "allowedChildClassesEffective";
const ATTRIBUTES: &str = "allowedAttributesEffective";

pub(super) async fn active_directory(
    patient: &Patient<'_>,
    side: &ResourceMapping,
    sample: Option<&Entry>,
    findings: &mut Findings,
) {
    let mut rights = Rights { how: "by allowedChildClassesEffective and allowedAttributesEffective", ..Rights::default() };
    // The attribute is without a value where nothing is allowed, so that its absence is an answer.
    if let (Some(base), Some(class)) = (patient.entry(&side.base, &[CHILD_CLASSES]).await, side.object_classes().last()) {
        rights.add = Some(base.has(CHILD_CLASSES, class));
    }
    match sample {
        Some(sample) => {
            if let Some(entry) = patient.entry(&sample.dn, &[ATTRIBUTES]).await {
                // The class is set once and for all.
                for name in side.written().into_iter().filter(|name| !name.eq_ignore_ascii_case("objectClass")) {
                    let of = if entry.has(ATTRIBUTES, name) { &mut rights.allowed } else { &mut rights.denied };
                    of.push(name.to_owned());
                }
            }
        }
        None => nobody(side, findings),
    }
    rights.tell(patient, side, findings);
}

/// By the control, for an entry that is there and for one yet to be made.
pub(super) async fn ds389(
    patient: &Patient<'_>,
    side: &ResourceMapping,
    sample: Option<&Entry>,
    inspection: &mut Inspection,
    findings: &mut Findings,
) {
    let mut rights = Rights { how: "by its effective rights", ..Rights::default() };
    let Some(class) = side.object_classes().last() else { return };
    match inspection.effective_rights(&side.base, &[format!("*@{class}")]).await {
        // The branch itself comes too.
        Ok(told) => {
            let made_up = told.iter().find(|entry| entry.dn.key() != side.base.key());
            rights.add = made_up.and_then(|entry| entry.text("entryLevelRights")).map(|rights| rights.contains('a'));
        }
        Err(error) => findings.note(format!("the directory does not tell effective rights: {error}")),
    }
    let written: Vec<String> = side.written().into_iter().map(str::to_owned).collect();
    match sample {
        Some(sample) => match inspection.effective_rights(&sample.dn, &written).await {
            Ok(told) => {
                let of_entry = told.iter().find_map(|entry| entry.text("entryLevelRights"));
                rights.delete = of_entry.map(|rights| rights.contains('d'));
                let of_attributes = told.iter().flat_map(|entry| entry.texts("attributeLevelRights"));
                for (name, may) in of_attributes.flat_map(|text| text.split(',')).filter_map(|part| part.trim().split_once(':')) {
                    // Writing and taking away.
                    let both = may.contains('w') && may.contains('o');
                    if both { &mut rights.allowed } else { &mut rights.denied }.push(name.to_owned());
                }
            }
            Err(error) => findings.note(format!("the directory does not tell effective rights: {error}")),
        },
        None => nobody(side, findings),
    }
    rights.tell(patient, side, findings);
}

pub(super) fn nobody(side: &ResourceMapping, findings: &mut Findings) {
    findings.note(format!("there are no {} yet, so rights to change them cannot be looked at", section(side)));
}
