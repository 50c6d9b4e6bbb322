//! API keys as bearer tokens (RFC 6750 section 2.1).

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::{ApiKeyConfig, AuthScheme, Presented, Principal, Rejection, SchemeOutcome};

/// The beginning of a key, by which people and secret scanners know it.
const PREFIX: &str = "scimgate_";

/// The configured keys.
#[derive(Debug)]
pub struct ApiKeys(Vec<ApiKeyConfig>);

impl ApiKeys {
    /// Over these keys.
    pub fn new(keys: Vec<ApiKeyConfig>) -> Self {
        Self(keys)
    }

    /// The key of this text, and of this name where one is given. The time it takes tells neither whether one matched nor which:
    /// digests are compared, and all of them.
    fn find(&self, key: &str, name: Option<&str>) -> Option<&ApiKeyConfig> {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let wanted: Option<[u8; 32]> = name.map(|name| Sha256::digest(name.as_bytes()).into());
        let mut found = u64::MAX;
        for (n, key) in (0u64..).zip(&self.0) {
            let mut same: Choice = key.digest.ct_eq(&digest);
            if let Some(wanted) = &wanted {
                let name: [u8; 32] = Sha256::digest(key.name.as_bytes()).into();
                same &= name.ct_eq(wanted);
            }
            found.conditional_assign(&n, same);
        }
        usize::try_from(found).ok().and_then(|n| self.0.get(n))
    }

    /// What is to be said of this text as a key.
    pub(super) fn look_up(&self, key: &str, name: Option<&str>, now: Timestamp) -> SchemeOutcome {
        match self.find(key, name) {
            // One of ours by its look is shown to nobody else.
            None if key.starts_with(PREFIX) && name.is_none() => SchemeOutcome::Rejected(Rejection::Unknown),
            None => SchemeOutcome::NotPresented,
            Some(key) if key.expires.is_some_and(|end| end <= now) => SchemeOutcome::Rejected(Rejection::Expired),
            Some(key) => SchemeOutcome::Accepted(Principal { client: key.name.clone(), scopes: key.scopes }),
        }
    }
}

#[async_trait]
impl AuthScheme for Arc<ApiKeys> {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        presented.token().map_or(SchemeOutcome::NotPresented, |token| self.look_up(token, None, now))
    }
}

/// A new key: 256 random bits.
pub struct GeneratedKey(Zeroizing<String>);

impl GeneratedKey {
    /// Makes one.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)))))
    }

    /// The key, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its hash, as the configuration holds it.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }
}

impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GeneratedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::auth::{AuthConfig, Authenticator, Issuers, Scopes};
    use crate::clock::Clock;

    #[derive(Debug)]
    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            "2026-11-25T12:00:00Z".parse().unwrap()
        }
    }

    fn key(name: &str, secret: &str, expires: Option<&str>) -> ApiKeyConfig {
        ApiKeyConfig {
            name: name.into(),
            digest: Sha256::digest(secret.as_bytes()).into(),
            scopes: Scopes::all(),
            expires: expires.map(|text| text.parse().unwrap()),
        }
    }

    async fn identify(values: &[&str]) -> Result<Arc<str>, Rejection> {
        let api_keys = vec![
            key("ping", "old", Some("2026-11-25T12:00:01Z")),
            key("ping", "new", None),
            key("okta", "gone", Some("2026-11-25T12:00:00Z")),
        ];
        let authenticator =
            Authenticator::new(AuthConfig { api_keys, ..AuthConfig::default() }, None, Issuers::default(), Arc::new(Noon));
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        authenticator.identify(&headers, None).await.map(|(principal, _)| principal.client)
    }

    #[tokio::test]
    async fn two_keys_of_a_client_live_side_by_side() {
        assert_eq!(identify(&["Bearer old"]).await.as_deref(), Ok("ping"));
        assert_eq!(identify(&["bearer  new "]).await.as_deref(), Ok("ping"));
    }

    #[tokio::test]
    async fn what_is_not_a_live_key_is_refused_with_its_reason() {
        assert_eq!(identify(&[]).await, Err(Rejection::Missing));
        assert_eq!(identify(&["Bearer gone"]).await, Err(Rejection::Expired));
        assert_eq!(identify(&["Bearer other"]).await, Err(Rejection::Unknown));
        assert_eq!(identify(&["Bearer "]).await, Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer"]).await, Err(Rejection::Malformed));
        assert_eq!(identify(&["new"]).await, Err(Rejection::Malformed));
        assert_eq!(identify(&["Basic new"]).await, Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer new", "Bearer new"]).await, Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer \u{e9}"]).await, Err(Rejection::Malformed));
    }

    #[test]
    fn a_generated_key_is_accepted_by_its_hash() {
        let generated = GeneratedKey::new().unwrap();
        assert_eq!(generated.expose().len(), PREFIX.len() + 43);
        assert_eq!(generated.hash().len(), "sha256:".len() + 64);
        assert!(!format!("{generated:?}").contains(generated.expose()));
        assert_ne!(generated.expose(), GeneratedKey::new().unwrap().expose());
    }
}
