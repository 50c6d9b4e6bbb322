//! Who gets a token, and how it is signed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Scopes;

/// `[auth.oauth]`.
#[derive(Debug, Clone)]
pub struct OAuthConfig {
    /// The URL that tokens name as their origin: `server.public_url`.
    pub issuer: String,
    /// PEM file of the private key that signs: EC P-256 or Ed25519.
    pub signing_key: PathBuf,
    /// Files of keys that signed before: what they signed is accepted still.
    pub former_keys: Vec<PathBuf>,
    /// How long a token is good.
    pub access_token_lifetime: Duration,
    /// Whether clients may show certificates, which their tokens are then bound to (RFC 8705).
    pub certificates: bool,
    /// In the file's order. Two entries of one id are two secrets of one client, while it moves from the old to the new.
    pub clients: Vec<OAuthClientConfig>,
}

/// One `[[auth.oauth.clients]]`.
#[derive(Clone)]
pub struct OAuthClientConfig {
    /// Its id, which is also its name in logs and limits.
    pub id: Arc<str>,
    /// SHA-256 of its secret, which is 256 random bits.
    pub digest: [u8; 32],
    /// What its tokens allow at most.
    pub scopes: Scopes,
}

impl std::fmt::Debug for OAuthClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, digest: _, scopes } = self;
        f.debug_struct("OAuthClientConfig").field("id", id).field("scopes", scopes).finish_non_exhaustive()
    }
}
