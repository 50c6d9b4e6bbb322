//! The schemas that are served, and the paths that lead into them.

use std::sync::{Arc, LazyLock};

use super::{AttrType, Attribute, Kind, Mutability, ResourceType, Returned, Schema, Uniqueness};
use crate::scim::attr::{AttrPath, BoundPath};

/// Both resource types.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaRegistry {
    /// `/Users`
    pub user: Arc<ResourceType>,
    /// `/Groups`
    pub group: Arc<ResourceType>,
}

/// `id`, `externalId`, `meta`, `schemas`: in every resource and in no schema document (RFC 7643 section 3.1).
static COMMON: LazyLock<Vec<Arc<Attribute>>> = LazyLock::new(|| {
    let text = |name: &str, kind: AttrType, mutability: Mutability, returned: Returned| Attribute {
        name: name.to_owned(),
        kind,
        multi_valued: false,
        description: String::new(),
        required: false,
        canonical_values: Vec::new(),
        case_exact: true,
        mutability,
        returned,
        uniqueness: Uniqueness::None,
        reference_types: Vec::new(),
        sub_attributes: Vec::new(),
    };
    let sub = |name: &str, kind: AttrType| Arc::new(text(name, kind, Mutability::ReadOnly, Returned::Default));
    let id = Attribute { uniqueness: Uniqueness::Server, ..text("id", AttrType::String, Mutability::ReadOnly, Returned::Always) };
    let external_id = text("externalId", AttrType::String, Mutability::ReadWrite, Returned::Default);
    let meta = Attribute {
        sub_attributes: vec![
            sub("resourceType", AttrType::String),
            sub("created", AttrType::DateTime),
            sub("lastModified", AttrType::DateTime),
            sub("location", AttrType::Reference),
            sub("version", AttrType::String),
        ],
        ..text("meta", AttrType::Complex, Mutability::ReadOnly, Returned::Default)
    };
    let schemas =
        Attribute { multi_valued: true, ..text("schemas", AttrType::Reference, Mutability::ReadOnly, Returned::Always) };
    [id, external_id, meta, schemas].into_iter().map(Arc::new).collect()
});

impl SchemaRegistry {
    /// The resource type of a kind.
    pub fn get(&self, kind: Kind) -> &Arc<ResourceType> {
        match kind {
            Kind::User => &self.user,
            Kind::Group => &self.group,
        }
    }

    /// Every schema once.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        [&self.user, &self.group].into_iter().flat_map(|ty| std::iter::once(&ty.schema).chain(&ty.extensions))
    }

    /// The schema of that URI, without minding case.
    pub fn schema(&self, urn: &str) -> Option<&Schema> {
        self.schemas().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The same with some of the schemas that ship with the program replaced.
    #[must_use]
    pub fn replaced(&self, user: Option<Schema>, enterprise_user: Option<Schema>, group: Option<Schema>) -> Self {
        let (mut users, mut groups) = (ResourceType::clone(&self.user), ResourceType::clone(&self.group));
        users.schema = user.unwrap_or(users.schema);
        groups.schema = group.unwrap_or(groups.schema);
        if let (Some(first), Some(schema)) = (users.extensions.first_mut(), enterprise_user) {
            *first = schema;
        }
        Self { user: Arc::new(users), group: Arc::new(groups) }
    }

    /// The same with further extensions.
    #[must_use]
    pub fn extended(&self, of_users: Vec<Schema>, of_groups: Vec<Schema>) -> Self {
        let (mut users, mut groups) = (ResourceType::clone(&self.user), ResourceType::clone(&self.group));
        users.extensions.extend(of_users);
        groups.extensions.extend(of_groups);
        Self { user: Arc::new(users), group: Arc::new(groups) }
    }

    /// The same schemas without what is not kept. `keep` is asked for each sub-attribute, and for each attribute that has none.
    /// What has nothing left goes too. The whole types stay known as [`ResourceType::whole`].
    #[must_use]
    pub fn narrowed(&self, keep: impl Fn(Kind, &BoundPath) -> Keep) -> Self {
        let narrow = |ty: &Arc<ResourceType>| {
            let schema = |schema: &Schema, extension: Option<Arc<str>>| Schema {
                attributes: schema
                    .attributes
                    .iter()
                    .filter_map(|a| narrowed(a, extension.as_ref(), &|p| keep(ty.kind, p)))
                    .collect(),
                ..schema.clone()
            };
            let extensions = ty.extensions.iter().map(|extension| schema(extension, Some(extension.id.clone())));
            Arc::new(ResourceType {
                kind: ty.kind,
                schema: schema(&ty.schema, None),
                extensions: extensions.filter(|extension| !extension.attributes.is_empty()).collect(),
                whole: Some(Arc::clone(ty.whole.as_ref().unwrap_or(ty))),
            })
        };
        Self { user: narrow(&self.user), group: narrow(&self.group) }
    }
}

/// What becomes of an attribute that has no sub-attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// It goes.
    No,
    /// It stays.
    Yes,
    /// It stays, with these as its canonical values.
    Suggesting(Vec<String>),
}

