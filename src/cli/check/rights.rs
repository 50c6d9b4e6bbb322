//! Whether the account may do what scimgate will do. Nothing is written to find out.

mod effective;
mod rehearsed;

use super::findings::Findings;
use super::{Patient, section};
use crate::directory::{Entry, Filter, Vendor};
use crate::ldap::Inspection;
use crate::mapping::ResourceMapping;

/// Get Effective Rights (draft-ietf-ldapext-acl-model).
const EFFECTIVE_RIGHTS: &str = "1.3.6.1.4.1.42.2.27.9.5.2";

pub(super) async fn check(
    patient: &Patient<'_>,
    side: &ResourceMapping,
    inspection: Option<&mut Inspection>,
    findings: &mut Findings,
) {
    let mut wanted = side.all_attributes();
    wanted.extend(side.written().into_iter().map(str::to_owned));
    // The members of a large group are not needed to tell whether they may be changed.
    wanted.retain(|name| Some(name.as_str()) != side.member_attribute());
    let sample = patient.any(side, side.visible(), wanted).await;
    if let Some(sample) = &sample {
        reading(patient, side, sample, findings).await;
    }
    match (patient.capabilities.vendor, inspection) {
        (Vendor::ActiveDirectory, _) => effective::active_directory(patient, side, sample.as_ref(), findings).await,
        (Vendor::Ds389, Some(inspection)) if patient.capabilities.has_control(EFFECTIVE_RIGHTS) => {
            effective::ds389(patient, side, sample.as_ref(), inspection, findings).await;
        }
        (Vendor::OpenLdap | Vendor::Ds389 | Vendor::Unknown, inspection) => {
            rehearsed::check(patient, side, sample.as_ref(), inspection, findings).await;
        }
    }
}

/// What an entry must show so that it can be served.
async fn reading(patient: &Patient<'_>, side: &ResourceMapping, sample: &Entry, findings: &mut Findings) {
    let section = section(side);
    let Some(id) = side.id(sample) else {
        return findings.mend(
            format!("{} of {section} cannot be read: without it no resource has an id", side.profile.id),
            format!("let {} read it: {}", patient.account(), grant(patient, side)),
        );
    };
    if side.version(sample).is_none() {
        findings.mend(
            format!("{} of {section} cannot be read: without it changes of others are not noticed", side.profile.change_mark),
            format!("let {} read it: {}", patient.account(), grant(patient, side)),
        );
    }
    let mut searches = vec![("id", Filter::all([side.visible(), side.by_uuid(id)]))];
    for name in ["userName", "displayName"] {
        if let Some((attribute, value)) = side.kept_in(name).first().and_then(|name| Some((*name, sample.text(name)?))) {
            searches.push((name, Filter::all([side.visible(), Filter::equal(attribute, value)])));
        }
    }
    for (name, filter) in searches {
        if patient.any(side, filter, vec!["1.1".to_owned()]).await.is_none() {
            findings.mend(
                format!("{section} cannot be searched by {name}: {} is not found by its own", sample.dn),
                format!("let {} search by it: {}", patient.account(), grant(patient, side)),
            );
        }
    }
}

/// What has been found out.
#[derive(Debug, Default)]
struct Rights {
    /// Whether entries may be added and removed, where that can be told.
    add: Option<bool>,
    delete: Option<bool>,
    /// Attributes that may be written, and those that may not.
    allowed: Vec<String>,
    denied: Vec<String>,
    /// How it was found out.
    how: &'static str,
}

impl Rights {
    fn tell(self, patient: &Patient<'_>, side: &ResourceMapping, findings: &mut Findings) {
        let (section, base, account) = (section(side), &side.base, patient.account());
        for (right, verb) in [(self.add, "add"), (self.delete, "remove")] {
            match right {
                Some(true) => findings.good(format!("{account} may {verb} {section} below {base} ({})", self.how)),
                Some(false) => findings.mend(format!("{account} may not {verb} {section} below {base}"), grant(patient, side)),
                None => {
                    findings.note(format!("whether {account} may {verb} {section} below {base} cannot be told without doing it"));
                }
            }
        }
        if !self.denied.is_empty() {
            findings.mend(format!("{account} may not write {} of {section}", self.denied.join(", ")), grant(patient, side));
        }
        if !self.allowed.is_empty() {
            findings.good(format!("{account} may write {} of {section} ({})", self.allowed.join(", "), self.how));
        }
    }
}

/// What gives the account its rights.
fn grant(patient: &Patient<'_>, side: &ResourceMapping) -> String {
    let (base, account) = (&side.base, patient.account());
    match patient.capabilities.vendor {
        Vendor::OpenLdap | Vendor::Unknown => {
            format!(
                "in slapd, before the rules that are there: access to dn.subtree=\"{base}\" by dn.exact=\"{account}\" write by * break"
            )
        }
        Vendor::Ds389 => format!(
            "add to {base}: aci: (targetattr=\"*\")(version 3.0; acl \"scimgate\"; allow (all) userdn=\"ldap:///{account}\";)"
        ),
        Vendor::ActiveDirectory => {
            format!("delegate control of {base} to {account}: create, delete and manage {}", section(side))
        }
    }
}
