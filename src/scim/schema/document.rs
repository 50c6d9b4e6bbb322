//! Schema documents (RFC 7643 section 7): read from data, shown in discovery.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use super::{AttrType, Attribute, Kind, Mutability, ResourceType, Returned, Schema, SchemaRegistry, Uniqueness};

const USER: &str = include_str!("../../../config/schemas/user.json");
const GROUP: &str = include_str!("../../../config/schemas/group.json");
const ENTERPRISE_USER: &str = include_str!("../../../config/schemas/enterprise-user.json");

/// How deep sub-attributes may lie: SCIM has one level (RFC 7643 section 2.3.8).
const DEPTH: usize = 2;

/// A word in a schema document and what it means.
trait Keyword: Sized + Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }
}

impl Keyword for AttrType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("string", Self::String),
        ("boolean", Self::Boolean),
        ("decimal", Self::Decimal),
        ("integer", Self::Integer),
        ("dateTime", Self::DateTime),
        ("reference", Self::Reference),
        ("binary", Self::Binary),
        ("complex", Self::Complex),
    ];
}

impl Keyword for Mutability {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("readOnly", Self::ReadOnly),
        ("readWrite", Self::ReadWrite),
        ("immutable", Self::Immutable),
        ("writeOnly", Self::WriteOnly),
    ];
}

impl Keyword for Returned {
    const WORDS: &'static [(&'static str, Self)] =
        &[("always", Self::Always), ("never", Self::Never), ("default", Self::Default), ("request", Self::Request)];
}

impl Keyword for Uniqueness {
    const WORDS: &'static [(&'static str, Self)] = &[("none", Self::None), ("server", Self::Server), ("global", Self::Global)];
}

static BUILTIN: LazyLock<SchemaRegistry> = LazyLock::new(|| {
    let schema = |text: &str| {
        let parsed = serde_json::from_str(text).map_err(|error| error.to_string()).and_then(|value| Schema::from_json(&value));
        // The documents are part of the program, and a test reads each of them.
        parsed.unwrap_or_else(|_| Schema {
            id: "".into(),
            name: String::new(),
            description: String::new(),
            attributes: Vec::new(),
        })
    };
    SchemaRegistry::new(schema(USER), vec![schema(ENTERPRISE_USER)], schema(GROUP), Vec::new())
});

impl SchemaRegistry {
    /// The schemas that ship with the program, read once.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// Two resource types and their extensions.
    pub fn new(user: Schema, user_extensions: Vec<Schema>, group: Schema, group_extensions: Vec<Schema>) -> Self {
        Self {
            user: Arc::new(ResourceType { kind: Kind::User, schema: user, extensions: user_extensions, whole: None }),
            group: Arc::new(ResourceType { kind: Kind::Group, schema: group, extensions: group_extensions, whole: None }),
        }
    }
}

impl Schema {
    /// Reads a document. The error names the attribute and what is wrong with it.
    pub fn from_json(document: &Value) -> Result<Self, String> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = text("id");
        if id.is_empty() {
            return Err("`id` must be the schema's URI".to_owned());
        }
        let attributes = document.get("attributes").and_then(Value::as_array).ok_or("`attributes` must be a list")?;
        Ok(Self {
            id: id.into(),
            name: text("name"),
            description: text("description"),
            attributes: attributes.iter().map(|value| attribute(value, DEPTH)).collect::<Result<_, _>>()?,
        })
    }

    /// The document, without what does not apply.
    pub fn to_json(&self) -> Value {
        json!({
            "id": &*self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(|a| to_json(a)).collect::<Vec<_>>(),
        })
    }
}

fn attribute(document: &Value, depth: usize) -> Result<Arc<Attribute>, String> {
    let name =
        document.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).ok_or("an attribute has no `name`")?;
    let wrong = |key: &str| format!("{name}: `{key}` has a value that RFC 7643 section 7 does not know");
    let flag = |key: &str| match document.get(key) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| wrong(key)),
    };
    let words = |key: &str| -> Result<Vec<String>, String> {
        let Some(value) = document.get(key) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| wrong(key))?;
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| wrong(key))).collect()
    };
    let subs = match document.get("subAttributes").and_then(Value::as_array) {
        Some(_) if depth <= 1 => return Err(format!("{name}: sub-attributes cannot have sub-attributes")),
        Some(subs) => subs.iter().map(|sub| attribute(sub, depth - 1)).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Arc::new(Attribute {
        name: name.to_owned(),
        kind: keyword(document, "type", AttrType::String).ok_or_else(|| wrong("type"))?,
        multi_valued: flag("multiValued")?,
        description: document.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        required: flag("required")?,
        canonical_values: words("canonicalValues")?,
        case_exact: flag("caseExact")?,
        mutability: keyword(document, "mutability", Mutability::ReadWrite).ok_or_else(|| wrong("mutability"))?,
        returned: keyword(document, "returned", Returned::Default).ok_or_else(|| wrong("returned"))?,
        uniqueness: keyword(document, "uniqueness", Uniqueness::None).ok_or_else(|| wrong("uniqueness"))?,
        reference_types: words("referenceTypes")?,
        sub_attributes: subs,
    }))
}

/// RFC 7643 section 2.2: what a schema does not say has a default.
fn keyword<K: Keyword>(document: &Value, key: &str, default: K) -> Option<K> {
    document.get(key).map_or(Some(default), |word| word.as_str().and_then(K::from_word))
}

fn to_json(attribute: &Attribute) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), attribute.name.as_str().into());
    out.insert("type".to_owned(), attribute.kind.word().into());
    out.insert("multiValued".to_owned(), attribute.multi_valued.into());
    out.insert("description".to_owned(), attribute.description.as_str().into());
    out.insert("required".to_owned(), attribute.required.into());
    out.insert("caseExact".to_owned(), attribute.case_exact.into());
    out.insert("mutability".to_owned(), attribute.mutability.word().into());
    out.insert("returned".to_owned(), attribute.returned.word().into());
    out.insert("uniqueness".to_owned(), attribute.uniqueness.word().into());
    if !attribute.canonical_values.is_empty() {
        out.insert("canonicalValues".to_owned(), attribute.canonical_values.clone().into());
    }
    if !attribute.reference_types.is_empty() {
        out.insert("referenceTypes".to_owned(), attribute.reference_types.clone().into());
    }
    if !attribute.sub_attributes.is_empty() {
        out.insert("subAttributes".to_owned(), attribute.sub_attributes.iter().map(|sub| to_json(sub)).collect());
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_that_ship_are_read_and_shown_again() {
        for text in [USER, GROUP, ENTERPRISE_USER] {
            let document: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Schema::from_json(&document).unwrap().to_json(), document);
        }
        assert_eq!(SchemaRegistry::builtin().schemas().count(), 3);
    }

    #[test]
    fn a_wrong_document_names_the_attribute() {
        let wrong = json!({ "id": "urn:x", "attributes": [{ "name": "a", "type": "strnig" }] });
        assert_eq!(Schema::from_json(&wrong).unwrap_err(), "a: `type` has a value that RFC 7643 section 7 does not know");
        let deep = json!({ "id": "urn:x", "attributes": [{ "name": "a", "type": "complex", "subAttributes": [
            { "name": "b", "subAttributes": [] }] }] });
        assert!(Schema::from_json(&deep).unwrap_err().starts_with("b:"));
    }
}
