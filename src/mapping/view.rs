//! How entries of one resource type are shown: which attribute feeds what, less what a projection hides. An entry is written through
//! it without a tree in between, for most of what scimgate does is to show entries.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};

use super::names::{Groups, Name};
use super::read::{Linked, ReadContext};
use super::rule::{Rule, Scalar};
use super::{Names, ResourceMapping};
use crate::directory::{Entry, instant};
use crate::scim::text::prepare;
use crate::scim::{BoundPath, Kind, Projection};

/// What is shown of the entries of one resource type.
#[derive(Debug)]
pub struct View {
    core: Vec<Field>,
    /// By the schema's URI.
    extensions: Vec<(Arc<str>, Vec<Field>)>,
    active: bool,
    groups: Option<Hidden>,
    meta: Option<Hidden>,
}

/// An attribute that is shown.
#[derive(Debug)]
struct Field {
    name: String,
    shape: Shape,
    hidden: Hidden,
}

/// How its value is made; rules by their number.
#[derive(Debug)]
enum Shape {
    /// One simple value.
    Value(usize),
    /// A list of simple values.
    Values(usize),
    /// Sub-attributes.
    Object(Vec<usize>),
    /// A list of them, of which one is the primary one if there is such a sub-attribute.
    Items { rules: Vec<usize>, primary: bool },
    /// A list of other resources.
    References(usize),
}

/// The sub-attributes of a shown attribute that are not.
#[derive(Debug, Default)]
struct Hidden(Vec<String>);

impl Hidden {
    fn shows(&self, name: &str) -> bool {
        !self.0.iter().any(|hidden| hidden == name)
    }
}

/// Sub-attributes that are written whether or not the schema names them.
const WRITTEN: [&str; 6] = ["value", "$ref", "type", "display", "displayName", "primary"];

/// What is asked to be shown.
#[derive(Debug, Clone, Copy)]
enum Asked<'a> {
    Everything,
    For(&'a Projection),
}

impl Asked<'_> {
    /// What is hidden of the attribute; `None` if it is not shown at all.
    fn hidden(self, path: &BoundPath) -> Option<Hidden> {
        let Self::For(projection) = self else { return Some(Hidden::default()) };
        let path = path.parent();
        let subs = path.attribute.sub_attributes.iter().map(|sub| sub.name.as_str());
        let hidden = subs.chain(WRITTEN).filter(|name| !projection.wants_sub(&path, name)).map(str::to_owned);
        projection.wants(&path).then(|| Hidden(hidden.collect()))
    }
}

impl View {
    /// Whether the groups a user is in are to be known.
    pub fn shows_groups(&self) -> bool {
        self.groups.is_some()
    }

    fn new(side: &ResourceMapping, asked: Asked<'_>) -> Self {
        let extensions = side.ty.extensions.iter().map(|schema| (schema.id.clone(), Vec::new())).collect();
        let common = |name: &str| side.ty.resolve_str(name).and_then(|path| asked.hidden(&path));
        let mut view = Self {
            core: Vec::new(),
            extensions,
            active: side.ty.kind == Kind::User && (matches!(asked, Asked::Everything) || common("active").is_some()),
            groups: side.groups_path().and_then(|path| asked.hidden(&path)),
            meta: common("meta"),
        };
        for (number, rule) in side.rules.iter().enumerate() {
            let fields = match &rule.path.extension {
                None => &mut view.core,
                Some(urn) => match view.extensions.iter_mut().find(|(id, _)| id == urn) {
                    Some((_, fields)) => fields,
                    None => continue,
                },
            };
            let name = &rule.path.attribute.name;
            match fields.iter_mut().find(|field| field.name == *name) {
                Some(field) => field.shape.add(number),
                None => {
                    if let Some(hidden) = asked.hidden(&rule.path) {
                        fields.push(Field { name: name.clone(), shape: Shape::new(number, rule), hidden });
                    }
                }
            }
        }
        view.extensions.retain(|(_, fields)| !fields.is_empty());
        view
    }
}

impl Shape {
    fn new(number: usize, rule: &Rule) -> Self {
        match (&rule.path.sub, rule.path.attribute.multi_valued) {
            (_, true) if rule.codec.refers() => Self::References(number),
            (None, true) => Self::Values(number),
            (None, false) => Self::Value(number),
            (Some(_), false) => Self::Object(vec![number]),
            (Some(_), true) => Self::Items { rules: vec![number], primary: rule.has_primary() },
        }
    }

