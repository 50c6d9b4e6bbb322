//! What is protected: a name that is not there protects nobody.

use super::Patient;
use super::findings::Findings;
use crate::service::Protected;

pub(super) async fn check(patient: &Patient<'_>, protected: &Protected, findings: &mut Findings) {
    let keys = [
        ("protected.entries", &protected.entries, "entry"),
        ("protected.subtrees", &protected.subtrees, "branch"),
        ("protected.groups", &protected.groups, "group"),
    ];
    for (key, names, what) in keys {
        for dn in names {
            if patient.entry(dn, &["1.1"]).await.is_some() {
                findings.good(format!("{key}: the {what} {dn} is never changed through SCIM"));
            } else {
                findings.mend(
                    format!("{key}: {dn} is not there, or {} may not see it", patient.account()),
                    if key == "protected.groups" {
                        "write it as the directory does, or let the account read it: until then its members are not protected"
                    } else {
                        "write it as the directory does, or take it out"
                    },
                );
            }
        }
    }
}
