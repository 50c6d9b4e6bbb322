//! What is protected, where deleted users go, and how many may be deleted: a name that is not there protects nobody.

use super::Patient;
use super::findings::Findings;
use crate::service::{Protected, RailsConfig};

pub(super) async fn check(patient: &Patient<'_>, protected: &Protected, rails: RailsConfig, findings: &mut Findings) {
    afterlife(patient, findings).await;
    self::rails(rails, findings);
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

async fn afterlife(patient: &Patient<'_>, findings: &mut Findings) {
    let users = &patient.mapping.users;
    match users.recycle_base() {
        Some(base) if patient.entry(base, &["1.1"]).await.is_some() => {
            findings.good(format!("deleted users are disabled and go to {base}"));
        }
        Some(base) => findings.mend(
            format!("users.recycle_base: {base} is not there, or {} may not see it", patient.account()),
            "create it, and let the account make entries there: until then no user can be deleted",
        ),
        None if users.keeps_deleted() => findings.good("deleted users are disabled, and out of sight where they are"),
        None => findings.note("a DELETE removes the user's entry for good (users.on_delete)"),
    }
}

fn rails(rails: RailsConfig, findings: &mut Findings) {
    if rails.deletes.is_off() {
        findings.advise(
            "nothing stops a mistake in the identity provider from deleting everybody",
            "rails.deletes_per_hour or rails.deletes_percent limits how many one client may delete within an hour",
        );
    } else {
        findings.good("how many one client may delete within an hour is limited");
    }
    if rails.disables.is_off() {
        findings.advise(
            "nothing stops a mistake in the identity provider from disabling everybody",
            "rails.disables_per_hour or rails.disables_percent limits how many one client may disable within an hour",
        );
    } else {
        findings.good("how many one client may disable within an hour is limited");
    }
}
