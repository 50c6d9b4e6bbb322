//! API keys as bearer tokens (RFC 6750 section 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::bearer::{self, Bearer};
use super::{ApiKeyConfig, AuthScheme, Principal, Rejection, SchemeOutcome};

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

    /// The key of this token. The time it takes tells neither whether one matched nor which: digests are compared, and all of them.
    fn find(&self, token: &str) -> Option<&ApiKeyConfig> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = u64::MAX;
        for (n, key) in (0u64..).zip(&self.0) {
            let same: Choice = key.digest.ct_eq(&digest);
            found.conditional_assign(&n, same);
        }
        usize::try_from(found).ok().and_then(|n| self.0.get(n))
    }
}

impl AuthScheme for ApiKeys {
    fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> SchemeOutcome {
        let token = match bearer::token(headers) {
            Bearer::Absent => return SchemeOutcome::NotPresented,
            Bearer::Malformed => return SchemeOutcome::Rejected(Rejection::Malformed),
            Bearer::Token(token) => token,
        };
        match self.find(token) {
            None => SchemeOutcome::Rejected(Rejection::Unknown),
            Some(key) if key.expires.is_some_and(|end| end <= now) => SchemeOutcome::Rejected(Rejection::Expired),
            Some(key) => SchemeOutcome::Accepted(Principal { client: key.name.clone(), scopes: key.scopes }),
        }
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
    use std::sync::Arc;

    use http::header::AUTHORIZATION;

    use super::*;
    use crate::auth::{Authenticator, Scopes};
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

    fn identify(values: &[&str]) -> Result<Arc<str>, Rejection> {
        let keys = vec![
            key("ping", "old", Some("2026-11-25T12:00:01Z")),
            key("ping", "new", None),
            key("okta", "gone", Some("2026-11-25T12:00:00Z")),
        ];
        let authenticator = Authenticator::new(keys, None, Arc::new(Noon));
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        authenticator.identify(&headers).map(|principal| principal.client)
    }

    #[test]
    fn two_keys_of_a_client_live_side_by_side() {
        assert_eq!(identify(&["Bearer old"]).as_deref(), Ok("ping"));
        assert_eq!(identify(&["bearer  new "]).as_deref(), Ok("ping"));
    }

    #[test]
    fn what_is_not_a_live_key_is_refused_with_its_reason() {
        assert_eq!(identify(&[]), Err(Rejection::Missing));
        assert_eq!(identify(&["Bearer gone"]), Err(Rejection::Expired));
        assert_eq!(identify(&["Bearer other"]), Err(Rejection::Unknown));
        assert_eq!(identify(&["Bearer "]), Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer"]), Err(Rejection::Malformed));
        assert_eq!(identify(&["new"]), Err(Rejection::Malformed));
        assert_eq!(identify(&["Basic new"]), Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer new", "Bearer new"]), Err(Rejection::Malformed));
        assert_eq!(identify(&["Bearer \u{e9}"]), Err(Rejection::Malformed));
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
