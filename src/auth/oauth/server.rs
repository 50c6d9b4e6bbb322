//! Grants tokens, and tells where and how.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use uuid::Uuid;

use super::keys::Keys;
use super::{OAuthClientConfig, OAuthConfig, OAuthError, TokenRequest, UnusableKey};
use crate::auth::certificate::Confirmation;
use crate::auth::{ClientCertificate, Scope, Scopes};
use crate::clock::Clock;

/// What an access token says (RFC 9068 section 2.2). Times are seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
    /// The certificate that it is bound to, if the client showed one (RFC 8705 section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Confirmation>,
}

/// A token for a client.
pub struct Granted {
    /// Whose it is.
    pub client: Arc<str>,
    token: String,
    lifetime: Duration,
    scopes: Scopes,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted").field("client", &self.client).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Granted {
    /// The body of the answer (RFC 6749 section 5.1). Clients compare `token_type` by the letter.
    pub fn to_body(&self) -> Value {
        json!({
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "scope": self.scopes.to_string(),
        })
    }
}

/// The authorization server.
#[derive(Debug)]
pub struct AuthorizationServer {
    keys: Keys,
    issuer: String,
    audience: String,
    lifetime: Duration,
    clients: Vec<OAuthClientConfig>,
    certificates: bool,
    clock: Arc<dyn Clock>,
}

impl AuthorizationServer {
    /// Reads the keys. `audience` is the URL that the tokens are for.
    ///
    /// # Errors
    /// The key file that cannot be used.
    pub fn new(config: OAuthConfig, audience: String, clock: Arc<dyn Clock>) -> Result<Self, UnusableKey> {
        let keys = Keys::load(&config)?;
        let OAuthConfig { issuer, access_token_lifetime, clients, certificates, .. } = config;
        Ok(Self { keys, issuer, audience, lifetime: access_token_lifetime, clients, certificates, clock })
    }

    /// Grants what the request asks for, to the holder of the certificate that came with it.
    ///
    /// # Errors
    /// What section 5.2 of RFC 6749 has for it.
    pub fn grant(&self, request: &TokenRequest, certificate: Option<&ClientCertificate>) -> Result<Granted, OAuthError> {
        let client =
            self.client(&request.client_id, &request.client_secret).ok_or(OAuthError::InvalidClient { basic: request.basic })?;
        let scopes = granted(client.scopes, request.scope.as_deref()).ok_or(OAuthError::InvalidScope)?;
        let now = self.clock.now().as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: client.id.to_string(),
            client_id: client.id.to_string(),
            scope: scopes.to_string(),
            iat: now,
            exp: now.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)),
            jti: Uuid::new_v4().to_string(),
            cnf: certificate.map(Confirmation::by),
        };
        let token = self.keys.sign(&claims).map_err(|error| {
            tracing::error!("no access token can be signed: {error}");
            OAuthError::ServerError
        })?;
        Ok(Granted { client: client.id.clone(), token, lifetime: self.lifetime, scopes })
    }

    /// The client with this secret. The time it takes tells neither which ids there are nor how much of a secret is right.
    fn client(&self, id: &str, secret: &str) -> Option<&OAuthClientConfig> {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let wanted: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut found = u64::MAX;
        for (n, client) in (0u64..).zip(&self.clients) {
            let id: [u8; 32] = Sha256::digest(client.id.as_bytes()).into();
            let same: Choice = client.digest.ct_eq(&digest) & id.ct_eq(&wanted);
            found.conditional_assign(&n, same);
        }
        usize::try_from(found).ok().and_then(|n| self.clients.get(n))
    }

    /// The client with this secret and what it may do, where the secret stands for a token.
    pub(in crate::auth) fn client_with_secret(&self, id: &str, secret: &str) -> Option<(Arc<str>, Scopes)> {
        self.client(id, secret).and_then(|client| self.scopes_of(&client.id))
    }

    /// The claims of a token that is ours, whether it lives or not.
    pub(super) fn claims(&self, key_id: &str, token: &str) -> Option<Claims> {
        self.keys.check(key_id, token, &self.issuer, &self.audience)
    }

    /// What a client may do now, if it is still one of ours: a token allows no more than its client has by now.
    pub(super) fn scopes_of(&self, client: &str) -> Option<(Arc<str>, Scopes)> {
        let mut entries = self.clients.iter().filter(|entry| &*entry.id == client);
        let first = entries.next()?;
        Some((first.id.clone(), entries.fold(first.scopes, |all, entry| all.union(entry.scopes))))
    }

    /// The public keys.
    pub fn jwks(&self) -> Value {
        serde_json::to_value(self.keys.public()).unwrap_or_default()
    }

    /// What there is to know of this server (RFC 8414 section 2).
    pub fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/oauth2/token"),
            "jwks_uri": format!("{issuer}/oauth2/jwks"),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "response_types_supported": [],
            "scopes_supported": Scope::ALL.map(Scope::as_str),
            "tls_client_certificate_bound_access_tokens": self.certificates,
        })
    }
}

/// What is granted of what is asked for: words that are no scopes of ours, which some clients send, ask for nothing; and who asks
/// for nothing gets all that it may have. `None` where everything asked for is more than that.
fn granted(allowed: Scopes, asked: Option<&str>) -> Option<Scopes> {
    let words = asked.unwrap_or_default().split([' ', ',']).filter(|word| !word.is_empty());
    let known: Vec<Scope> = words.filter_map(|word| word.parse().ok()).collect();
    if known.is_empty() {
        return Some(allowed);
    }
    let scopes: Scopes = known.into_iter().filter(|scope| allowed.contains(*scope)).collect();
    (scopes != Scopes::none()).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_asked_for_and_allowed() {
        let all = Scopes::all();
        let users: Scopes = [Scope::UsersWrite].into_iter().collect();
        assert_eq!(granted(users, None), Some(users));
        assert_eq!(granted(all, Some("users:write")), Some(users));
        assert_eq!(
            granted(all, Some("groups:read,users:read")).map(|s| s.to_string()).as_deref(),
            Some("users:read groups:read")
        );
        assert_eq!(granted(users, Some("users:write groups:write")), Some(users));
        assert_eq!(granted(users, Some("scim openid")), Some(users));
        assert_eq!(granted(users, Some("groups:write")), None);
    }
}
