//! Where the directory is and how we sign in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::directory::Vendor;
use crate::secret::Secret;

/// `[directory]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapConfig {
    /// `ldap://`, `ldaps://` or `ldapi://`, the preferred server first. One at a time is written to.
    pub urls: Vec<Url>,
    /// Servers that follow those and are asked for plain reads.
    pub replicas: Vec<Url>,
    /// How far a replica may be behind: for so long after a write nothing is read there.
    pub replica_lag: Duration,
    /// Which vendor's rules hold.
    pub profile: ProfileChoice,
    /// StartTLS on `ldap://`.
    pub starttls: bool,
    /// PEM file of the authorities trusted for the directory; without it the system's.
    pub ca: Option<PathBuf>,
    /// The certificate we show, over TLS.
    pub client_certificate: Option<ClientCertificate>,
    /// `None`: SASL EXTERNAL, over TLS by the client certificate, on `ldapi://` by the user of the operating system.
    pub bind: Option<Bind>,
    /// Connections kept to each server; each carries many operations at once.
    pub connections: usize,
    /// Operations under way at each server, at most.
    pub max_operations: usize,
    /// For connecting, and for one operation with everything it waits for.
    pub timeout: Duration,
    /// How long a server may be silent before its work goes to the next.
    pub probe_timeout: Duration,
    /// For how long a preferred server must be healthy before work returns to it.
    pub fail_back: Duration,
    /// An idle connection is asked for a sign of life this often.
    pub keepalive: Duration,
}

impl LdapConfig {
    /// The files that are read when it is connected to.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let shown = self.client_certificate.iter().flat_map(|shown| [&shown.certificate, &shown.private_key]);
        self.ca.iter().chain(shown).map(PathBuf::as_path)
    }
}

/// Simple bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The service account's DN.
    pub dn: String,
    /// Its password.
    pub password: Secret,
    /// The key of the configuration that gave it.
    pub key: &'static str,
}

/// What we show a server that asks for a certificate: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `directory.client_certificate`, with those of the authorities between.
    pub certificate: PathBuf,
    /// `directory.client_private_key`.
    pub private_key: PathBuf,
}

/// `directory.profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileChoice {
    /// By the rootDSE.
    Auto,
    /// This vendor's, whatever the rootDSE says.
    Fixed(Vendor),
}
