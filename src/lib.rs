//! scimgate: SCIM 2.0 in front of an LDAP directory.

pub mod clock;
pub mod directory;
pub mod mapping;
pub mod scim;

#[cfg(feature = "server")]
pub mod ldap;
#[cfg(feature = "server")]
pub mod membership;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod telemetry;
