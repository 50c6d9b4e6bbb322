//! Grants tokens, and tells where and how.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use uuid::Uuid;

use super::authorize::Code;
use super::keys::Keys;
use super::people::{Administrators, Person};
use super::replay::{Use, UsedCodes};
use super::request::{ClientCredentials, Grant};
use super::revocations::Revocations;
use super::seal::Purpose;
use super::token::{Claims, RefreshToken};
use super::{Granted, OAuthClientConfig, OAuthConfig, OAuthError, RevocationRequest, TokenRequest, UnusableKey};
use crate::auth::certificate::Confirmation;
use crate::auth::{ClientCertificate, Scope, Scopes};
use crate::clock::Clock;

/// Replicas' clocks may differ by so many seconds.
pub(super) const LEEWAY: i64 = 30;

/// A client by all its entries.
pub(super) struct Registered<'a> {
    pub(super) id: Arc<str>,
    pub(super) scopes: Scopes,
    pub(super) redirect_uris: Vec<&'a str>,
    pub(super) pkce: bool,
    /// The certificate that its request came with.
    cnf: Option<Confirmation>,
}

/// The authorization server.
#[derive(Debug)]
pub struct AuthorizationServer {
    pub(super) keys: Keys,
    pub(super) issuer: String,
    audience: String,
    lifetime: Duration,
    refresh_lifetime: Duration,
    pub(super) clients: Vec<OAuthClientConfig>,
    pub(super) administrators: Option<Administrators>,
    used_codes: Arc<UsedCodes>,
    revocations: Arc<Revocations>,
    pub(super) certificates: bool,
    clock: Arc<dyn Clock>,
}

