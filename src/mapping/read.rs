//! From an entry to a resource.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::ResourceMapping;
use super::names::{Groups, Name, Names};
use super::rule::Rule;
use crate::directory::{Dn, Entry, instant};
use crate::scim::text::prepare;
use crate::scim::{BoundPath, Filter, Kind, ListQuery, Projection, Resource};

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
        let attributes = || self.attributes_where(|path| projection.wants(path)).into();
        match projection {
            // What almost every request asks for.
            Projection::Default => self.usual_attributes.get_or_init(attributes).clone(),
            Projection::Only(_) | Projection::Except(_) => attributes(),
        }
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
        let lists = rules.iter().any(|rule| has_primary(rule));
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
    pub fn attributes_without_members(&self, projection: &Projection) -> Vec<String> {
        let member = self.member_attribute();
        self.attributes(projection).iter().filter(|attribute| member != Some(attribute.as_str())).cloned().collect()
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

    fn targets(&self, rule: &Rule, entry: &Entry) -> Vec<Dn> {
        let names = entry.texts(&rule.attribute).filter(|text| *text != self.placeholder);
        names.filter_map(|text| self.reference_name(rule, text)).filter(|dn| !dn.is_root()).collect()
    }

    /// The resource's `id`.
    pub fn id(&self, entry: &Entry) -> Option<Uuid> {
        entry.values(self.profile.id).first().and_then(|value| self.profile.id_form.read(value))
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
        format!("{base_url}{}/{id}", self.ty.kind.endpoint())
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
        let mut resource = Resource::new();
        let id = self.id(entry).map(|id| id.to_string()).unwrap_or_default();
        for rule in &self.rules {
            if rule.codec.refers() {
                self.read_reference(rule, entry, context, &mut resource);
            } else {
                read_rule(rule, entry, &mut resource);
            }
        }
        self.mark_primary(&mut resource);
        let map = resource.map_mut();
        if self.ty.kind == Kind::User {
            map.insert("active".to_owned(), self.active.read(entry).into());
            if let Some(groups) = context.groups.filter(|groups| **groups != Groups::default()) {
                let item = |kind: &'static str| move |group: &Name| reference(group, context.base_url, kind);
                let items = groups.direct.iter().map(item("direct")).chain(groups.indirect.iter().map(item("indirect")));
                map.insert("groups".to_owned(), items.collect());
            }
        } else if self.member_attribute().is_some() {
            // Some clients add nobody to a group that does not say that it is empty.
            map.entry("members").or_insert_with(|| Value::Array(Vec::new()));
        }
        let extensions = self.ty.extensions.iter().map(|schema| &*schema.id).filter(|id| map.contains_key(*id));
        let schemas: Vec<&str> = std::iter::once(&*self.ty.schema.id).chain(extensions).collect();
        let schemas = json!(schemas);
        map.insert("schemas".to_owned(), schemas);
        let meta = self.meta(entry, context.base_url, &id);
        map.insert("id".to_owned(), id.into());
        map.insert("meta".to_owned(), meta);
        resource
    }

    /// Connectors look for one primary item in each list, and some take the first for it. The directory tells neither, its values
    /// have no order: an item of type work it is, the one that is the userName before others.
    fn mark_primary(&self, resource: &mut Resource) {
        let user_name = resource.text("userName").map(|name| prepare(name, false));
        let lists = self.rules.iter().filter(|rule| has_primary(rule));
        let mut done: Vec<&str> = Vec::new();
        for rule in lists {
            if done.contains(&rule.path.attribute.name.as_str()) {
                continue;
            }
            done.push(&rule.path.attribute.name);
            let mut items = take_items(resource, &rule.path);
            let text =
                |item: &Map<String, Value>, sub: &str| item.get(sub).and_then(Value::as_str).map(|text| prepare(text, false));
            let rank = |item: &Map<String, Value>| {
                (text(item, "type").as_deref() != Some("work"), user_name.is_none() || text(item, "value") != user_name)
            };
            // The first of several equals.
            if let Some(at) = (0..items.len()).min_by_key(|at| items.get(*at).map(rank)) {
                let mut primary = items.remove(at);
                primary.insert("primary".to_owned(), true.into());
                items.insert(0, primary);
            }
            resource.set(&rule.path, items.into_iter().map(Value::Object).collect());
        }
    }

    fn meta(&self, entry: &Entry, base_url: &str, id: &str) -> Value {
        let mut meta = Map::new();
        meta.insert("resourceType".to_owned(), self.ty.kind.name().into());
        meta.insert("location".to_owned(), self.location(base_url, id).into());
        for (name, attribute) in [("created", self.profile.created), ("lastModified", self.profile.modified)] {
            if let Some(time) = entry.text(attribute).and_then(instant) {
                meta.insert(name.to_owned(), time.to_string().into());
            }
        }
        if let Some(version) = self.version(entry) {
            meta.insert("version".to_owned(), version.into());
        }
        meta.into()
    }

    fn read_reference(&self, rule: &Rule, entry: &Entry, context: ReadContext<'_>, resource: &mut Resource) {
        let names = match context.linked {
            Linked::Members(members) => {
                let items = members.iter().map(|name| reference(name, context.base_url, name.kind.name()));
                resource.set(&rule.path, items.collect::<Vec<_>>().into());
                return;
            }
            Linked::Names(names) => names,
        };
        let targets = self.targets(rule, entry);
        let names = targets.iter().filter_map(|dn| names.get(&dn.key()));
        if rule.path.attribute.multi_valued {
            // Two spellings of one name in the directory are one member.
            let mut seen = std::collections::HashSet::new();
            let items: Vec<Value> = names
                .filter(|name| seen.insert(name.id.clone()))
                .map(|name| reference(name, context.base_url, name.kind.name()))
                .collect();
            resource.set(&rule.path, items.into());
        } else if let Some(name) = names.take(1).next() {
            let mut object = take_object(resource, &rule.path);
            object.insert("value".to_owned(), (*name.id).into());
            object.insert("$ref".to_owned(), format!("{}{}/{}", context.base_url, name.kind.endpoint(), name.id).into());
            if let Some(display) = &name.display {
                object.insert("displayName".to_owned(), (**display).into());
            }
            resource.set(&rule.path, object.into());
        }
    }
}

