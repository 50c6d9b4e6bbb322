//! Attribute paths: as a client writes them, and as the schema resolves them.

use std::fmt;
use std::sync::Arc;

use super::schema::Attribute;

/// A path as written (RFC 7644 section 3.10): `[schema-uri:]name[.sub]`. Not yet known to exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The text as written, without surrounding space. It is resolved against the schemas, for a URI has colons and dots too.
    pub text: String,
}

/// A path resolved against a resource type: it exists, and its names are in the schema's own case.
#[derive(Debug, Clone)]
pub struct BoundPath {
    /// The extension's URI; `None` for an attribute of the core schema and for the common attributes.
    pub extension: Option<Arc<str>>,
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// The sub-attribute, if the path names one.
    pub sub: Option<Arc<Attribute>>,
}

impl BoundPath {
    /// Whether it is this attribute of the core schema, or this sub-attribute of it.
    pub fn is_core(&self, name: &str, sub: Option<&str>) -> bool {
        self.extension.is_none() && self.attribute.name == name && self.sub.as_ref().map(|sub| sub.name.as_str()) == sub
    }

    /// The attribute whose type and case rule govern a comparison: the sub-attribute, else the attribute.
    pub fn leaf(&self) -> &Attribute {
        self.sub.as_deref().unwrap_or(&self.attribute)
    }

    /// The sub-attribute's name, if the path names one.
    pub fn sub_name(&self) -> Option<&str> {
        self.sub.as_ref().map(|sub| sub.name.as_str())
    }

    /// The same path without its sub-attribute.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self { extension: self.extension.clone(), attribute: self.attribute.clone(), sub: None }
    }

    /// The same path with another sub-attribute.
    #[must_use]
    pub fn with_sub(&self, sub: Arc<Attribute>) -> Self {
        Self { extension: self.extension.clone(), attribute: self.attribute.clone(), sub: Some(sub) }
    }
}

impl fmt::Display for BoundPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = &self.extension {
            write!(f, "{extension}:")?;
        }
        f.write_str(&self.attribute.name)?;
        if let Some(sub) = &self.sub {
            write!(f, ".{}", sub.name)?;
        }
        Ok(())
    }
}

impl PartialEq for BoundPath {
    fn eq(&self, other: &Self) -> bool {
        self.extension == other.extension && self.attribute.name == other.attribute.name && self.sub_name() == other.sub_name()
    }
}

impl Eq for BoundPath {}
