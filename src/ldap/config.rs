//! Where the directory is and how we sign in.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::directory::Vendor;
use crate::secret::Secret;

/// `[directory]`.
#[derive(Debug, Clone)]
pub struct LdapConfig {
    /// `ldap://`, `ldaps://` or `ldapi://`, the preferred server first.
    pub urls: Vec<Url>,
    /// Which vendor's rules hold.
    pub profile: ProfileChoice,
    /// StartTLS on `ldap://`.
    pub starttls: bool,
    /// PEM file of the authorities trusted for the directory; without it the system's.
    pub ca: Option<PathBuf>,
    /// `None`: SASL EXTERNAL, on `ldapi://` only.
    pub bind: Option<Bind>,
    /// Connections kept to a server; each carries many operations at once.
    pub connections: usize,
    /// For connecting and for one operation.
    pub timeout: Duration,
    /// An idle connection is asked for a sign of life this often.
    pub keepalive: Duration,
}

/// Simple bind.
#[derive(Debug, Clone)]
pub struct Bind {
    /// The service account's DN.
    pub dn: String,
    /// Its password.
    pub password: Secret,
}

/// `directory.profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileChoice {
    /// By the rootDSE.
    Auto,
    /// This vendor's, whatever the rootDSE says.
    Fixed(Vendor),
}
