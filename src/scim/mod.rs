//! SCIM 2.0 (RFC 7643, RFC 7644) and nothing else: no LDAP, no HTTP server, no clock.

pub mod attr;
pub mod error;
pub mod schema;
pub mod urn;

pub use attr::{AttrPath, BoundPath};
pub use error::{ScimError, ScimType};
pub use schema::{AttrType, Attribute, Kind, Mutability, ResourceType, Returned, Schema, Uniqueness};
