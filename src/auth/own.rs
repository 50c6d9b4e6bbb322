//! Whether a credential is one of ours, in whatever form it comes. What is ours is shown to nobody else.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::authorization::Credential;
use super::{AccessTokens, ApiKeys, AuthScheme as _, AuthorizationServer, Presented, Rejection, SchemeOutcome, Writing};

/// Words of a header that are looked at: a scheme, a credential, and what may stand around them.
const WORDS: usize = 4;

/// What is ours.
#[derive(Debug)]
pub(super) struct Own {
    keys: Arc<ApiKeys>,
    server: Option<Arc<AuthorizationServer>>,
    tokens: Option<AccessTokens>,
}

impl Own {
    pub(super) fn new(keys: Arc<ApiKeys>, server: Option<Arc<AuthorizationServer>>) -> Self {
        let tokens = server.clone().map(AccessTokens::new);
        Self { keys, server, tokens }
    }

    /// Whether a request shows a key, a client's secret or a token of ours, good or good once.
    pub(super) async fn is_in(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        let mut words = Vec::new();
        for line in headers.get_all(AUTHORIZATION).iter().filter_map(|line| line.to_str().ok()) {
            words.extend(line.split(' ').filter(|word| !word.is_empty()).take(WORDS));
        }
        for word in words {
            if self.is_key_or_token(word, now).await || self.is_password(word, now) {
                return true;
            }
        }
        false
    }

    async fn is_key_or_token(&self, word: &str, now: Timestamp) -> bool {
        // One that looks like a key of ours and is not known may have been one until lately.
        if self.keys.look_up(word, None, now) != SchemeOutcome::NotPresented {
            return true;
        }
        let Some(tokens) = &self.tokens else { return false };
        let presented = Presented { credential: Credential::Token(word, Writing::Standard), certificate: None };
        match tokens.authenticate(&presented, now).await {
            SchemeOutcome::Accepted(_) | SchemeOutcome::Rejected(Rejection::Expired | Rejection::OtherCertificate) => true,
            SchemeOutcome::Rejected(_) | SchemeOutcome::NotPresented => false,
        }
    }

    /// Whether this is a name and a password (RFC 7617) that are ours.
    fn is_password(&self, word: &str, now: Timestamp) -> bool {
        let Ok(bytes) = STANDARD.decode(word).map(Zeroizing::new) else { return false };
        let Some((name, password)) = std::str::from_utf8(&bytes).ok().and_then(|text| text.split_once(':')) else { return false };
        self.keys.look_up(password, None, now) != SchemeOutcome::NotPresented
            || self.server.as_ref().is_some_and(|server| server.client_with_secret(name, password).is_some())
    }
}
