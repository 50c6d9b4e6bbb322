//! Groups: what their class demands, and whether users know which they are in.

use super::Patient;
use super::findings::Findings;
use crate::directory::profile::MEMBER_OF;
use crate::directory::{Dn, Filter, Vendor};

pub(super) async fn check(patient: &Patient<'_>, findings: &mut Findings) {
    let (users, groups) = (&patient.mapping.users, &patient.mapping.groups);
    let class = groups.object_classes().last().map_or("", String::as_str);
    match (groups.placeholder(), groups.placeholder().map(str::parse::<Dn>)) {
        (Some(_), Some(Ok(dn))) if !dn.is_root() && dn.is_under(&users.base) => findings.advise(
            format!("a group of the class {class} must have a member, and the placeholder {dn} is the name of a user that could be made"),
            "set groups.placeholder to a name outside users.base, or to \"\", which names nobody",
        ),
        (Some(placeholder), _) => {
            findings.good(format!("a group of the class {class} must have a member: an empty one has \"{placeholder}\", which is not shown"));
        }
        (None, _) => findings.good(format!("a group of the class {class} may be empty")),
    }
    for dn in &patient.mapping.default_groups {
        if patient.entry(dn, &["1.1"]).await.is_none() {
            findings.mend(
                format!("provisioning.default_groups: {dn} is not there, or {} may not see it", patient.account()),
                "create it, or take it out: until then no user can be created",
            );
        }
    }
    for role in &patient.mapping.roles {
        let found = patient.look(&role.group, groups.class(), &["1.1"]).await;
        if found.iter().any(|entry| entry.dn.key() == role.group.key()) {
            findings.good(format!("the role {} is the group {}", role.name, role.group));
        } else {
            findings.mend(
                format!(
                    "roles.{}: {} is not there, is no {class}, or {} may not see it",
                    role.name,
                    role.group,
                    patient.account()
                ),
                "create it, or take the role out: until then nobody can be given it",
            );
        }
    }
    member_of(patient, findings).await;
}

/// Whether `memberOf` says what groups say, for one of the memberships there are.
async fn member_of(patient: &Patient<'_>, findings: &mut Findings) {
    let (users, groups) = (&patient.mapping.users, &patient.mapping.groups);
    if !users.relies_on_member_of() {
        return findings.note("memberOf is not relied on: users cannot be searched by groups.value (groups.member_of)");
    }
    let Some(attribute) = groups.member_attribute() else { return };
    let filter = Filter::all([groups.class(), Filter::Present(attribute.to_owned())]);
    let Some(group) = patient.any(groups, filter, vec![attribute.to_owned()]).await else {
        return findings.note("no group has a member yet, so whether memberOf is kept cannot be looked at");
    };
    let mut members = group.texts(attribute).filter_map(|name| name.parse::<Dn>().ok());
    let Some(member) = members.find(|dn| !dn.is_root() && dn.is_under(&users.base)) else {
        return findings.note(format!("{} has no user as a member, so whether memberOf is kept cannot be looked at", group.dn));
    };
    let Some(user) = patient.entry(&member, &[MEMBER_OF]).await else {
        return findings.advise(
            format!("{member} is a member of {}, but is not there", group.dn),
            "take such members out, and let the directory do it from now on (memberof-refint, referential integrity)",
        );
    };
    let named = user.texts(MEMBER_OF).filter_map(|name| name.parse::<Dn>().ok()).any(|dn| dn.key() == group.dn.key());
    if !named {
        return findings.mend(
            format!("memberOf of {member} does not name {}, of which it is a member: searches by groups.value miss it", group.dn),
            match patient.capabilities.vendor {
                Vendor::Ds389 => format!("dsconf INSTANCE plugin memberof fixup {}", users.base),
                Vendor::OpenLdap => {
                    "take such members out and put them in again, with the memberof overlay loaded; let scimgate's \
                                     account read memberOf; or set groups.member_of = false"
                        .to_owned()
                }
                Vendor::ActiveDirectory | Vendor::Unknown => {
                    "let scimgate's account read memberOf, or set groups.member_of = false".to_owned()
                }
            },
        );
    }
    findings.good("memberOf is kept");
    if patient.mapping.groups_nested && patient.capabilities.vendor == Vendor::OpenLdap {
        findings.note("slapd keeps direct groups in memberOf: by groups.value users of a group in a group are not found");
    }
}
