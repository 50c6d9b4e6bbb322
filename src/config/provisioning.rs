//! `[provisioning]`, `[adoption]` and `[protected]`: whom the gateway provisions, and whom never.

use super::load::dn;
use super::reader::Section;
use crate::adoption::{AdoptionConfig, Key, Policy};
use crate::directory::Dn;
use crate::mapping::UserNameRule;
use crate::service::Protected;

pub(super) fn provisioning(mut section: Section<'_>) -> (UserNameRule, bool, Vec<Dn>) {
    let user_name = section.parsed("user_name", |text| match text {
        "email" => Ok(UserNameRule::Email),
        "any" => Ok(UserNameRule::Any),
        _ => Err("this must be \"email\" or \"any\"".to_owned()),
    });
    let existing_users = section.flag("existing_users", false);
    let default_groups = section.list("default_groups", dn).unwrap_or_default();
    section.finish();
    (user_name.unwrap_or(UserNameRule::Email), existing_users, default_groups)
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
