//! Keeps an issuer's keys. One task fetches them, so that there is never more than one request under way: at the start, by age,
//! and when a token names a key that is not among them, which costs the issuer no more than a few requests whatever is sent here.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::config::{IssuerConfig, IssuerUrl, KeySource};
use super::fetch::{FetchError, Fetcher};
use super::keys::KeySet;
use crate::auth::jwt::Unverified;
use crate::telemetry::Metrics;

/// So many fetches may follow one another at once,
const BURST: u32 = 4;
/// and after them one in this time.
const INTERVAL: Duration = Duration::from_secs(5);
/// After a failure the next try is so late, then twice as late, and so on,
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// up to this.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A token waits so long for keys: two fetches.
const PATIENCE: Duration = Duration::from_secs(11);

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of that name.
    Unknown,
    /// It cannot be asked.
    Unavailable,
}

/// The keys, and what is being done about them.
#[derive(Debug, Clone)]
struct State {
    /// Fetches begun and ended.
    begun: u64,
    ended: u64,
    /// The one that a token waits for.
    wanted: u64,
    keys: Option<Arc<KeySet>>,
    /// Whether the last one failed. The keys from before are kept.
    failed: bool,
    /// No fetch that a token asks for begins before.
    next: Instant,
}

/// See above.
#[derive(Debug)]
pub(super) struct KeyStore {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    issuer: Arc<str>,
    refresh: Duration,
    state: watch::Sender<State>,
    metrics: Arc<Metrics>,
}

impl KeyStore {
    /// Begins to fetch; with `eagerly` before there is a token. Needs a runtime.
    pub(super) fn start(config: &IssuerConfig, fetcher: Fetcher, eagerly: bool, metrics: Arc<Metrics>) -> Self {
        let state = State { begun: 0, ended: 0, wanted: 0, keys: None, failed: false, next: Instant::now() };
        let shared = Arc::new(Shared {
            issuer: config.issuer.clone(),
            refresh: config.refresh,
            state: watch::Sender::new(state),
            metrics,
        });
        let task = AbortOnDropHandle::new(tokio::spawn(shared.clone().keep(Source::new(config, fetcher), eagerly)));
        Self { shared, _task: task }
    }

    /// The keys that may have signed a token: those that are here, or else the issuer is asked.
    pub(super) async fn keys(&self, token: &Unverified<'_>, algorithm: Algorithm) -> Result<Arc<KeySet>, NoKey> {
        let shared = &self.shared;
        let has = |state: &State| state.keys.as_ref().is_some_and(|keys| !keys.fitting(token, algorithm).is_empty());
        let mut state = shared.state.subscribe();
        let asking = async {
            loop {
                // What is to be waited for, and whether that is the last. One that is under way may have begun before the key was
                // there: after it, one more.
                let mut awaited = None;
                shared.state.send_if_modified(|now| {
                    if has(now) {
                        return false;
                    }
                    if now.begun > now.ended {
                        awaited = Some((now.begun, false));
                        return false;
                    }
                    if now.next > Instant::now() {
                        return false;
                    }
                    now.wanted = now.begun + 1;
                    awaited = Some((now.wanted, true));
                    true
                });
                let Some((awaited, last)) = awaited else { return };
                // After one that has failed, another is for who comes later.
                let ended = state.wait_for(|state| state.ended >= awaited || has(state)).await.map(|state| state.failed);
                if last || ended.unwrap_or(true) {
                    return;
                }
            }
        };
        if !has(&shared.state.borrow()) {
            let _ = tokio::time::timeout(PATIENCE, asking).await;
        }
        let now = shared.state.borrow();
        match &now.keys {
            Some(keys) if has(&now) => Ok(keys.clone()),
            Some(_) if !now.failed => Err(NoKey::Unknown),
            Some(_) | None => Err(NoKey::Unavailable),
        }
    }
}

