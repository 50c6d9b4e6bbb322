//! From a resource to an entry's attributes.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::config::{Passwords, UserNameRule};
use super::names::Targets;
use super::rule::Rule;
use super::{Active, ResourceMapping};
use crate::directory::profile::NameLimit;
use crate::directory::{Ava, Dn, Entry, Rdn};
use crate::scim::{Kind, Resource, ScimError, ScimType};

/// Attribute names (as mapped) and their values.
pub(super) type Attributes = BTreeMap<String, Vec<Vec<u8>>>;

impl ResourceMapping {
    /// The ids a resource refers to; to be looked up before it is written.
    pub fn referenced_ids(&self, resource: &Resource) -> Vec<String> {
        let references = self.rules.iter().filter(|rule| rule.codec.refers());
        references.flat_map(|rule| ids(rule, resource)).map(str::to_owned).collect()
    }

    /// Refuses a userName that does not fit the configured rule.
    pub fn check_user_name(&self, resource: &Resource) -> Result<(), ScimError> {
        let Some(name) = resource.text("userName").filter(|_| self.ty.kind == Kind::User) else { return Ok(()) };
        match self.user_name {
            UserNameRule::Any if name.trim().is_empty() => Err(self.nameless()),
            UserNameRule::Any => Ok(()),
            UserNameRule::Email if is_email(name) => Ok(()),
            UserNameRule::Email => Err(ScimError::bad_request(
                ScimType::InvalidValue,
                "userName must be an email address. In Ping, open the connection's attribute mapping and map Email Address to \
                 userName (the default maps Username); or set provisioning.user_name = \"any\" in scimgate's configuration",
            )),
        }
    }

    /// The entry a new resource becomes.
    pub fn new_entry(&self, resource: &Resource, targets: &Targets) -> Result<Entry, ScimError> {
        let attributes = self.values(resource, targets)?;
        let named = self.naming_value(self.rdn.as_str(), resource, &attributes);
        let name = named.as_deref().and_then(|value| std::str::from_utf8(value).ok()).filter(|name| !name.trim().is_empty());
        let name = name.ok_or_else(|| self.nameless())?;
        let mut entry = Entry::new(self.base.child(self.short_enough(Rdn::new(self.rdn.clone(), name))?));
        entry.push("objectClass", self.object_classes.iter().map(|class| class.as_bytes().to_vec()));
        for mark in &self.ownership {
            if !entry.has(&mark.attribute, &mark.value) {
                entry.push_text(&mark.attribute, &mark.value);
            }
        }
        for (name, values) in attributes {
            entry.push(&name, values);
        }
        for (name, value) in &self.new {
            entry.push_text(name, value);
        }
        if let Some(attribute) = self.member_attribute().filter(|_| self.demands_member)
            && entry.values(attribute).is_empty()
        {
            entry.push_text(attribute, &self.placeholder);
        }
        if let Some((attribute, value)) = self.password(resource).and_then(|password| self.profile.password.value(password)) {
            entry.push(attribute, [value]);
        }
        let active = resource.map().get("active").and_then(Value::as_bool).unwrap_or(true);
        if let Some((attribute, value)) = self.active.initial(active) {
            entry.push_text(attribute, &value);
        }
        if !active && self.active == Active::Nowhere {
            return Err(no_place_for_active());
        }
        Ok(entry)
    }

