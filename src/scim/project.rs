//! Which attributes an answer holds (RFC 7643 section 7, RFC 7644 section 3.9).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attr::BoundPath;
use super::error::{ScimError, ScimType};
use super::resource::Resource;
use super::schema::{Attribute, ResourceType, Returned};

/// What the client asked to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// Nothing in particular.
    #[default]
    Default,
    /// These and what is always returned.
    Only(Vec<BoundPath>),
    /// Everything but these.
    Except(Vec<BoundPath>),
}

impl Projection {
    /// From the parameters of a raw query string.
    pub fn from_query(query: &str, ty: &ResourceType) -> Result<Self, ScimError> {
        let mut attributes = None;
        let mut excluded = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "attributes" => attributes = Some(value),
                "excludedAttributes" => excluded = Some(value),
                _ => {}
            }
        }
        let split = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        Self::new(attributes.map(|list| split(&list)), excluded.map(|list| split(&list)), ty)
    }

    /// From lists of names. Names that are not known, and empty lists, count for nothing.
    pub fn new(attributes: Option<Vec<String>>, excluded: Option<Vec<String>>, ty: &ResourceType) -> Result<Self, ScimError> {
        let resolve = |names: Vec<String>| -> Vec<BoundPath> {
            let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
            names.flat_map(|name| paths(name, ty)).collect()
        };
        let given =
            |names: &Option<Vec<String>>| names.as_ref().is_some_and(|names| names.iter().any(|name| !name.trim().is_empty()));
        match (given(&attributes), given(&excluded)) {
            (true, true) => Err(ScimError::bad_request(
                ScimType::InvalidValue,
                "attributes and excludedAttributes cannot be given together (RFC 7644 section 3.9)",
            )),
            (true, false) => Ok(Self::Only(resolve(attributes.unwrap_or_default()))),
            (false, true) => Ok(Self::Except(resolve(excluded.unwrap_or_default()))),
            (false, false) => Ok(Self::Default),
        }
    }

    /// Whether the client asked for something in particular.
    pub fn explicit(&self) -> bool {
        *self != Self::Default
    }

    /// Whether the attribute can be in the answer, so that its value has to be known.
    pub fn wants(&self, path: &BoundPath) -> bool {
        let whole = path.parent();
        match always_shown(&path.attribute) {
            Some(shown) => shown,
            None => match self {
                Self::Default => path.attribute.returned != Returned::Request,
                Self::Only(paths) => paths.iter().any(|asked| asked.parent() == whole),
                Self::Except(paths) => path.attribute.returned != Returned::Request && !paths.contains(&whole),
            },
        }
    }

    /// The answer. Almost all of a resource is shown to most, so it is kept and what is hidden taken out.
    pub fn apply(&self, resource: Resource, ty: &ResourceType) -> Value {
        let mut out = resource.into_map();
        out.retain(|key, value| match (ty.extension(key), value) {
            (Some(schema), Value::Object(object)) => {
                object.retain(|name, value| {
                    schema.attribute(name).is_some_and(|attribute| self.shows(Some(&schema.id), attribute, value))
                });
                !object.is_empty()
            }
            (Some(_), _) => false,
            (None, value) => ty.core(key).is_some_and(|attribute| self.shows(None, attribute, value)),
        });
        keep_present(&mut out, ty);
        out.into()
    }

    /// Whether something of an attribute's value is shown; the rest has been taken out of it.
    fn shows(&self, extension: Option<&Arc<str>>, attribute: &Arc<Attribute>, value: &mut Value) -> bool {
        let path = BoundPath { extension: extension.cloned(), attribute: attribute.clone(), sub: None };
        if !self.wants(&path) {
            return false;
        }
        if always_shown(attribute) == Some(true) {
            return true;
        }
        let visible = |name: &str| self.wants_sub(&path, name);
        let trim = |value: &mut Value| match value {
            Value::Object(object) => {
                object.retain(|name, _| visible(name));
                !object.is_empty()
            }
            _ => true,
        };
        match value {
            Value::Array(items) => {
                let had = !items.is_empty();
                items.retain_mut(trim);
                // An empty list that was empty stays: a group without members says so.
                !items.is_empty() || !had
            }
            other => trim(other),
        }
    }

    /// Whether a sub-attribute of an attribute that is wanted can be in the answer.
    pub fn wants_sub(&self, whole: &BoundPath, name: &str) -> bool {
        let of_the_whole = always_shown(&whole.attribute).filter(|shown| *shown);
        if let Some(shown) = of_the_whole.or_else(|| whole.attribute.sub(name).and_then(|sub| always_shown(sub))) {
            return shown;
        }
        let named = |paths: &[BoundPath], all: bool| {
            let mut of_it = paths.iter().filter(|asked| asked.parent() == *whole);
            of_it.any(|asked| asked.sub.as_ref().map_or(all, |sub| sub.name == name))
        };
        match self {
            Self::Default => true,
            // One path without a sub-attribute asks for the whole.
            Self::Only(paths) => named(paths, true),
            Self::Except(paths) => !named(paths, false),
        }
    }
}

