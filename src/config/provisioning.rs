//! `[provisioning]`, `[adoption]`, `[protected]`, `[rails]`, and what a DELETE does: whom the gateway provisions, and whom never.

use super::load::dn;
use super::reader::Section;
use crate::admin::{Provisioning, SetHere};
use crate::adoption::{AdoptionConfig, Key, Policy};
use crate::directory::Dn;
use crate::mapping::{OnDelete, Role, UserNameRule};
use crate::service::{Protected, Rail, RailsConfig};

/// What shadow mode may keep, unless the configuration says otherwise.
const SHADOW_LIMIT: usize = 256 << 20;

/// `[provisioning]`
pub(super) struct ProvisioningRules {
    pub(super) enabled: bool,
    pub(super) user_name: UserNameRule,
    pub(super) existing_users: bool,
    pub(super) default_groups: Vec<Dn>,
    /// What shadow mode may keep, in bytes, where that is wanted.
    pub(super) shadow: Option<usize>,
}

/// `console` is what was set there; where the configuration sets it itself goes to `set`.
pub(super) fn provisioning(mut section: Section<'_>, console: Provisioning, set: &mut SetHere) -> ProvisioningRules {
    let enabled;
    (enabled, set.enabled) = section.switch("enabled", true, console.enabled);
    let user_name = section.parsed("user_name", |text| match text {
        "email" => Ok(UserNameRule::Email),
        "any" => Ok(UserNameRule::Any),
        _ => Err("this must be \"email\" or \"any\"".to_owned()),
    });
    let existing_users;
    (existing_users, set.existing_users) = section.switch("existing_users", false, console.existing_users);
    let default_groups = section.list("default_groups", dn).unwrap_or_default();
    let shadow = section.flag("shadow", false);
    let limit = section.size("shadow_limit", SHADOW_LIMIT);
    section.finish();
    let user_name = user_name.unwrap_or(UserNameRule::Email);
    ProvisioningRules { enabled, user_name, existing_users, default_groups, shadow: shadow.then_some(limit) }
}

pub(super) fn adoption(mut section: Section<'_>) -> AdoptionConfig {
    let default = AdoptionConfig::default();
    let place = section.place_of("keys");
    let keys = section.list("keys", str::parse::<Key>).unwrap_or(default.keys);
    if keys.is_empty() {
        section.note(place.as_ref(), "keys", "name one at least, such as \"userName\"");
    }
    let policy = section.parsed("policy", str::parse::<Policy>).unwrap_or(default.policy);
    section.finish();
    AdoptionConfig { keys, policy }
}

/// `joined` are groups that the gateway puts users into, and by which key that was configured.
pub(super) fn protected(mut section: Section<'_>, joined: &[(&str, &Dn)]) -> Protected {
    let branch = |text: &str| match dn(text) {
        Ok(base) if base.is_root() => Err("this is the whole directory: name an entry of it".to_owned()),
        parsed => parsed,
    };
    let place = section.place_of("groups").or(section.place_of("subtrees")).or(section.place_of("entries"));
    let protected = Protected {
        entries: section.list("entries", branch).unwrap_or_default(),
        subtrees: section.list("subtrees", branch).unwrap_or_default(),
        groups: section.list("groups", branch).unwrap_or_default(),
    };
    for (key, group) in joined {
        if protected.by_name(group).is_some() {
            let what = format!("{group} is protected, so nobody can be put into it: take it out here or out of {key}");
            section.note(place.as_ref(), "groups", what);
        }
    }
    section.finish();
    protected
}

/// `users.on_delete` and `users.recycle_base`.
pub(super) fn on_delete(section: &mut Section<'_>, base: Option<&Dn>) -> OnDelete {
    let (place, branch_place) = (section.place_of("on_delete"), section.place_of("recycle_base"));
    let word = section.parsed("on_delete", |text| match text {
        "delete" | "disable" | "recycle" => Ok(text.to_owned()),
        _ => Err("this must be \"delete\", \"disable\" or \"recycle\"".to_owned()),
    });
    let branch = section.parsed("recycle_base", dn);
    match (word.as_deref(), branch) {
        (Some("recycle"), Some(branch)) => {
            if base.is_some_and(|base| branch.is_under(base) || base.is_under(&branch)) {
                let what = "this must lie outside users.base, where deleted users would be found as ever: name another branch, or set \
                            users.on_delete = \"disable\"";
                section.note(branch_place.as_ref(), "recycle_base", what);
            }
            OnDelete::Recycle(branch)
        }
        (Some("recycle"), None) => {
            if branch_place.is_none() {
                let what = "say where deleted users go: recycle_base = \"ou=recycled,dc=example,dc=com\"";
                section.note(place.as_ref(), "on_delete", what);
            }
            OnDelete::Delete
        }
        (Some("disable"), _) => OnDelete::Disable,
        (_, _) => OnDelete::Delete,
    }
}

pub(super) fn rails(mut section: Section<'_>) -> RailsConfig {
    let mut rail = |per_hour: &'static str, percent: &'static str| {
        let place = section.place_of(percent);
        let rail = Rail { per_hour: section.number(per_hour, 0, 0), percent: section.number(percent, 0, 0) };
        if rail.percent > 100 {
            section.note(place.as_ref(), percent, "this must be 100 or less");
        }
        rail
    };
    let rails = RailsConfig {
        deletes: rail("deletes_per_hour", "deletes_percent"),
        disables: rail("disables_per_hour", "disables_percent"),
    };
    section.finish();
    rails
}

/// `[roles]`: what clients call them, and the groups that they are.
pub(super) fn roles(root: &mut Section<'_>, base: Option<&Dn>) -> Vec<Role> {
    let place = root.place_of("roles");
    let mut roles: Vec<Role> = Vec::new();
    for (name, group) in root.texts("roles") {
        let wrong = |what: String| root.note(place.as_ref(), &format!("roles.{name}"), what);
        let group = match dn(&group) {
            Ok(group) => group,
            Err(error) => {
                wrong(error);
                continue;
            }
        };
        if name.trim() != name || name.is_empty() {
            wrong("a role's name neither begins nor ends with a space".to_owned());
        } else if roles.iter().any(|role| role.name.eq_ignore_ascii_case(&name)) {
            wrong("this role is there already, in another case of letters".to_owned());
        } else if roles.iter().any(|role| role.group.key() == group.key()) {
            wrong(format!("{group} is another role already: give each a group of its own"));
        } else if base.is_some_and(|base| !group.is_under(base)) {
            wrong(
                "a role's group must be below groups.base, where memberships of deleted and renamed users are kept true"
                    .to_owned(),
            );
        }
        roles.push(Role { name, group });
    }
    roles
}
