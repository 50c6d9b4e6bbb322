//! Roles that are groups of the directory: whoever is in the group has the role.
//!
//! For the rest of the mapping they are values of one more attribute, which no directory has. `membership::RoleGroups` stands
//! before the directory and turns it into memberships and back.

use super::rule::{MapPath, Rule};
use super::{Mapping, ResourceMapping};
use crate::directory::profile::MEMBER_OF;
use crate::directory::{AttributeType, Dn, Equality, Filter};
use crate::scim::{BoundPath, Filter as ScimFilter, Resource, ResourceType, ScimError, ScimType};

/// The attribute that stands for memberships of role groups.
pub const ROLE_ATTRIBUTE: &str = "x-scimgate-role";

/// One role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What clients call it.
    pub name: String,
    /// Whoever is a member of this group has it.
    pub group: Dn,
}

impl Mapping {
    /// Refuses roles that nobody can have.
    pub fn check_roles(&self, resource: &Resource) -> Result<(), ScimError> {
        let Some(path) = self.users.ty.resolve_str("roles.value").filter(|_| !self.roles.is_empty()) else { return Ok(()) };
        let values = resource.values(&path);
        let unknown = values.iter().filter_map(|value| value.as_str()).find(|value| self.role(value).is_none());
        let Some(unknown) = unknown else { return Ok(()) };
        let unknown: String = unknown.chars().take(64).collect();
        let names: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        Err(ScimError::bad_request(
            ScimType::InvalidValue,
            format!(
                "roles: there is no role {unknown:?}, but there are {}; nothing was changed. Send one of these, or have the \
                 administrator give it a group under [roles] in scimgate's configuration.",
                names.join(", ")
            ),
        ))
    }

    /// The role that a client calls so.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name.eq_ignore_ascii_case(name.trim()))
    }
}

impl ResourceMapping {
    /// Whether a filter asks for roles that are groups.
    pub(super) fn asks_for_roles(&self, filter: &ScimFilter<BoundPath>) -> bool {
        let kept = self.rules.iter().find(|rule| rule.attribute == ROLE_ATTRIBUTE);
        kept.is_some_and(|rule| filter.paths().iter().any(|path| path.parent() == rule.path.parent()))
    }
}

/// The rule that keeps roles in the attribute that stands for them.
pub(super) fn rule(ty: &ResourceType) -> Result<Rule, String> {
    let definition = AttributeType {
        name: ROLE_ATTRIBUTE.to_owned(),
        equality: Equality::CaseIgnore,
        substrings: true,
        ..AttributeType::default()
    };
    Rule::new(MapPath::parse("roles.value", ty)?, ROLE_ATTRIBUTE.to_owned(), definition)
}

/// A filter in which the attribute that stands for memberships is replaced by `memberOf`.
pub fn by_member_of(filter: Filter, roles: &[Role]) -> Filter {
    let of = |fits: &dyn Fn(&str) -> bool| {
        let groups = roles
            .iter()
            .filter(|role| fits(&role.name.to_lowercase()))
            .map(|role| Filter::equal(MEMBER_OF, role.group.to_string()));
        match <[Filter; 1]>::try_from(groups.collect::<Vec<_>>()) {
            Ok([one]) => one,
            Err(none) if none.is_empty() => Filter::nothing(),
            Err(many) => Filter::Or(many),
        }
    };
    let is_role = |attribute: &str| attribute.eq_ignore_ascii_case(ROLE_ATTRIBUTE);
    let text = |value: &[u8]| String::from_utf8_lossy(value).to_lowercase();
    match filter {
        Filter::And(parts) => Filter::And(parts.into_iter().map(|part| by_member_of(part, roles)).collect()),
        Filter::Or(parts) => Filter::Or(parts.into_iter().map(|part| by_member_of(part, roles)).collect()),
        Filter::Not(inner) => by_member_of(*inner, roles).negated(),
        Filter::Present(attribute) if is_role(&attribute) => of(&|_| true),
        Filter::Equal(attribute, value) if is_role(&attribute) => of(&|name| name == text(&value).trim()),
        Filter::GreaterOrEqual(attribute, value) if is_role(&attribute) => of(&|name| name >= text(&value).as_str()),
        Filter::LessOrEqual(attribute, value) if is_role(&attribute) => of(&|name| name <= text(&value).as_str()),
        Filter::Substring { attribute, initial, any, last } if is_role(&attribute) => of(&|name| {
            let part = |value: &Option<Vec<u8>>| value.as_ref().map(|value| text(value)).unwrap_or_default();
            let Some(mut rest) = name.strip_prefix(part(&initial).as_str()) else { return false };
            for middle in &any {
                match rest.split_once(text(middle).as_str()) {
                    Some((_, after)) => rest = after,
                    None => return false,
                }
            }
            rest.ends_with(part(&last).as_str())
        }),
        other @ (Filter::Present(_)
        | Filter::Equal(..)
        | Filter::GreaterOrEqual(..)
        | Filter::LessOrEqual(..)
        | Filter::Substring { .. }
        | Filter::HasBits(..)
        | Filter::InChain(..)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> Vec<Role> {
        let role = |name: &str, group: &str| Role { name: name.to_owned(), group: group.parse().unwrap() };
        vec![role("ROLE_USER", "cn=u,dc=x"), role("ROLE_MANAGER", "cn=m,dc=x")]
    }

    #[test]
    fn a_search_for_roles_is_one_for_memberships() {
        let equal = |value: &str| Filter::equal(ROLE_ATTRIBUTE, value);
        let substring = |initial: Option<&str>, any: &[&str], last: Option<&str>| Filter::Substring {
            attribute: ROLE_ATTRIBUTE.to_owned(),
            initial: initial.map(|text| text.as_bytes().to_vec()),
            any: any.iter().map(|text| text.as_bytes().to_vec()).collect(),
            last: last.map(|text| text.as_bytes().to_vec()),
        };
        for (filter, expected) in [
            (equal("role_user"), "(memberOf=cn=u,dc=x)"),
            (equal("ROLE"), "(!(objectClass=*))"),
            (equal("ROLE_MANAGER").negated(), "(!(memberOf=cn=m,dc=x))"),
            (Filter::Present(ROLE_ATTRIBUTE.to_owned()), "(|(memberOf=cn=u,dc=x)(memberOf=cn=m,dc=x))"),
            (substring(None, &["man"], None), "(memberOf=cn=m,dc=x)"),
            (substring(Some("ROLE_"), &[], Some("r")), "(|(memberOf=cn=u,dc=x)(memberOf=cn=m,dc=x))"),
            (substring(None, &["r", "u", "u"], None), "(!(objectClass=*))"),
            (Filter::all([Filter::equal("uid", "ana"), equal("ROLE_USER")]), "(&(uid=ana)(memberOf=cn=u,dc=x))"),
        ] {
            assert_eq!(by_member_of(filter, &roles()).to_string(), expected);
        }
    }
}