/// Shown or hidden whatever the client asks; `None` where it may choose. `userName` and `displayName` of a group are what clients
/// recognise a resource by, and connectors break without them.
fn always_shown(attribute: &Attribute) -> Option<bool> {
    match attribute.returned {
        Returned::Always => Some(true),
        Returned::Never => Some(false),
        Returned::Default | Returned::Request => None,
    }
}

/// Keeps of the schemas those that the answer has something of.
fn keep_present(out: &mut Map<String, Value>, ty: &ResourceType) {
    if let Some(Value::Array(mut schemas)) = out.remove("schemas") {
        schemas.retain(|urn| urn.as_str().is_some_and(|urn| ty.extension(urn).is_none() || out.contains_key(urn)));
        out.insert("schemas".to_owned(), schemas.into());
    }
}

/// The attributes a name stands for; an extension's URI stands for all of it.
fn paths(name: &str, ty: &ResourceType) -> Vec<BoundPath> {
    match ty.extension(name) {
        Some(schema) => ty.attributes().filter(|path| path.extension.as_ref() == Some(&schema.id)).collect(),
        None => ty.resolve_str(name).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::SchemaRegistry;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn shown(query: &str) -> Value {
        let ty = SchemaRegistry::builtin().user;
        let mut resource = Resource::new();
        let Value::Object(map) = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "id": "1", "userName": "a", "title": "t",
            "name": { "givenName": "A", "familyName": "B" }, "password": "p",
            "emails": [{ "value": "a@b", "type": "work" }], ENTERPRISE: { "department": "d", "division": "e" },
        }) else {
            panic!()
        };
        *resource.map_mut() = map;
        Projection::from_query(query, &ty).unwrap().apply(resource, &ty)
    }

    #[test]
    fn only_what_was_asked_for_and_what_is_always_there() {
        let core = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
        assert_eq!(
            shown("attributes=userName,name.givenName%2Cemails"),
            json!({ "schemas": core, "id": "1", "userName": "a", "name": { "givenName": "A" }, "emails": [{ "value": "a@b", "type": "work" }] })
        );
        assert_eq!(shown("attributes=nothing"), json!({ "schemas": core, "id": "1" }));
        assert_eq!(shown(&format!("attributes={ENTERPRISE}:department"))[ENTERPRISE], json!({ "department": "d" }));
        assert_eq!(shown(&format!("attributes={ENTERPRISE}"))[ENTERPRISE], json!({ "department": "d", "division": "e" }));
    }

    #[test]
    fn everything_but_what_was_left_out() {
        let all = shown("attributes=&excludedAttributes=");
        assert!(all.get("title").is_some() && all.get("password").is_none());
        let less = shown(&format!("excludedAttributes=title,id,emails.type,{ENTERPRISE}"));
        assert_eq!(less["emails"], json!([{ "value": "a@b" }]));
        assert!(less.get("title").is_none() && less.get(ENTERPRISE).is_none() && less["id"] == "1");
        assert_eq!(less["schemas"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn both_together_are_refused() {
        let ty = SchemaRegistry::builtin().user;
        assert!(Projection::from_query("attributes=a&excludedAttributes=b", &ty).is_err());
    }
}