    /// Another rule of the same attribute.
    fn add(&mut self, number: usize) {
        match self {
            Self::Object(rules) | Self::Items { rules, .. } => rules.push(number),
            // What has no parts has one place.
            Self::Value(_) | Self::Values(_) | Self::References(_) => {}
        }
    }
}

impl ResourceMapping {
    /// How entries are shown to a client that asked for this.
    pub fn view(&self, projection: &Projection) -> Arc<View> {
        let view = || Arc::new(View::new(self, Asked::For(projection)));
        match projection {
            // What almost every request asks for.
            Projection::Default => self.usual_view.get_or_init(view).clone(),
            Projection::Only(_) | Projection::Except(_) => view(),
        }
    }

    /// Everything that can be told of an entry.
    pub(super) fn whole_view(&self) -> &View {
        self.whole_view.get_or_init(|| View::new(self, Asked::Everything))
    }

    /// An entry in this view, to be written as JSON.
    pub fn shown<'a>(&'a self, view: &'a View, entry: &'a Entry, context: ReadContext<'a>) -> Shown<'a> {
        Shown { side: self, view, entry, context }
    }
}

/// An entry as the resource it is.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    side: &'a ResourceMapping,
    view: &'a View,
    entry: &'a Entry,
    context: ReadContext<'a>,
}

/// Sub-attributes, each once.
type Parts<'a> = Vec<(&'a str, Scalar<'a>)>;

