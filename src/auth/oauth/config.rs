//! Who gets a token, and how it is signed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Scopes;
use crate::directory::Dn;

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
    /// How long a refresh token is good, counted from the sign-in.
    pub refresh_token_lifetime: Duration,
    /// Who may let a client in by signing in; `None` where no client asks for that.
    pub administrators: Option<AdministratorsConfig>,
    /// The file that keeps what was revoked; without it, it is forgotten when the process ends.
    pub revocations: Option<PathBuf>,
    /// In the file's order. Two entries of one id are two secrets of one client, while it moves from the old to the new.
    pub clients: Vec<OAuthClientConfig>,
}

/// Who may let a client in.
#[derive(Debug, Clone)]
pub struct AdministratorsConfig {
    /// `auth.oauth.administrators`: the group whose members may.
    pub group: Dn,
    /// `auth.oauth.administrators_base`: the branch in which their entries are looked for.
    pub base: Dn,
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
    /// Where a person who signed in may be sent back to, to the letter. A client that has some gets its tokens by a person's
    /// consent and in no other way; one that has none gets them for its secret.
    pub redirect_uris: Vec<String>,
    /// Whether it must prove by PKCE that it is the one that began (RFC 9700 section 2.1.1).
    pub pkce: bool,
}

impl std::fmt::Debug for OAuthClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, digest: _, scopes, redirect_uris, pkce } = self;
        f.debug_struct("OAuthClientConfig")
            .field("id", id)
            .field("scopes", scopes)
            .field("redirect_uris", redirect_uris)
            .field("pkce", pkce)
            .finish_non_exhaustive()
    }
}
