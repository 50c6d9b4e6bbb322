//! What the audit needs to know.

use std::path::PathBuf;

/// Attributes whose values are never written, beside those of the configuration.
const SECRETS: [&str; 7] = [
    "userPassword",
    "unicodePwd",
    "clearTextPassword",
    "supplementalCredentials",
    "sambaNTPassword",
    "krbPrincipalKey",
    "pwdHistory",
];

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// Where lines go.
    pub destination: Destination,
    /// What becomes of writes while they cannot go there.
    pub on_failure: OnFailure,
    /// Attributes whose values are left out.
    pub mask: Mask,
}

/// Attributes whose values are left out, beside passwords and their like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask(Vec<String>);

impl Mask {
    /// These beside passwords and their like.
    pub fn new(attributes: Vec<String>) -> Self {
        Self(attributes)
    }

    /// Those that were named.
    pub fn named(&self) -> &[String] {
        &self.0
    }

    /// Whether an attribute's values are left out, with whatever options it is written.
    pub fn covers(&self, attribute: &str) -> bool {
        let name = attribute.split(';').next().unwrap_or_default();
        is_secret(attribute) || self.0.iter().any(|masked| masked.eq_ignore_ascii_case(name))
    }
}

impl AuditConfig {
    /// Whether an attribute's values are left out, with whatever options it is written.
    pub fn is_masked(&self, attribute: &str) -> bool {
        self.mask.covers(attribute)
    }
}

/// Whether an attribute's values are never written or shown, whatever the configuration says, with whatever options it is written.
pub fn is_secret(attribute: &str) -> bool {
    let name = attribute.split(';').next().unwrap_or_default();
    SECRETS.into_iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file, and those that it was before it grew too large.
    File(FileConfig),
    /// Standard output; the log goes to standard error.
    Stdout,
    /// Syslog (RFC 5424).
    Syslog(SyslogAddress),
}

/// A file of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConfig {
    /// The file that is written.
    pub path: PathBuf,
    /// When it has so many bytes, it is put aside.
    pub rotate_size: u64,
    /// How many that were put aside are kept; 0 for all.
    pub keep: usize,
    /// Whether lines are on the disk, rather than with the operating system, before their request is answered.
    pub sync: bool,
}

/// Where syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A datagram socket of this machine.
    Local(PathBuf),
    /// Datagrams (RFC 5426): nobody tells that they arrived.
    Udp(String),
    /// A connection with counted octets (RFC 6587 section 3.4.1).
    Tcp(String),
}

/// What becomes of writes while their lines cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// They are refused before they touch the directory.
    #[default]
    Refuse,
    /// They are made, and the log complains.
    Warn,
}
