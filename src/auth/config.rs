//! Who may come in.

use std::sync::Arc;

use jiff::Timestamp;

use super::scope::{Scope, Scopes};
use super::{CertificateConfig, HeaderForms, IssuerConfig, OAuthConfig};

/// `[auth]`.
#[derive(Debug, Clone, Default)]
pub struct AuthConfig {
    /// In the file's order. Two keys may bear one name while a client moves from the old to the new.
    pub api_keys: Vec<ApiKeyConfig>,
    /// The authorization server, if there is to be one.
    pub oauth: Option<OAuthConfig>,
    /// Which forms of the Authorization header are read.
    pub forms: HeaderForms,
    /// Clients known by their certificates, in the file's order.
    pub certificates: Vec<CertificateConfig>,
    /// Other authorization servers whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
}

impl AuthConfig {
    /// Whether anybody could have the scope `admin`; of whom other servers' tokens are for is not known.
    pub fn may_have_administrator(&self) -> bool {
        let keys = self.api_keys.iter().map(|key| key.scopes);
        let certificates = self.certificates.iter().map(|certificate| certificate.scopes);
        let clients = self.oauth.iter().flat_map(|oauth| &oauth.clients).map(|client| client.scopes);
        !self.issuers.is_empty() || keys.chain(certificates).chain(clients).any(|scopes| scopes.contains(Scope::Admin))
    }
}

/// One `[[auth.api_keys]]`.
#[derive(Clone)]
pub struct ApiKeyConfig {
    /// The client's name in logs, limits and the audit.
    pub name: Arc<str>,
    /// SHA-256 of the key. A key is 256 random bits, so a slow hash would add nothing.
    pub digest: [u8; 32],
    /// What it may do.
    pub scopes: Scopes,
    /// Refused from this instant on.
    pub expires: Option<Timestamp>,
}

impl std::fmt::Debug for ApiKeyConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, digest: _, scopes, expires } = self;
        f.debug_struct("ApiKeyConfig")
            .field("name", name)
            .field("scopes", scopes)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}
