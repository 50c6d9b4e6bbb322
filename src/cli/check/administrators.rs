//! The people who may let a client in: whether there are any.

use super::Patient;
use super::findings::Findings;
use crate::auth::AdministratorsConfig;

pub(super) async fn check(patient: &Patient<'_>, config: &AdministratorsConfig, findings: &mut Findings) {
    let AdministratorsConfig { group, base } = config;
    let Some(entry) = patient.entry(group, &["member", "uniqueMember"]).await else {
        findings.mend(
            format!("auth.oauth.administrators: {group} is not there, or {} may not see it", patient.account()),
            "create it, name another, or grant read access: nobody can sign in for a client",
        );
        return;
    };
    let members = ["member", "uniqueMember"].iter().flat_map(|name| entry.texts(name)).filter(|text| !text.is_empty()).count();
    if members == 0 {
        findings.mend(
            format!("auth.oauth.administrators: {group} has no members, or {} may not see them", patient.account()),
            "add the people who may let clients in, or grant read access to its member attribute",
        );
    } else if patient.entry(base, &["1.1"]).await.is_none() {
        findings.mend(
            format!("auth.oauth.administrators_base: {base} is not there, or {} may not see it", patient.account()),
            "name the branch that administrators' entries are in, or grant read access",
        );
    } else {
        findings.good(format!("administrators who may let clients in: {members} members of {group}"));
    }
}
