//! Who may come in.

use std::sync::Arc;

use jiff::Timestamp;

use super::scope::Scopes;

/// `[auth]`.
#[derive(Debug, Clone, Default)]
pub struct AuthConfig {
    /// In the file's order. Two keys may bear one name while a client moves from the old to the new.
    pub api_keys: Vec<ApiKey>,
}

/// One `[[auth.api_keys]]`.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The client's name in logs, limits and the audit.
    pub name: Arc<str>,
    /// SHA-256 of the key. A key is 256 random bits, so a slow hash would add nothing.
    pub digest: [u8; 32],
    /// What it may do.
    pub scopes: Scopes,
    /// Refused from this instant on.
    pub expires: Option<Timestamp>,
}
