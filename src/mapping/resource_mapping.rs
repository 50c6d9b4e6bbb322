//! One resource type's side of a mapping: what is an entry of it, which one is meant, and who is a member.

use std::sync::{Arc, OnceLock};

use super::Active;
use super::config::{Mark, Passwords, UserNameRule};
use super::deleted::Afterlife;
use super::names::{Name, Names};
use super::rule::{Codec, Rule};
use super::template::Template;
use super::view::{View, among};
use crate::directory::profile::{Lock, Profile};
use crate::directory::{AttributeName, Ava, Dn, DnKey, Entry, Filter, Modification, ModifyOp, Rdn};
use crate::scim::{BoundPath, Kind, Resource, ResourceType};

/// One resource type's side of it.
#[derive(Debug)]
pub struct ResourceMapping {
    /// The resource type, narrowed.
    pub ty: Arc<ResourceType>,
    /// The branch.
    pub base: Dn,
    /// The vendor's names.
    pub profile: &'static Profile,
    /// Where `active` is kept; users only.
    pub active: Active,
    pub(super) object_classes: Vec<String>,
    /// What selects entries of this type, managed or not.
    pub(super) class: Filter,
    pub(super) rdn: AttributeName,
    pub(super) rules: Vec<Rule>,
    pub(super) fallback: Vec<(String, Vec<Template>)>,
    /// What every new entry has beside.
    pub(super) new: Vec<(String, String)>,
    /// Attributes of `fallback` that the directory makes up if they are missing.
    pub(super) generated: Vec<String>,
    pub(super) user_name: UserNameRule,
    pub(super) passwords: Passwords,
    /// Attribute values that make an entry ours.
    pub(super) ownership: Vec<Mark>,
    /// Which of them an entry must have to be seen.
    pub(super) visible: Option<Mark>,
    /// What becomes of deleted entries.
    pub(super) afterlife: Afterlife,
    /// The DN that stands for nobody, as written into `member`.
    pub(super) placeholder: String,
    /// Whether an entry of this class must have a member.
    pub(super) demands_member: bool,
    /// Which attribute of a user groups tell it by, where it is not the name of its entry; and the users' branch.
    pub(super) logins: Option<(AttributeName, Dn)>,
    /// `memberOf`, where the directory has it.
    pub(super) member_of: bool,
    /// The directory cannot compare before it writes, so a change says which values it replaces.
    pub(super) swaps: bool,
    /// What is asked of the directory for an answer in which the client asked for nothing in particular.
    pub(super) usual_attributes: OnceLock<Arc<[String]>>,
    /// The same less the members.
    pub(super) usual_but_members: OnceLock<Arc<[String]>>,
    /// Whether all that entries hold changes with their change marks alone.
    pub(super) told_by_marks: OnceLock<bool>,
    /// How entries are shown to such a client.
    pub(super) usual_view: OnceLock<Arc<View>>,
    /// Everything that can be told of them.
    pub(super) whole_view: OnceLock<View>,
}

impl ResourceMapping {
    /// Entries of this resource type that are visible through SCIM.
    pub fn visible(&self) -> Filter {
        Filter::all(
            std::iter::once(self.class())
                .chain(self.visible.iter().map(|mark| Filter::equal(&mark.attribute, &mark.value)))
                .chain(self.not_deleted()),
        )
    }

    /// Whether an entry of this resource type may be invisible.
    pub fn hides_some(&self) -> bool {
        self.visible.is_some() || self.not_deleted().is_some()
    }

    /// Entries of this resource type, managed or not.
    pub fn class(&self) -> Filter {
        self.class.clone()
    }

    /// The entry with this `id`, if it is visible. An `id` that no entry can have matches none.
    pub fn by_id(&self, id: &str) -> Option<Filter> {
        Self::parse_id(id).map(|id| self.by_uuid(id))
    }

    /// An `id` as it is written: other forms of a UUID are none.
    pub fn parse_id(id: &str) -> Option<uuid::Uuid> {
        uuid::Uuid::try_parse(id).ok().filter(|_| id.len() == 36)
    }

    /// The same, for one that is an `id`.
    pub fn by_uuid(&self, id: uuid::Uuid) -> Filter {
        Filter::Equal(self.profile.id.to_owned(), self.profile.id_form.write(id))
    }

    /// Finds the entry of this name in a search below the base.
    pub fn by_name(&self, dn: &Dn) -> Filter {
        let by_rdn = || {
            let avas = dn.rdn().into_iter().flat_map(Rdn::avas);
            let equal = |ava: &Ava| ava.text().map(|text| Filter::equal(ava.attribute.as_str(), text));
            Filter::all(avas.filter_map(equal))
        };
        let entry_dn = self.profile.entry_dn.filter(|_| self.logins.is_none());
        entry_dn.map_or_else(by_rdn, |attribute| Filter::equal(attribute, dn.to_string()))
    }

    /// The attribute that holds a group's members.
    pub fn member_attribute(&self) -> Option<&str> {
        self.member_rule().map(|rule| rule.attribute.as_str())
    }