impl AuthorizationServer {
    /// Reads the keys and what was revoked. `audience` is the URL that the tokens are for. What the one `before` knows of used codes
    /// and of what was revoked is known still.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn new(
        config: OAuthConfig,
        audience: String,
        administrators: Option<Administrators>,
        clock: Arc<dyn Clock>,
        before: Option<&Self>,
    ) -> Result<Self, UnusableKey> {
        let keys = Keys::load(&config)?;
        let OAuthConfig { issuer, access_token_lifetime, refresh_token_lifetime, revocations, clients, certificates, .. } =
            config;
        let known = before.map(|before| &before.revocations).filter(|known| known.file() == revocations.as_deref());
        let revocations = if let Some(known) = known {
            known.clone()
        } else {
            let revocations = Arc::new(Revocations::load(revocations)?);
            revocations.follow_file();
            revocations
        };
        Ok(Self {
            keys,
            issuer,
            audience,
            lifetime: access_token_lifetime,
            refresh_lifetime: refresh_token_lifetime,
            clients,
            certificates,
            administrators,
            used_codes: before.map(|before| before.used_codes.clone()).unwrap_or_default(),
            revocations,
            clock,
        })
    }

    /// Grants what the request asks for, to the holder of the certificate that came with it.
    ///
    /// # Errors
    /// What section 5.2 of RFC 6749 has for it.
    pub async fn grant(&self, request: &TokenRequest, certificate: Option<&ClientCertificate>) -> Result<Granted, OAuthError> {
        let client = Registered { cnf: certificate.map(Confirmation::by), ..self.client(&request.client)? };
        let asked = request.scope.as_deref();
        match &request.grant {
            // A client with a secret could pass over the person who has to consent.
            Grant::ClientCredentials if !client.redirect_uris.is_empty() => Err(OAuthError::UnauthorizedClient(
                "This client has redirect_uris, so it gets its tokens by authorization_code and refresh_token only.",
            )),
            Grant::ClientCredentials => {
                let scopes = granted(client.scopes, asked).ok_or(OAuthError::InvalidScope)?;
                self.token(&client, client.id.to_string(), scopes, None)
            }
            Grant::AuthorizationCode { .. } | Grant::RefreshToken(_) if client.redirect_uris.is_empty() => {
                Err(OAuthError::UnauthorizedClient(
                    "This client has no redirect_uris, so it gets its tokens by client_credentials only.",
                ))
            }
            Grant::AuthorizationCode { code, redirect_uri, verifier } => {
                let verifier = verifier.as_ref().map(|verifier| verifier.as_str());
                self.exchange(&client, code, redirect_uri.as_deref(), verifier).await
            }
            Grant::RefreshToken(token) => self.refresh(&client, token, asked).await,
        }
    }

    /// A token for a code (RFC 6749 section 4.1.3).
    async fn exchange(
        &self,
        client: &Registered<'_>,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Granted, OAuthError> {
        let unknown = OAuthError::InvalidGrant("The code is not known here, has ended, or is another client's.");
        let code: Code = self.keys.open(Purpose::Code, code).ok_or(unknown)?;
        let now = self.now();
        // Another replica may have seen it twice.
        if code.client != *client.id || code.end <= now || self.revocations.contains(code.id) {
            return Err(unknown);
        }
        match self.used_codes.note(code.id, code.end, now) {
            Use::First => {}
            Use::Again => {
                // It was stolen, by this one or by the one before (RFC 6749 section 4.1.2).
                tracing::warn!(client = &*client.id, "a code was used twice: what was granted for it is revoked");
                let end = now.saturating_add(signed(self.refresh_lifetime)).saturating_add(signed(self.lifetime));
                self.revoke_until(code.id, end).await?;
                return Err(OAuthError::InvalidGrant("The code was used before; all that was granted for it is revoked."));
            }
            Use::Unknown => return Err(OAuthError::TemporarilyUnavailable),
        }
        if code.redirect_uri.is_some() && code.redirect_uri.as_deref() != redirect_uri {
            return Err(OAuthError::InvalidGrant("redirect_uri is another than in the authorization request."));
        }
        match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => {}
            (None, None) => {}
            // That it began without PKCE may be an attacker's doing (RFC 9700 section 4.8.2).
            (Some(_), Some(_) | None) | (None, Some(_)) => {
                return Err(OAuthError::InvalidGrant(
                    "code_verifier does not belong to the authorization request's code_challenge.",
                ));
            }
        }
        let refresh = RefreshToken {
            grant: code.id,
            client: code.client,
            person: code.person,
            scope: code.scope,
            end: now.saturating_add(signed(self.refresh_lifetime)),
        };
        let scopes = Scopes::of_words(&refresh.scope).intersection(client.scopes);
        let mut granted = self.token(client, refresh.person.to_string(), scopes, Some(&refresh))?;
        granted.refresh = Some(self.keys.seal(Purpose::Refresh, &refresh).ok_or(OAuthError::ServerError)?);
        Ok(granted)
    }

    /// A token for a refresh token (RFC 6749 section 6), which stays good. RFC 9700 section 4.14.2 wants another one each time for
    /// public clients; ours prove who they are by a secret, which a thief of the token does not have, and an answer that is lost on
    /// its way would shut a client out until an administrator comes.
    async fn refresh(&self, client: &Registered<'_>, token: &str, asked: Option<&str>) -> Result<Granted, OAuthError> {
        let unknown = OAuthError::InvalidGrant(
            "The refresh token is not known here, has ended, is revoked, or is another client's. An administrator has to sign in again.",
        );
        let token: RefreshToken = self.keys.open(Purpose::Refresh, token).ok_or(unknown)?;
        if token.client != *client.id || token.end <= self.now() || self.revocations.contains(token.grant) {
            return Err(unknown);
        }
        let person = Person(token.person);
        let is_administrator = match &self.administrators {
            Some(administrators) => administrators.has(person).await,
            None => Ok(false),
        };
        match is_administrator {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(client = &*client.id, person = %token.person, "who let this client in is no active administrator any more");
                return Err(OAuthError::InvalidGrant(
                    "The person who consented is not an active administrator any more. Another one has to sign in.",
                ));
            }
            Err(error) => {
                tracing::warn!(client = &*client.id, "no token can be refreshed: {error}");
                return Err(OAuthError::TemporarilyUnavailable);
            }
        }
        let allowed = Scopes::of_words(&token.scope).intersection(client.scopes);
        let scopes = granted(allowed, asked).ok_or(OAuthError::InvalidScope)?;
        self.token(client, token.person.to_string(), scopes, Some(&token))
    }

    fn token(
        &self,
        client: &Registered<'_>,
        sub: String,
        scopes: Scopes,
        of: Option<&RefreshToken>,
    ) -> Result<Granted, OAuthError> {
        if scopes == Scopes::none() {
            return Err(OAuthError::InvalidScope);
        }
        let now = self.now();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub,
            client_id: client.id.to_string(),
            scope: scopes.to_string(),
            iat: now,
            exp: now.saturating_add(signed(self.lifetime)),
            jti: Uuid::new_v4(),
            cnf: client.cnf.clone(),
            grant: of.map(|refresh| refresh.grant),
        };
        let token = self.keys.sign(&claims).map_err(|error| {
            tracing::error!("no access token can be signed: {error}");
            OAuthError::ServerError
        })?;
        Ok(Granted { client: client.id.clone(), token, lifetime: self.lifetime, scopes, refresh: None })
    }

    /// Revokes a token; a refresh token with every access token that came of it (RFC 7009 section 2.1). What is no token of ours
    /// needs no revoking. Returns the client.
    ///
    /// # Errors
    /// What section 2.2.1 of RFC 7009 has for it.
    pub async fn revoke(&self, request: &RevocationRequest) -> Result<Arc<str>, OAuthError> {
        let client = self.client(&request.client)?;
        let found = if let Some(token) = self.keys.open::<RefreshToken>(Purpose::Refresh, &request.token) {
            // What came of it may outlive it.
            Some((token.client, token.grant, token.end.max(self.now()).saturating_add(signed(self.lifetime))))
        } else {
            let key_id = jsonwebtoken::decode_header(&*request.token).ok().and_then(|header| header.kid);
            let claims = key_id.and_then(|key_id| self.claims(&key_id, &request.token));
            claims.map(|claims| (claims.client_id, claims.jti, claims.exp))
        };
        let Some((owner, id, end)) = found else { return Ok(client.id) };
        if owner != *client.id {
            return Err(OAuthError::InvalidGrant("The token is another client's."));
        }
        self.revoke_until(id, end).await?;
        tracing::info!(client = &*client.id, "a token was revoked");
        Ok(client.id)
    }

    async fn revoke_until(&self, id: Uuid, end: i64) -> Result<(), OAuthError> {
        let now = self.now();
        // Clocks may differ.
        let end = end.saturating_add(2 * LEEWAY);
        if end <= now {
            return Ok(());
        }
        self.revocations.revoke(id, end, now).await.map_err(|error| {
            tracing::error!("auth.oauth.revocations: nothing can be revoked: {error}");
            OAuthError::TemporarilyUnavailable
        })
    }

    /// The client with this secret. The time it takes tells neither which ids there are nor how much of a secret is right.
    fn client(&self, credentials: &ClientCredentials) -> Result<Registered<'_>, OAuthError> {
        self.by_secret(&credentials.id, &credentials.secret).ok_or(OAuthError::InvalidClient { basic: credentials.basic })
    }

    fn by_secret(&self, id: &str, secret: &str) -> Option<Registered<'_>> {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let wanted: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut found = u64::MAX;
        for (n, client) in (0u64..).zip(&self.clients) {
            let id: [u8; 32] = Sha256::digest(client.id.as_bytes()).into();
            let same: Choice = client.digest.ct_eq(&digest) & id.ct_eq(&wanted);
            found.conditional_assign(&n, same);
        }
        let entry = self.clients.get(usize::try_from(found).ok()?)?;
        // Of two secrets each has its own scopes.
        Some(Registered { scopes: entry.scopes, ..self.registered(&entry.id)? })
    }

    /// The client of this id.
    pub(super) fn registered(&self, id: &str) -> Option<Registered<'_>> {
        let entries = || self.clients.iter().filter(|entry| &*entry.id == id);
        Some(Registered {
            id: entries().next()?.id.clone(),
            scopes: entries().fold(Scopes::none(), |all, entry| all.union(entry.scopes)),
            redirect_uris: entries().flat_map(|entry| &entry.redirect_uris).map(String::as_str).collect(),
            pkce: entries().any(|entry| entry.pkce),
            cnf: None,
        })
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// The client with this secret and what it may do, where the secret stands for a token: not that of a client that needs a
    /// person's consent.
    pub(in crate::auth) fn client_with_secret(&self, id: &str, secret: &str) -> Option<(Arc<str>, Scopes)> {
        let client = self.by_secret(id, secret).filter(|client| client.redirect_uris.is_empty())?;
        self.scopes_of(&client.id)
    }

    /// The claims of a token that is ours, whether it lives or not.
    pub(super) fn claims(&self, key_id: &str, token: &str) -> Option<Claims> {
        self.keys.check(key_id, token, &self.issuer, &self.audience)
    }

    /// Whether a token was revoked, by itself or with the consent it came of.
    pub(super) fn is_revoked(&self, claims: &Claims) -> bool {
        self.revocations.contains(claims.jti) || claims.grant.is_some_and(|grant| self.revocations.contains(grant))
    }

    /// What a client may do now, if it is still one of ours: a token allows no more than its client has by now.
    pub(super) fn scopes_of(&self, client: &str) -> Option<(Arc<str>, Scopes)> {
        self.registered(client).map(|client| (client.id, client.scopes))
    }

    /// The public keys.
    pub fn jwks(&self) -> Value {
        serde_json::to_value(self.keys.public()).unwrap_or_default()
    }
}

fn signed(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// What is granted of what is asked for: words that are no scopes of ours, which some clients send, ask for nothing; and who asks
/// for nothing gets all that it may have. `None` where everything asked for is more than that.
pub(super) fn granted(allowed: Scopes, asked: Option<&str>) -> Option<Scopes> {
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