/// Whether the rule feeds the items of a list of which one is the primary one.
fn has_primary(rule: &Rule) -> bool {
    rule.path.sub.is_some() && rule.path.attribute.multi_valued && rule.path.attribute.sub("primary").is_some()
}

fn read_rule(rule: &Rule, entry: &Entry, resource: &mut Resource) {
    // The value in the entry's own name goes before others: it is the one that names it.
    let named = entry.dn.rdn().and_then(|rdn| rdn.value(&rule.attribute));
    let stored = entry.values(&rule.attribute);
    let named = named.map(|named| rule.key(named.as_bytes()));
    let first = stored.iter().find(|value| named.as_ref().is_some_and(|named| *named == rule.key(value))).or(stored.first());
    let Some(first) = first else { return };
    let path = &rule.path;
    match (&path.sub, path.attribute.multi_valued) {
        (None, false) => set_some(resource, path, rule.read(first)),
        (None, true) => resource.set(path, stored.iter().filter_map(|value| rule.read(value)).collect::<Vec<_>>().into()),
        (Some(sub), false) => {
            if let Some(value) = rule.read(first) {
                let mut object = take_object(resource, path);
                object.insert(sub.name.clone(), value);
                resource.set(path, object.into());
            }
        }
        (Some(sub), true) => {
            let mut items = take_items(resource, path);
            let values = if rule.is_value() { stored } else { std::slice::from_ref(first) };
            let mut values = values.iter().filter_map(|value| rule.read(value));
            // What is kept in several attributes meets in one item: the nth value in the nth item of its type.
            let kind = rule.item.as_deref();
            let of_type = items.iter_mut().filter(|item| item.get("type").and_then(Value::as_str) == kind);
            for (item, value) in of_type.zip(values.by_ref()) {
                item.insert(sub.name.clone(), value);
            }
            let kind = kind.map(|kind| ("type".to_owned(), Value::from(kind)));
            items.extend(values.map(|value| kind.iter().cloned().chain([(sub.name.clone(), value)]).collect()));
            resource.set(path, items.into_iter().map(Value::Object).collect());
        }
    }
}

/// A reference in a list: `value`, `$ref`, `display`, `type`.
fn reference(name: &Name, base_url: &str, kind: &str) -> Value {
    let mut item = Map::new();
    item.insert("value".to_owned(), (*name.id).into());
    item.insert("$ref".to_owned(), format!("{base_url}{}/{}", name.kind.endpoint(), name.id).into());
    item.insert("type".to_owned(), kind.into());
    if let Some(display) = &name.display {
        item.insert("display".to_owned(), (**display).into());
    }
    item.into()
}

fn set_some(resource: &mut Resource, path: &BoundPath, value: Option<Value>) {
    if let Some(value) = value {
        resource.set(path, value);
    }
}

fn take_object(resource: &mut Resource, path: &BoundPath) -> Map<String, Value> {
    match resource.remove(path) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn take_items(resource: &mut Resource, path: &BoundPath) -> Vec<Map<String, Value>> {
    let Some(Value::Array(items)) = resource.remove(path) else { return Vec::new() };
    let objects = items.into_iter().filter_map(|item| match item {
        Value::Object(object) => Some(object),
        _ => None,
    });
    objects.collect()
}
