//! A directory over LDAP. The only module that names the `ldap3` crate; it knows no SCIM.

mod client;
mod config;
mod convert;
mod pool;
mod probe;
mod tls;

pub use client::LdapDirectory;
pub use config::{Bind, LdapConfig, ProfileChoice};
