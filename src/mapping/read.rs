//! From an entry to a resource.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::ResourceMapping;
use super::names::{Groups, Name, Names};
use super::roles::ROLE_ATTRIBUTE;
use super::rule::Rule;
use super::view::location;
use crate::directory::{Dn, Entry};
use crate::scim::{BoundPath, Filter, ListQuery, Projection, Resource};

/// What reading needs beside the entry.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// The SCIM base, without a trailing slash.
    pub base_url: &'a str,
    /// What the entry's references point to.
    pub linked: Linked<'a>,
    /// The groups a user is in; `None` if nobody asked.
    pub groups: Option<&'a Groups>,
}

/// What the references of an entry point to.
#[derive(Debug, Clone, Copy)]
pub enum Linked<'a> {
    /// To these, by the names that the entry has for them.
    Names(&'a Names),
    /// A group that was read without its members has these.
    Members(&'a [Name]),
}

impl ResourceMapping {
    /// The attributes to ask the directory for, so that the projection can be served.
    pub fn attributes(&self, projection: &Projection) -> Arc<[String]> {
        // What almost every request asks for.
        let usual = self.usual_attributes.get_or_init(|| self.attributes_where(|path| Projection::Default.wants(path)).into());
        one_list(projection, usual, || self.attributes_where(|path| projection.wants(path)))
    }

    /// The same, so that a list's filter can be evaluated too, and its order told.
    pub fn attributes_for(&self, query: &ListQuery, projection: &Projection) -> Vec<String> {
        let named: Vec<&BoundPath> = query.filter.iter().flat_map(Filter::paths).chain(&query.sort_by).collect();
        self.attributes_where(|path| projection.wants(path) || named.iter().any(|named| named.parent() == path.parent()))
    }

    fn attributes_where(&self, wanted_path: impl Fn(&BoundPath) -> bool) -> Vec<String> {
        let profile = self.profile;
        let mut wanted: Vec<&str> = vec![profile.id, profile.change_mark, profile.created, profile.modified];
        wanted.extend(self.ownership.iter().map(|mark| mark.attribute.as_str()));
        wanted.extend(self.active.attribute());
        let rules: Vec<&Rule> = self.rules.iter().filter(|rule| wanted_path(&rule.path)).collect();
        // Which item of a list is the primary one depends on the userName.
        let lists = rules.iter().any(|rule| rule.has_primary());
        let user_name = self.rules.iter().find(|rule| lists && rule.path.is_core("userName", None));
        wanted.extend(rules.into_iter().chain(user_name).map(|rule| rule.attribute.as_str()));
        wanted.extend(self.sources(&wanted_path));
        let mut unique: Vec<String> = Vec::with_capacity(wanted.len());
        for name in wanted {
            if !unique.iter().any(|present| present.eq_ignore_ascii_case(name)) {
                unique.push(name.to_owned());
            }
        }
        unique
    }

    /// The same for a group whose members are known.
    pub fn attributes_without_members(&self, projection: &Projection) -> Arc<[String]> {
        let Some(member) = self.member_attribute() else { return self.attributes(projection) };
        let without = |all: &[String]| all.iter().filter(|attribute| *attribute != member).cloned().collect::<Vec<_>>();
        let usual = self.usual_but_members.get_or_init(|| without(&self.attributes(&Projection::Default)).into());
        one_list(projection, usual, || without(&self.attributes(projection)))
    }

    /// Whether all that is read of an entry, but for a group's members, is stored in it and changes with its change mark alone. What
    /// the directory keeps or makes up for itself need not: memberships, roles, the time of the last sign-in.
    pub fn is_told_by_marks(&self) -> bool {
        *self.told_by_marks.get_or_init(|| {
            let given = |name: &str| self.profile.given.iter().any(|given| given.eq_ignore_ascii_case(name));
            // An account is locked for good by a modification like any other.
            let is_lock = |name: &str| self.active.attribute().is_some_and(|lock| lock.eq_ignore_ascii_case(name));
            let is_stored = |rule: &Rule| {
                let Rule { attribute, definition, .. } = rule;
                !(attribute == ROLE_ATTRIBUTE || given(attribute) || definition.collective)
                    && (!definition.operational || is_lock(attribute))
            };
            self.has_exact_marks() && self.rules.iter().all(is_stored)
        })
    }

    /// Whether an entry refers to others, a group's members left out. A directory may rename such a reference by itself.
    pub fn refers(&self, entry: &Entry) -> bool {
        let member = self.member_attribute();
        let others = self.rules.iter().filter(|rule| rule.codec.refers() && member != Some(rule.attribute.as_str()));
        others.map(|rule| entry.values(&rule.attribute)).any(|values| !values.is_empty())
    }

    /// Every attribute that anything is read from.
    pub fn all_attributes(&self) -> Vec<String> {
        let mut all = self.attributes(&Projection::Default).to_vec();
        for rule in &self.rules {
            if !all.iter().any(|present| present.eq_ignore_ascii_case(&rule.attribute)) {
                all.push(rule.attribute.clone());
            }
        }
        all
    }

    /// The names of entries this one refers to, the placeholder left out.
    pub fn references(&self, entry: &Entry) -> Vec<Dn> {
        let references = self.rules.iter().filter(|rule| rule.codec.refers());
        references.flat_map(|rule| self.targets(rule, entry)).collect()
    }

    pub(super) fn targets(&self, rule: &Rule, entry: &Entry) -> Vec<Dn> {
        let names = entry.texts(&rule.attribute).filter(|text| *text != self.placeholder);
        names.filter_map(|text| self.reference_name(rule, text)).filter(|dn| !dn.is_root()).collect()
    }

    /// The resource's `id`.
    pub fn id(&self, entry: &Entry) -> Option<Uuid> {
        self.profile.identifier(entry)
    }

    /// The resource's version as an entity tag (RFC 7644 section 3.14).
    pub fn version(&self, entry: &Entry) -> Option<String> {
        entry.text(self.profile.change_mark).map(Self::version_of)
    }

    /// The entity tag of an entry with this change mark.
    pub fn version_of(mark: &str) -> String {
        format!("W/\"{mark}\"")
    }

    /// Whether no two versions of an entry have one change mark. A time that counts in seconds cannot promise that.
    pub fn has_exact_marks(&self) -> bool {
        self.profile.change_mark != self.profile.modified
    }

    /// Where the resource is found.
    pub fn location(&self, base_url: &str, id: &str) -> String {
        location(base_url, self.ty.kind, id)
    }

    /// The attributes that say what an entry is called, whether it is ours, and in which version.
    pub fn naming_attributes(&self) -> Vec<String> {
        let display = self.display_rules().map(|rule| rule.attribute.as_str());
        let ours = self.ownership.iter().map(|mark| mark.attribute.as_str());
        let all = [self.profile.id, self.profile.change_mark].into_iter().chain(display).chain(ours);
        all.map(str::to_owned).collect()
    }

    fn display_rules(&self) -> impl Iterator<Item = &Rule> {
        let called =
            |(name, sub): (&'static str, Option<&'static str>)| self.rules.iter().find(move |rule| rule.path.is_core(name, sub));
        [("displayName", None), ("name", Some("formatted")), ("userName", None)].into_iter().filter_map(called)
    }

    /// What others call this entry; `None` without an id.
    pub fn name(&self, entry: &Entry) -> Option<Name> {
        let display = self.display_rules().find_map(|rule| entry.text(&rule.attribute)).map(Into::into);
        Some(Name { kind: self.ty.kind, id: self.id(entry)?.to_string().into(), display })
    }

    /// The resource an entry is.
    pub fn read(&self, entry: &Entry, context: ReadContext<'_>) -> Resource {
        // What is shown has text for its keys, and so is a tree.
        match serde_json::to_value(self.shown(self.whole_view(), entry, context)) {
            Ok(Value::Object(map)) => Resource::from_map(map),
            Ok(_) | Err(_) => Resource::new(),
        }
    }
}

/// What is asked for by a projection, as the usual list where it is the same: one list of names serves all that is remembered by it.
fn one_list(projection: &Projection, usual: &Arc<[String]>, asked: impl FnOnce() -> Vec<String>) -> Arc<[String]> {
    match projection {
        Projection::Default => usual.clone(),
        Projection::Only(_) | Projection::Except(_) => {
            let asked = asked();
            if *asked == **usual { usual.clone() } else { asked.into() }
        }
    }
}
