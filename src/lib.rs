//! scimgate: SCIM 2.0 in front of an LDAP directory.

pub mod clock;
pub mod scim;