/// An attribute's value.
#[derive(Debug)]
enum Found<'a> {
    One(Scalar<'a>),
    Many(Vec<Scalar<'a>>),
    Object(Parts<'a>),
    Items(Vec<Parts<'a>>),
    References(Vec<Reference<'a>>),
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { side, view, entry, context } = *self;
        let mut id = uuid::Uuid::encode_buffer();
        let id = side.id(entry).map_or("", |uuid| uuid.hyphenated().encode_lower(&mut id));
        let extensions: Vec<(&str, Vec<(&str, Found<'_>)>)> = view
            .extensions
            .iter()
            .map(|(urn, fields)| (&**urn, fields.iter().filter_map(|field| Some((&*field.name, self.find(field)?))).collect()))
            .filter(|(_, fields): &(_, Vec<_>)| !fields.is_empty())
            .collect();
        let mut map = serializer.serialize_map(None)?;
        let urns = extensions.iter().map(|(urn, _)| *urn);
        map.serialize_entry("schemas", &std::iter::once(&*side.ty.schema.id).chain(urns).collect::<Vec<_>>())?;
        map.serialize_entry("id", id)?;
        for field in &view.core {
            if let Some(found) = self.find(field) {
                map.serialize_entry(&field.name, &found)?;
            }
        }
        if view.active {
            map.serialize_entry("active", &side.active.read(entry))?;
        }
        if let (Some(hidden), Some(groups)) = (&view.groups, context.groups) {
            let items = group_references(groups, context.base_url, hidden);
            if !items.is_empty() {
                map.serialize_entry("groups", &items)?;
            }
        }
        for (urn, fields) in &extensions {
            map.serialize_entry(urn, &Object(fields))?;
        }
        if let Some(hidden) = &view.meta {
            map.serialize_entry("meta", &Meta { shown: self, id, hidden })?;
        }
        map.end()
    }
}

impl<'a> Shown<'a> {
    /// The value of an attribute, if it has one that is shown.
    fn find(&self, field: &'a Field) -> Option<Found<'a>> {
        let rule = |number: &usize| self.side.rules.get(*number);
        match &field.shape {
            Shape::Value(number) => rule(number)?.first(self.entry).map(Found::One),
            Shape::Values(number) => {
                let values: Vec<Scalar<'_>> = rule(number)?.all(self.entry).collect();
                (!values.is_empty()).then_some(Found::Many(values))
            }
            Shape::Object(numbers) => {
                let parts = self.object(numbers.iter().filter_map(rule));
                Some(field.visible(parts)).filter(|parts| !parts.is_empty()).map(Found::Object)
            }
            Shape::Items { rules: numbers, primary } => {
                let mut items = self.items(numbers.iter().filter_map(rule));
                if *primary {
                    self.mark_primary(&mut items);
                }
                let items: Vec<Parts<'_>> =
                    items.into_iter().map(|parts| field.visible(parts)).filter(|parts| !parts.is_empty()).collect();
                (!items.is_empty()).then_some(Found::Items(items))
            }
            Shape::References(number) => {
                let names = self.members(rule(number)?);
                // Some clients add nobody to a group that does not say that it is empty.
                let none = names.is_empty();
                let items =
                    names.into_iter().map(|name| Reference::new(name, self.context.base_url, name.kind.name(), &field.hidden));
                let items: Vec<Reference<'_>> = items.filter(Reference::is_shown).collect();
                (none || !items.is_empty()).then_some(Found::References(items))
            }
        }
    }

    fn object(&self, rules: impl Iterator<Item = &'a Rule>) -> Parts<'a> {
        let mut parts = Vec::new();
        for rule in rules {
            if rule.codec.refers() {
                let Linked::Names(names) = self.context.linked else { continue };
                let targets = self.side.targets(rule, self.entry);
                let Some(name) = targets.iter().find_map(|dn| names.get(&dn.key())) else { continue };
                put(&mut parts, "value", Scalar::Text(Cow::Borrowed(&name.id)));
                put(&mut parts, "$ref", Scalar::Text(Cow::Owned(location(self.context.base_url, name.kind, &name.id))));
                if let Some(display) = &name.display {
                    put(&mut parts, "displayName", Scalar::Text(Cow::Borrowed(display)));
                }
            } else if let (Some(sub), Some(value)) = (rule.path.sub_name(), rule.first(self.entry)) {
                put(&mut parts, sub, value);
            }
        }
        parts
    }

    /// What is kept in several attributes meets in one item: the nth value in the nth item of its type.
    fn items(&self, rules: impl Iterator<Item = &'a Rule>) -> Vec<Parts<'a>> {
        let mut items: Vec<Parts<'a>> = Vec::new();
        for rule in rules {
            let Some(sub) = rule.path.sub_name() else { continue };
            let kind = rule.item.as_deref();
            let mut values = rule.all(self.entry);
            for item in items.iter_mut().filter(|item| text_of(item, "type") == kind) {
                let Some(value) = values.next() else { break };
                put(item, sub, value);
            }
            items.extend(values.map(|value| {
                let kind = kind.map(|kind| ("type", Scalar::Text(Cow::Borrowed(kind))));
                kind.into_iter().chain([(sub, value)]).collect()
            }));
        }
        items
    }

    /// Connectors look for one primary item in each list, and some take the first for it. The directory tells neither, its values
    /// have no order: an item of type work it is, the one that is the userName before others.
    fn mark_primary(&self, items: &mut Vec<Parts<'a>>) {
        let at = match items.as_slice() {
            [] => return,
            [_] => 0,
            several => {
                let user_name = self.side.rules.iter().find(|rule| rule.path.is_core("userName", None));
                let user_name = user_name.and_then(|rule| rule.first(self.entry));
                let user_name = user_name.as_ref().and_then(Scalar::as_str).map(|name| prepare(name, false));
                let text = |item: &Parts<'_>, sub: &str| text_of(item, sub).map(|text| prepare(text, false));
                let rank = |item: &Parts<'_>| {
                    (text(item, "type").as_deref() != Some("work"), user_name.is_none() || text(item, "value") != user_name)
                };
                // The first of several equals.
                several.iter().enumerate().min_by_key(|(_, item)| rank(item)).map_or(0, |(at, _)| at)
            }
        };
        if let Some(before) = items.get_mut(..=at) {
            before.rotate_right(1);
        }
        if let Some(primary) = items.first_mut() {
            put(primary, "primary", Scalar::Boolean(true));
        }
    }

    /// The resources that a group has as its members, each once: two spellings of one name in the directory are one member.
    fn members(&self, rule: &Rule) -> Vec<&'a Name> {
        match self.context.linked {
            Linked::Members(members) => members.iter().collect(),
            Linked::Names(names) => among(&self.side.targets(rule, self.entry), names),
        }
    }
}

/// Those of the entries that are resources, each once.
pub(super) fn among<'a>(entries: &[crate::directory::Dn], names: &'a Names) -> Vec<&'a Name> {
    let mut seen: HashSet<&str> = HashSet::with_capacity(entries.len());
    entries.iter().filter_map(|dn| names.get(&dn.key())).filter(|name| seen.insert(&name.id)).collect()
}

impl Field {
    fn visible<'a>(&self, mut parts: Parts<'a>) -> Parts<'a> {
        if !self.hidden.0.is_empty() {
            parts.retain(|(name, _)| self.hidden.shows(name));
        }
        parts
    }
}

fn put<'a>(parts: &mut Parts<'a>, name: &'a str, value: Scalar<'a>) {
    match parts.iter_mut().find(|(present, _)| *present == name) {
        Some((_, present)) => *present = value,
        None => parts.push((name, value)),
    }
}

fn text_of<'a>(parts: &'a Parts<'_>, name: &str) -> Option<&'a str> {
    parts.iter().find(|(present, _)| *present == name).and_then(|(_, value)| value.as_str())
}

/// Where a resource is found.
pub(super) fn location(base_url: &str, kind: Kind, id: &str) -> String {
    [base_url, kind.endpoint(), "/", id].concat()
}

/// A list's item that is another resource: `value`, `$ref`, `display`, `type`.
#[derive(Debug)]
struct Reference<'a> {
    name: &'a Name,
    base_url: &'a str,
    kind: &'static str,
    hidden: &'a Hidden,
}