impl Shared {
    async fn keep(self: Arc<Self>, mut source: Source, eagerly: bool) {
        let mut state = self.state.subscribe();
        if !eagerly {
            let _ = state.wait_for(|state| state.wanted > state.begun).await;
        }
        let mut allowance = Allowance::full(Instant::now());
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep_until(allowance.next).await;
            allowance.take(Instant::now());
            self.state.send_modify(|state| {
                state.begun += 1;
                state.next = allowance.next;
            });
            let fetched = source.fetch().await;
            self.metrics.issuer_asked(&self.issuer, "keys", fetched.is_ok());
            let wait = match &fetched {
                Ok(_) => self.refresh,
                Err(error) => {
                    tracing::warn!(issuer = &*self.issuer, "the issuer's keys cannot be fetched: {error}");
                    pause
                }
            };
            pause = if fetched.is_ok() { FIRST_PAUSE } else { (2 * pause).min(LONGEST_PAUSE) };
            self.state.send_modify(|state| {
                state.ended += 1;
                state.failed = fetched.is_err();
                if let Ok(keys) = fetched {
                    if state.keys.as_ref().is_none_or(|before| before.ids() != keys.ids()) {
                        tracing::info!(issuer = &*self.issuer, keys = ?keys.ids(), "the issuer's keys");
                    }
                    state.keys = Some(Arc::new(keys));
                }
            });
            tokio::select! {
                () = tokio::time::sleep(wait.min(self.refresh)) => {}
                _ = state.wait_for(|state| state.wanted > state.begun) => {}
            }
        }
    }
}

/// Where one issuer's keys come from.
#[derive(Debug)]
pub(super) struct Source {
    issuer: Arc<str>,
    keys: KeySource,
    fetcher: Fetcher,
    /// Where they are, once that was found.
    place: Option<IssuerUrl>,
}

impl Source {
    pub(super) fn new(config: &IssuerConfig, fetcher: Fetcher) -> Self {
        Self { issuer: config.issuer.clone(), keys: config.keys.clone(), fetcher, place: None }
    }

    /// The keys. After a failure their place is looked up anew.
    pub(super) async fn fetch(&mut self) -> Result<KeySet, FetchError> {
        let url = match self.place.take() {
            Some(url) => url,
            None => self.find().await?,
        };
        let document = self.fetcher.get(&url).await?;
        let keys = KeySet::read(&document).ok_or_else(|| FetchError::content(&url, "no set of keys"))?;
        if keys.is_empty() {
            return Err(FetchError::content(&url, "a set without a key that could be used"));
        }
        self.place = Some(url);
        Ok(keys)
    }

    /// Where the keys are.
    async fn find(&self) -> Result<IssuerUrl, FetchError> {
        match &self.keys {
            KeySource::Keys(url) => Ok(url.clone()),
            KeySource::Document(url) => self.place_in(url, &self.fetcher.get(url).await?),
            KeySource::WellKnown(issuer) => {
                let [first, second] = issuer.well_known();
                match self.fetcher.get(&first).await {
                    Ok(document) => {
                        if let Ok(place) = self.place_in(&first, &document) {
                            return Ok(place);
                        }
                    }
                    Err(FetchError::Status(..) | FetchError::Content(..)) => {}
                    // Who does not answer at the one place does not at the other.
                    Err(error @ (FetchError::Late(_) | FetchError::Failed(..))) => return Err(error),
                }
                self.place_in(&second, &self.fetcher.get(&second).await?)
            }
        }
    }

    /// What a document says, if it is the issuer's own (RFC 8414 section 3.3, by the letter).
    fn place_in(&self, url: &IssuerUrl, document: &Value) -> Result<IssuerUrl, FetchError> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&*self.issuer) {
            return Err(FetchError::content(url, "another issuer's document: its `issuer` is not that of auth.issuers"));
        }
        let place = text("jwks_uri").and_then(|text| text.parse().ok());
        place.ok_or_else(|| FetchError::content(url, "a document without a jwks_uri over https"))
    }
}

/// How many fetches there may be.
#[derive(Debug)]
struct Allowance {
    left: u32,
    counted: Instant,
    /// When the next one may begin.
    next: Instant,
}

impl Allowance {
    fn full(now: Instant) -> Self {
        Self { left: BURST, counted: now, next: now }
    }

    fn take(&mut self, now: Instant) {
        let seconds = now.duration_since(self.counted).as_secs();
        let back = u32::try_from(seconds / INTERVAL.as_secs()).unwrap_or(u32::MAX);
        if self.left.saturating_add(back) >= BURST {
            (self.left, self.counted) = (BURST, now);
        } else {
            self.left += back;
            self.counted += INTERVAL * back;
        }
        self.left = self.left.saturating_sub(1);
        self.next = if self.left > 0 { now } else { self.counted + INTERVAL };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetches_are_few_however_many_are_wanted() {
        let start = Instant::now();
        let mut allowance = Allowance::full(start);
        let (mut now, mut taken) = (start, 0);
        while now < start + Duration::from_secs(100) {
            if allowance.next <= now {
                allowance.take(now);
                taken += 1;
            }
            now += Duration::from_millis(50);
        }
        // The burst, and one every five seconds.
        assert_eq!(taken, 4 + 19);
        allowance.take(now + Duration::from_mins(1));
        assert_eq!(allowance.next, now + Duration::from_mins(1));
    }
}
