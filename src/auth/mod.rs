//! Who asks, and what that one may do.

mod api_key;
mod bearer;
mod config;
mod oauth;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

pub use api_key::{ApiKeys, GeneratedKey};
pub use config::{ApiKeyConfig, AuthConfig};
pub use oauth::{
    AccessTokens, AuthorizationServer, Granted, OAuthClientConfig, OAuthConfig, OAuthError, TokenRequest, UnusableKey,
};
pub use scope::{Scope, Scopes, UnknownScope};

use crate::clock::Clock;

/// Whether this can be a client's name: it stands in logs, metrics and section names as it is.
pub fn is_client_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A client that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its configured name.
    pub client: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
}

/// Why a credential was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// None was given.
    Missing,
    /// It is not of a form that is accepted here.
    Malformed,
    /// It is none of ours.
    Unknown,
    /// It was one of ours.
    Expired,
}

/// What a scheme says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemeOutcome {
    /// The request holds no credential of this kind.
    NotPresented,
    /// It does, and it is good.
    Accepted(Principal),
    /// It does, and it is not.
    Rejected(Rejection),
}

/// One way to sign in.
pub trait AuthScheme: Send + Sync + std::fmt::Debug {
    /// Looks at a request's head.
    fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> SchemeOutcome;
}

/// Every way to sign in, in the order they are tried; the first that finds its credential decides.
#[derive(Debug)]
pub struct Authenticator {
    schemes: Vec<Box<dyn AuthScheme>>,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// Over these keys, and the tokens of this server.
    pub fn new(api_keys: Vec<ApiKeyConfig>, server: Option<Arc<AuthorizationServer>>, clock: Arc<dyn Clock>) -> Self {
        let tokens = server.map(|server| Box::new(AccessTokens::new(server)) as Box<dyn AuthScheme>);
        Self { schemes: tokens.into_iter().chain([Box::new(ApiKeys::new(api_keys)) as Box<dyn AuthScheme>]).collect(), clock }
    }

    /// Who asks.
    pub fn identify(&self, headers: &HeaderMap) -> Result<Principal, Rejection> {
        let now = self.clock.now();
        for scheme in &self.schemes {
            match scheme.authenticate(headers, now) {
                SchemeOutcome::NotPresented => {}
                SchemeOutcome::Accepted(principal) => return Ok(principal),
                SchemeOutcome::Rejected(rejection) => return Err(rejection),
            }
        }
        Err(if headers.contains_key(AUTHORIZATION) { Rejection::Malformed } else { Rejection::Missing })
    }
}