fn group_references<'a>(groups: &'a Groups, base_url: &'a str, hidden: &'a Hidden) -> Vec<Reference<'a>> {
    let items = |names: &'a [Name], kind| names.iter().map(move |name| Reference::new(name, base_url, kind, hidden));
    items(&groups.direct, "direct").chain(items(&groups.indirect, "indirect")).filter(Reference::is_shown).collect()
}

impl<'a> Reference<'a> {
    fn new(name: &'a Name, base_url: &'a str, kind: &'static str, hidden: &'a Hidden) -> Self {
        Self { name, base_url, kind, hidden }
    }

    /// Whether anything of it is.
    fn is_shown(&self) -> bool {
        let Self { name, hidden, .. } = self;
        ["value", "$ref", "type"].into_iter().any(|part| hidden.shows(part))
            || (name.display.is_some() && hidden.shows("display"))
    }
}

impl Serialize for Reference<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { name, base_url, kind, hidden } = self;
        let mut map = serializer.serialize_map(None)?;
        if hidden.shows("value") {
            map.serialize_entry("value", &*name.id)?;
        }
        if hidden.shows("$ref") {
            map.serialize_entry("$ref", &location(base_url, name.kind, &name.id))?;
        }
        if hidden.shows("type") {
            map.serialize_entry("type", kind)?;
        }
        if let Some(display) = name.display.as_deref().filter(|_| hidden.shows("display")) {
            map.serialize_entry("display", display)?;
        }
        map.end()
    }
}

impl Serialize for Found<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => value.serialize(serializer),
            Self::Many(values) => values.serialize(serializer),
            Self::Object(parts) => Object(parts).serialize(serializer),
            Self::Items(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Object(item))?;
                }
                list.end()
            }
            Self::References(items) => items.serialize(serializer),
        }
    }
}

/// Names and values as a JSON object.
struct Object<'a, V>(&'a [(&'a str, V)]);

impl<V: Serialize> Serialize for Object<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// RFC 7643 section 3.1.
struct Meta<'a> {
    shown: &'a Shown<'a>,
    id: &'a str,
    hidden: &'a Hidden,
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shown: Shown { side, entry, context, .. }, id, hidden } = self;
        let mut map = serializer.serialize_map(None)?;
        if hidden.shows("resourceType") {
            map.serialize_entry("resourceType", side.ty.kind.name())?;
        }
        if hidden.shows("location") {
            map.serialize_entry("location", &side.location(context.base_url, id))?;
        }
        for (name, attribute) in [("created", side.profile.created), ("lastModified", side.profile.modified)] {
            if let Some(time) = entry.text(attribute).filter(|_| hidden.shows(name)).and_then(instant) {
                map.serialize_entry(name, &time.to_string())?;
            }
        }
        if let Some(version) = side.version(entry).filter(|_| hidden.shows("version")) {
            map.serialize_entry("version", &version)?;
        }
        map.end()
    }
}
