//! Tokens of other authorization servers: signed ones (RFC 7519, RFC 9068, RFC 8725) by the issuer's published keys, others by
//! asking it (RFC 7662).

mod claims;
mod config;
mod fetch;
mod introspection;
mod keys;
mod store;
#[cfg(test)]
pub(super) mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

pub use config::{
    ClientRule, IntrospectionConfig, InvalidUrl, IssuerConfig, IssuerUrl, KeySource, ScopeRule, SigningAlgorithm,
    UnknownAlgorithm,
};

use super::jwt::Unverified;
use super::{AuthScheme, ClientCertificate, Presented, Principal, Rejection, SchemeOutcome};
use crate::telemetry::Metrics;
use claims::Claims;
use fetch::Fetcher;
use introspection::Introspection;
use store::{KeyStore, NoKey, Source};

/// Names of clients that one issuer can bring in while the program runs: each has metrics and budgets of its own.
const MOST_CLIENTS: usize = 1000;

/// The issuers, made ready.
#[derive(Debug, Default)]
pub struct Issuers(Vec<Arc<Issuer>>);

#[derive(Debug)]
struct Issuer {
    config: IssuerConfig,
    keys: KeyStore,
    introspection: Option<Introspection>,
    clients: Mutex<HashSet<Arc<str>>>,
}

impl Issuers {
    /// Reads their files and begins to fetch their keys, if there are any; whether an issuer answers is not waited for.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn start(configs: Vec<IssuerConfig>, metrics: &Arc<Metrics>) -> Result<Self, String> {
        let start = |config| Issuer::start(config, metrics).map(Arc::new);
        Ok(Self(configs.into_iter().map(start).collect::<Result<_, _>>()?))
    }

    /// The ways to sign in by them: by a signed token, and by one that its issuer is asked about.
    pub(super) fn schemes(self) -> (SignedTokens, Option<OpaqueTokens>) {
        let asked = self.0.iter().find(|issuer| issuer.introspection.is_some()).cloned();
        (SignedTokens(self.0), asked.map(OpaqueTokens))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Fetches an issuer's keys once; returns how many of them can be used.
///
/// # Errors
/// Why there are none.
pub async fn usable_keys(config: &IssuerConfig) -> Result<usize, String> {
    let fetcher = Fetcher::new(config.ca.as_deref())?;
    let keys = Source::new(config, fetcher).fetch().await;
    keys.map(|keys| keys.len()).map_err(|error| error.to_string())
}

impl Issuer {
    fn start(config: IssuerConfig, metrics: &Arc<Metrics>) -> Result<Self, String> {
        let fetcher = Fetcher::new(config.ca.as_deref())?;
        // One that is asked about its tokens may have no keys at all.
        let eagerly = config.introspection.is_none() || !matches!(config.keys, KeySource::WellKnown(_));
        let keys = KeyStore::start(&config, fetcher.clone(), eagerly, metrics.clone());
        let introspection =
            config.introspection.clone().map(|asked| Introspection::new(config.issuer.clone(), asked, fetcher, metrics.clone()));
        Ok(Self { config, keys, introspection, clients: Mutex::default() })
    }

    /// What a token that names this issuer is worth.
    async fn judge(&self, token: &str, certificate: Option<&ClientCertificate>, now: Timestamp) -> Result<Principal, Rejection> {
        let token = Unverified::read(token).filter(Unverified::may_be_access_token).ok_or(Rejection::Unknown)?;
        let algorithm = token.algorithm().ok_or(Rejection::Unknown)?;
        if !self.config.algorithms.iter().any(|allowed| allowed.0 == algorithm) {
            return Err(Rejection::Unknown);
        }
        let keys = self.keys.keys(&token, algorithm).await.map_err(|why| match why {
            NoKey::Unknown => Rejection::Unknown,
            NoKey::Unavailable => Rejection::Unavailable,
        })?;
        let mut token = token;
        for key in keys.fitting(&token, algorithm) {
            token = match token.verified(key, algorithm) {
                Ok(claims) => return self.principal(&Claims(claims), certificate, now),
                Err(token) => token,
            };
        }
        Err(Rejection::Unknown)
    }

    fn principal(
        &self,
        claims: &Claims,
        certificate: Option<&ClientCertificate>,
        now: Timestamp,
    ) -> Result<Principal, Rejection> {
        let mut principal = claims.principal(&self.config, certificate, now)?;
        let ClientRule::Claim(_) = self.config.client else { return Ok(principal) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(&principal.client) {
            principal.client = known.clone();
        } else if clients.len() < MOST_CLIENTS {
            clients.insert(principal.client.clone());
        } else {
            tracing::warn!(
                issuer = &*self.config.issuer,
                "more than {MOST_CLIENTS} clients: set auth.issuers.client, one name for all"
            );
            return Err(Rejection::NotAllowed);
        }
        Ok(principal)
    }
}

/// Accepts signed tokens. Several entries may be of one issuer, for several applications there.
#[derive(Debug)]
pub(super) struct SignedTokens(Vec<Arc<Issuer>>);

#[async_trait]
impl AuthScheme for SignedTokens {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        let Some(token) = presented.token() else { return SchemeOutcome::NotPresented };
        let named = Unverified::read(token);
        // Of an issuer that is not ours nothing is fetched.
        let Some(name) = named.as_ref().and_then(Unverified::issuer) else { return SchemeOutcome::NotPresented };
        let mut outcome = SchemeOutcome::NotPresented;
        for issuer in self.0.iter().filter(|issuer| *issuer.config.issuer == *name) {
            outcome = match issuer.judge(token, presented.certificate, now).await {
                Ok(principal) => return SchemeOutcome::Accepted(principal),
                Err(rejection) => SchemeOutcome::Rejected(rejection),
            };
        }
        outcome
    }
}

/// Accepts tokens that only their issuer can read. It is asked last, about what nobody here knows.
#[derive(Debug)]
pub(super) struct OpaqueTokens(Arc<Issuer>);

#[async_trait]
impl AuthScheme for OpaqueTokens {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        let (Some(token), Some(introspection)) = (presented.token(), &self.0.introspection) else {
            return SchemeOutcome::NotPresented;
        };
        // RFC 6750 section 2.1. A signed token of nobody's is not shown around.
        let is_token = token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
        if !is_token || Unverified::read(token).is_some() {
            return SchemeOutcome::NotPresented;
        }
        let judged = match introspection.claims(token, now).await {
            Ok(Some(claims)) => self.0.principal(&claims, presented.certificate, now),
            Ok(None) => Err(Rejection::Unknown),
            Err(introspection::Unavailable) => Err(Rejection::Unavailable),
        };
        judged.map_or_else(SchemeOutcome::Rejected, SchemeOutcome::Accepted)
    }
}