    /// The password that a resource brings, where passwords are stored.
    pub fn password<'a>(&self, resource: &'a Resource) -> Option<&'a str> {
        match self.passwords {
            Passwords::Off => None,
            Passwords::Store => resource.text("password"),
        }
    }

    /// The same entry without what the directory makes up by itself; `None` if it has nothing of the kind.
    pub fn without_generated(&self, entry: &Entry) -> Option<Entry> {
        let is_generated = |name: &str| self.generated.iter().any(|generated| generated.eq_ignore_ascii_case(name));
        let mut rest = Entry::new(entry.dn.clone());
        for (name, values) in entry.attributes().filter(|(name, _)| !is_generated(name)) {
            rest.push(name, values.to_vec());
        }
        (rest != *entry).then_some(rest)
    }

    /// Refuses a name that the directory could not keep, but would not say so.
    fn short_enough(&self, rdn: Rdn) -> Result<Rdn, ScimError> {
        let text = rdn.to_string();
        let (length, most, unit) = match self.profile.longest_name {
            // We escape by a backslash where the directory takes two digits more.
            NameLimit::RdnBytes(most) => (text.len() + text.matches('\\').count(), most, "bytes"),
            NameLimit::ValueChars(most) => {
                let longest = rdn.avas().iter().filter_map(Ava::text).map(|value| value.chars().count()).max();
                (longest.unwrap_or(0), most, "characters")
            }
        };
        if length <= most {
            return Ok(rdn);
        }
        Err(ScimError::bad_request(
            ScimType::InvalidValue,
            format!(
                "{} is too long: it names the entry in the directory, which takes {most} {unit} at most for that",
                self.naming_path()
            ),
        ))
    }

    /// What a client calls the attribute that names entries.
    fn naming_path(&self) -> String {
        let kept = self.rules.iter().find(|rule| self.rdn == *rule.attribute).map(|rule| rule.path.to_string());
        let unique = match self.ty.kind {
            Kind::User => "userName",
            Kind::Group => "displayName",
        };
        kept.unwrap_or_else(|| unique.to_owned())
    }

    fn nameless(&self) -> ScimError {
        ScimError::bad_request(
            ScimType::InvalidValue,
            format!("{} must not be blank: it names the entry in the directory", self.naming_path()),
        )
    }

    /// Every mapped attribute's values as the resource has them, what the object class demands filled in. What the directory would
    /// take for the same value is there once.
    pub(super) fn values(&self, resource: &Resource, targets: &Targets) -> Result<Attributes, ScimError> {
        let mut attributes = Attributes::new();
        let mut seen: HashSet<(&str, Vec<u8>)> = HashSet::new();
        for rule in &self.rules {
            let mut values = self.rule_values(rule, resource, targets)?;
            values.retain(|value| seen.insert((&rule.attribute, rule.key(value))));
            attributes.entry(rule.attribute.clone()).or_default().extend(values);
        }
        for (attribute, templates) in &self.fallback {
            let missing = attributes.get(attribute).is_none_or(Vec::is_empty);
            if missing && let Some(text) = templates.iter().find_map(|template| template.fill(resource)) {
                attributes.insert(attribute.clone(), vec![text.into_bytes()]);
            }
        }
        attributes.retain(|_, values| !values.is_empty());
        Ok(attributes)
    }

    fn rule_values(&self, rule: &Rule, resource: &Resource, targets: &Targets) -> Result<Vec<Vec<u8>>, ScimError> {
        if rule.codec.refers() {
            let names = ids(rule, resource).into_iter().filter_map(|id| targets.get(id));
            return Ok(names.filter_map(|dn| self.reference_text(rule, dn)).map(String::into_bytes).collect());
        }
        let Some(value) = resource.attribute(&rule.path) else { return Ok(Vec::new()) };
        let found: Vec<&Value> = match (&rule.path.sub, value) {
            (None, Value::Array(items)) => items.iter().collect(),
            (None, one) => vec![one],
            (Some(sub), Value::Array(items)) => {
                let kept_here = |item: &&Value| self.keeps(rule, item);
                let mut items: Vec<&Value> = items.iter().filter(kept_here).collect();
                // The primary item goes first: it is the one a single-valued attribute keeps.
                items.sort_by_key(|item| item.get("primary").and_then(Value::as_bool) != Some(true));
                items.into_iter().filter_map(|item| item.get(&sub.name)).collect()
            }
            (Some(sub), one) => one.get(&sub.name).into_iter().collect(),
        };
        let limit = if rule.is_multi() { usize::MAX } else { 1 };
        let write = |value: &Value| {
            rule.write(value).filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
                ScimError::bad_request(ScimType::InvalidValue, format!("{}: the value does not fit this attribute", rule.path))
            })
        };
        found.into_iter().take(limit).map(write).collect()
    }

    /// Whether an item of a list is kept by this rule: by its type; one without a type goes where work items go.
    fn keeps(&self, rule: &Rule, item: &Value) -> bool {
        let Some(wanted) = rule.item.as_deref() else { return true };
        if let Some(kind) = item.get("type").and_then(Value::as_str) {
            return kind.eq_ignore_ascii_case(wanted);
        }
        let siblings = || self.rules.iter().filter(|other| other.path == rule.path).filter_map(|other| other.item.as_deref());
        let default = siblings().find(|kind| *kind == "work").or_else(|| siblings().next());
        default == Some(wanted)
    }

    /// The value of a naming attribute that says what the entry is called. Of several SCIM attributes kept there it is the one of
    /// a single value, for that is how it is read.
    fn naming_value(&self, attribute: &str, resource: &Resource, attributes: &Attributes) -> Option<Vec<u8>> {
        let mut kept = self.rules.iter().filter(|rule| rule.attribute == attribute);
        let single = kept.find(|rule| !rule.path.attribute.multi_valued);
        let own = single.and_then(|rule| rule.write(resource.values(&rule.path).first()?));
        own.or_else(|| attributes.get(attribute).and_then(|values| values.first()).cloned())
    }

    /// The RDN the entry should have, where a mapped attribute that names it has another value now.
    pub(super) fn new_rdn(
        &self,
        dn: &Dn,
        (old, before): (&Resource, &Attributes),
        (new, after): (&Resource, &Attributes),
    ) -> Result<Option<Rdn>, ScimError> {
        let Some(rdn) = dn.rdn() else { return Ok(None) };
        let mut changed = rdn.clone();
        for ava in rdn.avas() {
            let rules = || self.rules.iter().filter(|rule| ava.attribute == *rule.attribute);
            let Some(rule) = rules().next() else {
                // A name made of another attribute follows it, unless somebody gave the entry another one.
                let made = |attributes: &Attributes| {
                    let found = attributes.iter().find(|(name, _)| ava.attribute == ***name);
                    found.and_then(|(_, values)| values.first()).and_then(|value| String::from_utf8(value.clone()).ok())
                };
                if let (Some(was), Some(is)) = (made(before), made(after))
                    && was != is
                    && ava.text() == Some(&was)
                {
                    changed = changed.with_value(ava.attribute.as_str(), &is);
                }
                continue;
            };
            let attribute = rule.attribute.as_str();
            let (was, is) = (self.naming_value(attribute, old, before), self.naming_value(attribute, new, after));
            // Of many values any may name the entry, as long as it is one of them.
            let among = |values: &Vec<Vec<u8>>| {
                let named = ava.text().map(|text| rule.key(text.as_bytes()));
                values.iter().any(|value| Some(rule.key(value)) == named)
            };
            let multi = rules().all(|rule| rule.path.attribute.multi_valued);
            let stays = if multi { after.get(attribute).is_some_and(among) } else { was == is };
            if !stays {
                let value = is.and_then(|value| String::from_utf8(value).ok()).filter(|value| !value.trim().is_empty());
                changed = changed.with_value(attribute, &value.ok_or_else(|| self.nameless())?);
            }
        }
        if changed == *rdn { Ok(None) } else { self.short_enough(changed).map(Some) }
    }
}

pub(super) fn no_place_for_active() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidValue,
        "active: this directory has no place to keep a disabled account; the administrator of scimgate can load the ppolicy \
         overlay or scimgate's schema into it, or set users.active",
    )
}

/// The `value` sub-attributes of a reference.
fn ids<'a>(rule: &Rule, resource: &'a Resource) -> Vec<&'a str> {
    resource.values(&rule.path).into_iter().filter_map(Value::as_str).collect()
}

/// One `@` with something on both sides and no space or control character. More is for the mail system to say.
pub(super) fn is_email(text: &str) -> bool {
    let sides =
        text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    sides && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn an_email_has_two_sides_and_no_space() {
        for good in ["ana.ruiz@corp.example", "a+b@c", "José@exämple.org", "o'brien@x.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "aruiz", "@x", "a@", "a b@c", "a@b@c", "a@b\n"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
