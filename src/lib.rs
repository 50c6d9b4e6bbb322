//! scimgate: SCIM 2.0 in front of an LDAP directory.

pub mod clock;
pub mod directory;
#[cfg(feature = "server")]
pub mod ldap;
pub mod scim;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod telemetry;
