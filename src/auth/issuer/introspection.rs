//! Tokens that say nothing themselves: their issuer is asked (RFC 7662).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use jiff::Timestamp;
use moka::sync::Cache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OnceCell, Semaphore};
use zeroize::Zeroizing;

use super::claims::Claims;
use super::config::IntrospectionConfig;
use super::fetch::{FetchError, Fetcher};
use crate::telemetry::Metrics;

/// Answers kept at once.
const MOST_KEPT: u64 = 10_000;
/// Questions under way at once; further ones are told to come again.
const MOST_ASKED: usize = 32;

/// The issuer could not be asked, or gave no answer that could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

/// What the issuer said of a token.
#[derive(Debug, Clone)]
struct Answer {
    /// `None`: that it is not good.
    claims: Option<Arc<Claims>>,
    /// It holds until then, in seconds since 1970.
    until: i64,
}

/// Requests that show one token share one question about it.
type Shared = Arc<OnceCell<Result<Answer, Unavailable>>>;

/// Asks, and remembers the answers for a while, by the tokens' digests.
#[derive(Debug)]
pub(super) struct Introspection {
    issuer: Arc<str>,
    config: IntrospectionConfig,
    fetcher: Fetcher,
    answers: Cache<[u8; 32], Shared>,
    places: Semaphore,
    metrics: Arc<Metrics>,
}

impl Introspection {
    pub(super) fn new(issuer: Arc<str>, config: IntrospectionConfig, fetcher: Fetcher, metrics: Arc<Metrics>) -> Self {
        let answers = Cache::builder().max_capacity(MOST_KEPT).time_to_live(config.cache).build();
        Self { issuer, config, fetcher, answers, places: Semaphore::new(MOST_ASKED), metrics }
    }

    /// The claims of a token that its issuer says is good; `None` if it says that it is not.
    pub(super) async fn claims(&self, token: &str, now: Timestamp) -> Result<Option<Arc<Claims>>, Unavailable> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = now.as_second();
        let old = |cell: &Shared| cell.get().is_some_and(|answer| answer.as_ref().is_ok_and(|answer| answer.until <= now));
        if self.answers.get(&digest).is_some_and(|cell| old(&cell)) {
            self.answers.invalidate(&digest);
        }
        let cell = self.answers.get_with(digest, Shared::default);
        let answer = cell.get_or_init(|| self.ask(token, now)).await.clone();
        if answer.is_err() {
            // Whoever waited for it is told the same; who comes later asks again.
            self.answers.invalidate(&digest);
        }
        answer.map(|answer| answer.claims)
    }

    async fn ask(&self, token: &str, now: i64) -> Result<Answer, Unavailable> {
        let Ok(_place) = self.places.try_acquire() else { return Err(Unavailable) };
        let answer = self.answer(token).await;
        self.metrics.issuer_asked(&self.issuer, "introspection", answer.is_ok());
        let mut claims = answer.map_err(|error| {
            tracing::warn!(issuer = &*self.issuer, "the issuer cannot be asked about a token: {error}");
            Unavailable
        })?;
        let until = now.saturating_add(i64::try_from(self.config.cache.as_secs()).unwrap_or(i64::MAX));
        if let Some(Claims(claims)) = &mut claims {
            // It need not have an end of its own (RFC 7662 section 2.2); the answer has.
            claims.entry("exp").or_insert(until.into());
        }
        let end = claims.as_ref().and_then(Claims::end).unwrap_or(i64::MAX);
        Ok(Answer { claims: claims.map(Arc::new), until: until.min(end) })
    }

    async fn answer(&self, token: &str) -> Result<Option<Claims>, FetchError> {
        let IntrospectionConfig { endpoint, client_id, client_secret, cache: _ } = &self.config;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let authorization = basic(client_id, client_secret.expose())
            .ok_or_else(|| FetchError::content(endpoint, "not to be asked with this client_id"))?;
        let Value::Object(mut claims) = self.fetcher.post(endpoint, authorization, form).await? else {
            return Err(FetchError::content(endpoint, "no object"));
        };
        match claims.remove("active") {
            Some(Value::Bool(false)) => Ok(None),
            // An answer about a token of another issuer is no answer.
            Some(Value::Bool(true)) => {
                let ours = claims.get("iss").is_none_or(|issuer| issuer.as_str() == Some(&*self.issuer));
                Ok(ours.then_some(Claims(claims)))
            }
            Some(_) | None => Err(FetchError::content(endpoint, "an answer without `active`")),
        }
    }
}

/// The id and secret, each coded as in a form (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &str) -> Option<HeaderValue> {
    let coded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = Zeroizing::new(format!("{}:{}", coded(id), coded(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(joined.as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