impl Keep {
    fn apply(self, attribute: &Arc<Attribute>) -> Option<Arc<Attribute>> {
        match self {
            Self::No => None,
            Self::Yes => Some(attribute.clone()),
            Self::Suggesting(canonical_values) => Some(Arc::new(Attribute { canonical_values, ..(**attribute).clone() })),
        }
    }
}

fn narrowed(
    attribute: &Arc<Attribute>,
    extension: Option<&Arc<str>>,
    keep: &dyn Fn(&BoundPath) -> Keep,
) -> Option<Arc<Attribute>> {
    let path = BoundPath { extension: extension.cloned(), attribute: attribute.clone(), sub: None };
    if attribute.sub_attributes.is_empty() {
        return keep(&path).apply(attribute);
    }
    let kept = attribute.sub_attributes.iter().filter_map(|sub| keep(&path.with_sub(sub.clone())).apply(sub));
    let kept: Vec<_> = kept.collect();
    (!kept.is_empty()).then(|| Arc::new(Attribute { sub_attributes: kept, ..(**attribute).clone() }))
}

impl ResourceType {
    /// The attribute a path leads to; `None` if there is none, or if the path is an extension's bare URI.
    pub fn resolve(&self, path: &AttrPath) -> Option<BoundPath> {
        self.resolve_str(&path.text)
    }

    /// The same for text.
    pub fn resolve_str(&self, text: &str) -> Option<BoundPath> {
        // A URI holds colons and dots of its own, so it is told from a name by being known.
        let in_schema = |schema: &Schema| {
            let (uri, rest) = text.split_at_checked(schema.id.len())?;
            uri.eq_ignore_ascii_case(&schema.id).then(|| rest.strip_prefix(':')).flatten()
        };
        if let Some((schema, rest)) = self.extensions.iter().find_map(|schema| in_schema(schema).map(|rest| (schema, rest))) {
            return within(rest, Some(&schema.id), |name| schema.attribute(name).cloned());
        }
        let rest = in_schema(&self.schema).unwrap_or(text);
        within(rest, None, |name| self.core(name).cloned())
    }

    /// An attribute of the core schema, or one that every resource has.
    pub(in crate::scim) fn core(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.schema.attribute(name).or_else(|| COMMON.iter().find(|a| a.name.eq_ignore_ascii_case(name)))
    }

    /// The extension of that URI, without minding case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// Every attribute a client can set or read: `externalId`, the core schema's, the extensions'.
    pub fn attributes(&self) -> impl Iterator<Item = BoundPath> {
        let external_id = COMMON.iter().filter(|a| a.name == "externalId");
        let core = external_id.chain(&self.schema.attributes).map(|a| (None, a));
        let extensions = self.extensions.iter().flat_map(|schema| schema.attributes.iter().map(|a| (Some(schema.id.clone()), a)));
        core.chain(extensions).map(|(extension, attribute)| BoundPath { extension, attribute: attribute.clone(), sub: None })
    }
}

fn within(text: &str, extension: Option<&Arc<str>>, find: impl Fn(&str) -> Option<Arc<Attribute>>) -> Option<BoundPath> {
    let (name, sub) = match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    };
    let attribute = find(name)?;
    let sub = match sub {
        Some(sub) => Some(attribute.sub(sub)?.clone()),
        None => None,
    };
    Some(BoundPath { extension: extension.cloned(), attribute, sub })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_in_every_spelling() {
        let registry = SchemaRegistry::builtin();
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (text, expected) in [
            ("USERNAME", "userName"),
            ("name.GIVENname", "name.givenName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", "name.givenName"),
            ("meta.lastmodified", "meta.lastModified"),
            ("externalid", "externalId"),
            (&format!("{enterprise}:department"), &format!("{enterprise}:department")),
            (&format!("{}:manager.value", enterprise.to_uppercase()), &format!("{enterprise}:manager.value")),
        ] {
            assert_eq!(registry.user.resolve_str(text).map(|path| path.to_string()).as_deref(), Some(expected), "{text}");
        }
        for bad in ["", "x", "name.x", "userName.x", ".", "name.", enterprise, &format!("{enterprise}:"), "members"] {
            assert!(registry.user.resolve_str(bad).is_none(), "{bad}");
        }
        assert!(registry.group.resolve_str("members.value").is_some());
    }

    #[test]
    fn narrowing_leaves_nothing_empty_behind() {
        let only = SchemaRegistry::builtin().narrowed(|_, path| match path.to_string().as_str() {
            "userName" | "name.givenName" => Keep::Yes,
            "emails.type" => Keep::Suggesting(vec!["work".to_owned()]),
            _ => Keep::No,
        });
        assert_eq!(
            only.user.attributes().map(|path| path.to_string()).collect::<Vec<_>>(),
            ["externalId", "userName", "name", "emails"]
        );
        assert_eq!(only.user.resolve_str("emails.type").unwrap().leaf().canonical_values, ["work"]);
        assert_eq!(only.user.resolve_str("name").unwrap().attribute.sub_attributes.len(), 1);
        assert!(only.user.extensions.is_empty() && only.group.schema.attributes.is_empty());
    }
}
