//! Schemas as data (RFC 7643 section 7): what exists, of which type, and who may change it.

mod document;
mod registry;

use std::sync::Arc;

pub use registry::{Keep, SchemaRegistry};

/// `type` (RFC 7643 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttrType {
    /// A JSON string.
    String,
    /// A JSON boolean.
    Boolean,
    /// A JSON number with a fraction.
    Decimal,
    /// A JSON number without one.
    Integer,
    /// An xsd:dateTime in a string.
    DateTime,
    /// A URI in a string.
    Reference,
    /// Base64 in a string.
    Binary,
    /// Sub-attributes.
    Complex,
}

/// `mutability` (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Set by the service provider alone.
    ReadOnly,
    /// Any time.
    ReadWrite,
    /// At creation, then never.
    Immutable,
    /// Never shown.
    WriteOnly,
}

/// `returned` (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In none.
    Never,
    /// Unless the client leaves it out.
    Default,
    /// Only when asked for.
    Request,
}

/// `uniqueness` (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// Not unique.
    None,
    /// Within the service provider.
    Server,
    /// Everywhere.
    Global,
}

/// One attribute or sub-attribute (RFC 7643 section 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// In the schema's own case; compared without case.
    pub name: String,
    /// The type of its value or values.
    pub kind: AttrType,
    /// Many values, held in a JSON array.
    pub multi_valued: bool,
    /// A human description.
    pub description: String,
    /// Must be there at creation and replacement.
    pub required: bool,
    /// Values suggested by the schema, such as `work` and `home`.
    pub canonical_values: Vec<String>,
    /// Comparison minds case.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// Whether two resources may share a value.
    pub uniqueness: Uniqueness,
    /// What a reference points to: `User`, `Group`, `external`, `uri`.
    pub reference_types: Vec<String>,
    /// Of a complex attribute, in the schema's order.
    pub sub_attributes: Vec<Arc<Self>>,
}

impl Attribute {
    /// The sub-attribute of that name, without minding case.
    pub fn sub(&self, name: &str) -> Option<&Arc<Self>> {
        self.sub_attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }
}

/// A schema: its URI and attributes (RFC 7643 section 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The URI.
    pub id: Arc<str>,
    /// A human name.
    pub name: String,
    /// A human description.
    pub description: String,
    /// In the schema's own order.
    pub attributes: Vec<Arc<Attribute>>,
}

impl Schema {
    /// The attribute of that name, without minding case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }
}

/// The two kinds of resource a directory holds for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `/Users`
    User,
    /// `/Groups`
    Group,
}

impl Kind {
    /// The resource type's name: `User`, `Group`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The endpoint below the SCIM base: `/Users`, `/Groups`.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }
}

/// A resource type (RFC 7643 section 6): a core schema and its extensions.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceType {
    /// Which of the two.
    pub kind: Kind,
    /// The core schema.
    pub schema: Schema,
    /// Extension schemas.
    pub extensions: Vec<Schema>,
    /// The type this one was narrowed from: what that one has beyond is known, but not kept.
    pub whole: Option<Arc<Self>>,
}
