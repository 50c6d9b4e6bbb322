//! What some clients must find in every user, made of other attributes where the directory has no value.
//!
//! It is put into answers and nothing else: filters and sorting go by what the directory has, and a client that sends back what
//! it was shown has not said anything new.

use serde_json::{Value, json};

use super::ResourceMapping;
use super::write::is_email;
use crate::scim::{BoundPath, Kind, Resource};

const GIVEN: &str = "name.givenName";
const FAMILY: &str = "name.familyName";
const EMAILS: &str = "emails";

impl ResourceMapping {
    /// The attributes that what is wanted may have to be made of.
    pub(super) fn sources(&self, wanted: impl Fn(&BoundPath) -> bool) -> impl Iterator<Item = &str> {
        let made = |name: &&str| self.kept(name).is_some_and(|path| wanted(&path));
        let of: &[&str] = match ([GIVEN, FAMILY].iter().any(made), made(&EMAILS)) {
            (true, _) => &["name.formatted", "displayName", "userName"],
            (false, true) => &["userName"],
            (false, false) => &[],
        };
        self.rules.iter().filter(|rule| of.contains(&rule.path.to_string().as_str())).map(|rule| rule.attribute.as_str())
    }

    /// Fills in what a user lacks of a given name, a family name and an email address.
    pub fn complete(&self, resource: &mut Resource) {
        if self.kept(EMAILS).is_some() && resource.map().get(EMAILS).is_none() {
            let address = resource.text("userName").filter(|name| is_email(name));
            if let Some(item) = address.map(|address| json!({ "value": address, "type": "work", "primary": true })) {
                resource.map_mut().insert(EMAILS.to_owned(), json!([item]));
            }
        }
        let made = [(GIVEN, FAMILY), (FAMILY, GIVEN)].map(|(wanted, other)| {
            let missing = self.kept(wanted).is_some() && resource.text(wanted).is_none();
            missing.then(|| part(resource, wanted == GIVEN, resource.text(other))).flatten()
        });
        for (path, text) in [GIVEN, FAMILY].into_iter().zip(made) {
            if let Some(text) = text
                && let Some(name) = resource.map_mut().entry("name").or_insert_with(|| json!({})).as_object_mut()
                && let Some((_, sub)) = path.split_once('.')
            {
                name.insert(sub.to_owned(), text.into());
            }
        }
    }

    /// What a client means by `new`, which was shown `old` with all filled in: what it merely repeats it does not mean. That is so
    /// only if it would be filled in again: what was sent is what is read.
    #[must_use]
    pub fn without_repeated(&self, old: &Resource, mut new: Resource) -> Resource {
        let mut shown = old.clone();
        self.complete(&mut shown);
        for paths in [&[GIVEN, FAMILY][..], &[EMAILS]] {
            let mut rest = new.clone();
            let mut repeated = Vec::new();
            for path in paths {
                if value(old, path).is_none() && repeats(path, value(&shown, path), value(&new, path)) {
                    take(&mut rest, path);
                    repeated.push(path);
                }
            }
            let mut again = rest.clone();
            self.complete(&mut again);
            if repeated.iter().all(|path| repeats(path, value(&again, path), value(&new, path))) {
                new = rest;
            }
        }
        new
    }

    /// Whether a PATCH of this attribute can repeat what was filled in.
    pub fn may_be_made(&self, path: &BoundPath) -> bool {
        self.ty.kind == Kind::User && path.extension.is_none() && ["name", EMAILS].contains(&path.attribute.name.as_str())
    }

    /// An attribute of users that the directory has a place for.
    fn kept(&self, name: &str) -> Option<BoundPath> {
        self.ty.resolve_str(name).filter(|_| self.ty.kind == Kind::User)
    }
}

fn value<'a>(resource: &'a Resource, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let first = resource.map().get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

fn take(resource: &mut Resource, path: &str) {
    let (attribute, sub) = path.split_once('.').map_or((path, None), |(attribute, sub)| (attribute, Some(sub)));
    let is_empty = match (resource.map_mut().get_mut(attribute).and_then(Value::as_object_mut), sub) {
        (Some(object), Some(sub)) => {
            object.remove(sub);
            object.is_empty()
        }
        (_, _) => true,
    };
    if is_empty {
        resource.map_mut().remove(attribute);
    }
}

/// Whether the client sent what was made. Of the one item of a list it may leave out all but the value.
fn repeats(path: &str, made: Option<&Value>, sent: Option<&Value>) -> bool {
    let (Some(made), Some(sent)) = (made, sent) else { return false };
    if path != EMAILS {
        return made == sent;
    }
    let (Some([made]), Some([Value::Object(sent)])) = (made.as_array().map(Vec::as_slice), sent.as_array().map(Vec::as_slice))
    else {
        return false;
    };
    sent.contains_key("value") && sent.iter().all(|(name, value)| made.get(name) == Some(value))
}

/// The given or the family name as the other names tell it, and at the worst the part of the userName before the `@`.
fn part(resource: &Resource, given: bool, other: Option<&str>) -> Option<String> {
    let local = resource.text("userName").map(|name| name.split('@').next().unwrap_or_default().trim());
    let spaced = local.map(|local| local.replace(['.', '_'], " "));
    let full = ["name.formatted", "displayName"].into_iter().filter_map(|path| resource.text(path));
    // What the class demanded may have been made of the userName.
    let full = full.filter(|text| !text.contains('@'));
    let told = |text: &str| {
        let rest = other.and_then(|other| beside(text, other));
        rest.or_else(|| split(text).map(|(first, last)| if given { first } else { last })).map(str::to_owned)
    };
    full.chain(spaced.as_deref()).find_map(told).or_else(|| local.filter(|local| !local.is_empty()).map(str::to_owned))
}

/// What is left of a full name beside the part that is known: `Ana` of `Ana Ruiz Soto` beside `Ruiz Soto`.
fn beside<'a>(full: &'a str, known: &str) -> Option<&'a str> {
    let full = full.trim();
    let before = full.strip_suffix(known).filter(|rest| rest.ends_with(|c: char| c.is_whitespace() || c == ','));
    let after = || full.strip_prefix(known).filter(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == ','));
    let rest = before.or_else(after)?.trim_matches(|c: char| c.is_whitespace() || c == ',');
    Some(rest).filter(|rest| !rest.is_empty())
}

/// `Ana María Ruiz` and `Ruiz, Ana María` in two, the given name first.
fn split(full: &str) -> Option<(&str, &str)> {
    let by_comma = full.split_once(',').map(|(family, given)| (given, family));
    let (given, family) = by_comma.or_else(|| full.trim().rsplit_once(char::is_whitespace))?;
    let (given, family) = (given.trim(), family.trim());
    (!given.is_empty() && !family.is_empty()).then_some((given, family))
}
