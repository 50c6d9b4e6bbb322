//! The LDAP information model (RFC 4511, 4512, 4514, 4515) without a connection: values, names, filters, changes.
//!
//! Everything that is printed for a directory is printed here, so this is the only place that escapes.

mod altered;
mod attribute;
mod change;
mod dn;
mod entry;
mod filter;
mod inverse;
mod matching;
mod port;
mod result;
mod schema;
mod syntax;

pub mod ldif;
pub mod profile;

pub use attribute::{AttributeName, InvalidAttributeName};
pub use change::{ChangeRecord, Modification, ModifyOp};
pub use dn::{Ava, Dn, DnKey, InvalidDn, Rdn};
pub use entry::Entry;
pub use filter::Filter;
pub use port::{Branch, Capabilities, Directory, FeedEvent, Reads, Scope, SearchRequest, SearchResult, Source, Vendor, Written};
pub use result::{DirectoryError, ResultCode};
pub use schema::{AttributeType, Definitions, Equality, Subschema, Unstated};
pub use syntax::{file_time, from_file_time, generalized_time, instant};
