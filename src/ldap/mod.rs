//! A directory over LDAP. The only module that names the `ldap3` crate; it knows no SCIM.

mod bind_check;
mod budget;
mod client;
mod config;
mod connect;
mod convert;
mod difference;
mod door;
mod feed;
mod inspection;
mod operation;
mod pool;
mod probe;
mod server;
mod sign_in;
mod tls;
mod turns;

pub use client::LdapDirectory;
pub use config::{Bind, ClientCertificate, LdapConfig, ProfileChoice};
pub use inspection::{Inspection, Rehearsed};
pub use pool::{Contact, Role};