    fn member_rule(&self) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.path.attribute.name == "members" && rule.codec.refers())
    }

    /// The value that stands for an entry among a group's members; `None` if none can.
    pub fn member_value(&self, dn: &Dn) -> Option<String> {
        self.member_rule().and_then(|rule| self.reference_text(rule, dn))
    }

    /// The entry that a value stands for.
    pub fn member_name(&self, value: &str) -> Option<Dn> {
        self.member_rule().and_then(|rule| self.reference_name(rule, value))
    }

    /// Whether values of members are compared as the names they stand for, in whatever spelling.
    pub fn members_are_names(&self) -> bool {
        self.member_rule().is_none_or(|rule| rule.codec == Codec::Reference)
    }

    pub(super) fn reference_text(&self, rule: &Rule, dn: &Dn) -> Option<String> {
        match (rule.codec, &self.logins) {
            (Codec::Login, Some((attribute, base))) => {
                dn.rdn().filter(|_| dn.is_under(base)).and_then(|rdn| rdn.value(attribute.as_str())).map(str::to_owned)
            }
            _ => Some(dn.to_string()),
        }
    }

    pub(super) fn reference_name(&self, rule: &Rule, text: &str) -> Option<Dn> {
        match (rule.codec, &self.logins) {
            (Codec::Login, Some((attribute, base))) => Some(base.child(Rdn::new(attribute.clone(), text))),
            _ => text.parse().ok(),
        }
    }

    /// The names by which references may mean an entry: its own, and the one that it would have directly below the base.
    pub fn called(&self, dn: &Dn) -> Vec<DnKey> {
        let below = self.logins.as_ref().and_then(|_| dn.rdn()).map(|rdn| self.base.child(rdn.clone()).key());
        let own = dn.key();
        let other = below.filter(|below| *below != own);
        std::iter::once(own).chain(other).collect()
    }

    /// A user's `groups`, which no attribute of the entry holds.
    pub fn groups_path(&self) -> Option<BoundPath> {
        (self.ty.kind == Kind::User).then(|| self.ty.resolve_str("groups")).flatten()
    }

    /// A group's `members`, where they have a place.
    pub fn members_path(&self) -> Option<BoundPath> {
        (self.ty.kind == Kind::Group && self.member_attribute().is_some()).then(|| self.ty.resolve_str("members")).flatten()
    }

    /// Those of the entries that are resources, each once: two spellings of one name are one member.
    pub fn members_among(&self, entries: &[Dn], names: &Names) -> Vec<Name> {
        among(entries, names).into_iter().cloned().collect()
    }

    /// Puts in the name of nobody, so that a group may be empty.
    pub fn placeholder_change(&self, attribute: &str) -> Modification {
        Modification::new(ModifyOp::Add, attribute, vec![self.placeholder.clone().into_bytes()])
    }

    /// Whether the name of nobody is in already.
    pub fn has_placeholder(&self, entry: &Entry, attribute: &str) -> bool {
        entry.texts(attribute).any(|text| text == self.placeholder)
    }

    /// Whether an entry of this name is called so: nothing is left to rename.
    pub fn is_named(&self, dn: &Dn, name: &str) -> bool {
        let called = self.rules.iter().find(|rule| rule.path.attribute.name == "displayName");
        called.is_some_and(|rule| dn.rdn().and_then(|rdn| rdn.value(&rule.attribute)) == Some(name))
    }

    /// What makes an entry ours, if it is said not to be.
    pub fn adoption_of(&self, owned: bool) -> impl Iterator<Item = Modification> {
        let marks = self.ownership.iter().filter(move |_| !owned);
        marks.map(|mark| Modification::new(ModifyOp::Add, &mark.attribute, vec![mark.value.clone().into_bytes()]))
    }

    /// The SCIM attribute that is kept in an attribute.
    pub fn path_of(&self, attribute: &str) -> Option<String> {
        self.rules.iter().find(|rule| rule.attribute.eq_ignore_ascii_case(attribute)).map(|rule| match &rule.item {
            Some(item) => format!("{} of type {item}", rule.path),
            None => rule.path.to_string(),
        })
    }

    /// The SCIM attributes that lead to an attribute of an entry: those it holds, and those from which it is made up.
    pub fn led_by(&self, attribute: &str) -> Vec<String> {
        let lock = match self.profile.lock {
            Lock::Value { attribute, .. } | Lock::Bit { attribute, .. } => attribute,
        };
        let is = |name: &str| name.eq_ignore_ascii_case(attribute);
        let password = self.profile.password.attribute().is_some_and(is) || is("userPassword");
        let held = self.rules.iter().filter(|rule| is(&rule.attribute)).map(|rule| match &rule.item {
            Some(item) => format!("{} of type {item}", rule.path),
            None => rule.path.to_string(),
        });
        let mut found: Vec<String> = held.collect();
        if self.ty.kind == Kind::User && is(lock) {
            found.push("active".to_owned());
        }
        if password {
            found.push("password".to_owned());
        }
        found.dedup();
        found
    }

    /// Finds another resource with the same unique name; `None` where the entry's own name sees to that.
    pub fn unique_filter(&self, resource: &Resource) -> Option<Filter> {
        let name = match self.ty.kind {
            Kind::User => "userName",
            Kind::Group => "displayName",
        };
        let rule = self.rules.iter().find(|rule| rule.path.extension.is_none() && rule.path.attribute.name == name)?;
        let value = resource.text(name).filter(|_| self.rdn != *rule.attribute)?;
        Some(Filter::equal(&rule.attribute, value))
    }
}
