//! SCIM 2.0 (RFC 7643, RFC 7644) and nothing else: no LDAP, no HTTP server, no clock.

pub mod attr;
pub mod budget;
pub mod bulk;
pub mod cursor;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod message;
pub mod openapi;
pub mod patch;
pub mod precondition;
pub mod project;
pub mod query;
pub mod resource;
pub mod schema;
pub mod text;
pub mod tolerance;
pub mod urn;
pub mod validate;

pub use attr::{AttrPath, BoundPath};
pub use budget::Budgets;
pub use error::{ScimError, ScimType};
pub use filter::{CompareOp, Filter, Literal};
pub use message::{Json, Resources, list_response, list_response_with_cursors};
pub use patch::{OpKind, Operation, PatchRequest, Target};
pub use project::Projection;
pub use query::{ListQuery, sort};
pub use resource::Resource;
pub use schema::{AttrType, Attribute, Keep, Kind, Mutability, ResourceType, Returned, Schema, SchemaRegistry, Uniqueness};
pub use tolerance::{Dialect, Tolerance, ToleranceSet};
pub use validate::accept_value;
