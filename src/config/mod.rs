//! The configuration: one TOML file, any key of which an environment variable may set. Every mistake is reported at once, with
//! its place and its remedy; nothing is bound or connected before all of it is valid.

mod audit;
mod credentials;
mod directory;
mod issuers;
mod load;
mod node;
mod oauth;
mod provisioning;
mod quantity;
mod reader;
mod shared_limits;
mod traces;
mod upstream;
mod watch;

pub use self::watch::Watched;
use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::admin::AdminConfig;
use crate::adoption::AdoptionConfig;
use crate::audit::AuditConfig;
use crate::auth::AuthConfig;
use crate::http::{ClientPolicy, HttpConfig, SCIM_PATH, UpstreamConfig};
use crate::ldap::LdapConfig;
use crate::limit::LimitConfig;
use crate::mapping::MappingConfig;
use crate::service::ServiceConfig;
use crate::telemetry::{LogConfig, TracesConfig};

/// Everything that can be configured, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: HttpConfig,
    /// `[admin]`
    pub admin: AdminConfig,
    /// `[upstream]`; `None`: what is not ours is 404.
    pub upstream: Option<UpstreamConfig>,
    /// `[directory]`
    pub directory: LdapConfig,
    /// `[users]`, `[groups]` and `[provisioning]`
    pub mapping: MappingConfig,
    /// `[adoption]`
    pub adoption: AdoptionConfig,
    /// `[data]`
    pub data: DataConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[clients.*]`, by the client's name.
    pub clients: HashMap<Arc<str>, ClientPolicy>,
    /// `[limits]`, the rates
    pub limits: LimitConfig,
    /// `[cache]`, `[cursors]`, `[protected]`, `[rails]`, and of `[limits]` what one request may cost
    pub service: ServiceConfig,
    /// `[audit]`; `None`: nothing is audited.
    pub audit: Option<AuditConfig>,
    /// `[log]`
    pub log: LogConfig,
    /// `[traces]`; `None`: nothing is traced.
    pub traces: Option<TracesConfig>,
    /// The files whose readers know a secret.
    pub secret_files: Vec<SecretFile>,
}

impl Config {
    /// The SCIM base URL as far as it is known.
    pub fn base_url(&self) -> String {
        let server = &self.server;
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        let host = |address: std::net::SocketAddr| {
            if address.ip().is_unspecified() { format!("<this host's name>:{}", address.port()) } else { address.to_string() }
        };
        let url = server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", host(server.listen)));
        format!("{url}{SCIM_PATH}")
    }

    /// Where tokens are granted, if they are.
    pub fn token_endpoint(&self) -> Option<String> {
        self.auth.oauth.as_ref().map(|oauth| format!("{}/oauth2/token", oauth.issuer))
    }
}

/// A file that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The key that names it, or that holds the secret in the configuration's own file.
    pub key: String,
    /// Where it is.
    pub path: PathBuf,
}

impl SecretFile {
    /// Its mode, where everybody on this machine may read or write it.
    pub fn exposed(&self) -> Option<u32> {
        const EVERYBODY: u32 = 0o006;
        // What cannot be looked at is told of where it is used.
        let mode = std::fs::metadata(&self.path).ok()?.mode();
        (mode & EVERYBODY != 0).then_some(mode & 0o777)
    }
}

/// Data files that replace or add to those that ship with the program.
#[derive(Debug, Clone, Default)]
pub struct DataConfig {
    /// A folder laid out as `config/` in the source: `mapping/*.toml`, `schemas/*.json`. What is not in it is built in.
    pub folder: Option<PathBuf>,
    /// Schema documents that extend users.
    pub user_extensions: Vec<PathBuf>,
    /// Schema documents that extend groups.
    pub group_extensions: Vec<PathBuf>,
}

/// What is wrong with a configuration: a line each, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
