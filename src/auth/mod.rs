//! Who asks, and what that one may do.

mod api_key;
mod authorization;
mod basic;
mod certificate;
mod config;
mod issuer;
mod jwt;
mod oauth;
mod own;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;

pub use api_key::{ApiKeys, GeneratedKey};
pub use authorization::{HeaderForms, Writing};
pub use certificate::{CertificateConfig, CertificateRule, Certificates, ClientCertificate, SubjectAltName, Thumbprint};
pub use config::{ApiKeyConfig, AuthConfig};
pub use issuer::{
    ClientRule, IntrospectionConfig, InvalidUrl, IssuerConfig, IssuerUrl, Issuers, KeySource, ScopeRule, SigningAlgorithm,
    UnknownAlgorithm, usable_keys,
};
pub use oauth::{
    AccessTokens, Administrators, AdministratorsConfig, AuthorizationRequest, AuthorizationServer, Declined, Granted,
    NotSignedIn, OAuthClientConfig, OAuthConfig, OAuthError, Person, RevocationRequest, TokenRequest, Unusable, UnusableKey,
};
pub use scope::{Scope, Scopes, UnknownScope};

use crate::clock::Clock;
use authorization::Credential;

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
    /// It is bound to a certificate, which was not shown (RFC 8705 section 3).
    OtherCertificate,
    /// It is not valid yet.
    NotYetValid,
    /// It is for another service than this one.
    OtherAudience,
    /// It is a good token of an issuer of ours, but not of those that are wanted here.
    NotAllowed,
    /// Whether it is good cannot be told, for its issuer cannot be asked.
    Unavailable,
}

impl Rejection {
    /// Whether somebody may have tried a key. Who sends nothing guesses nothing, and what cannot be looked at is no guess either.
    pub fn is_guess(self) -> bool {
        !matches!(self, Self::Missing | Self::Unavailable)
    }
}

/// What a scheme says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemeOutcome {
    /// The request holds no credential that this scheme knows.
    NotPresented,
    /// It does, and it is good.
    Accepted(Principal),
    /// It does, and it is not.
    Rejected(Rejection),
}

/// What a request shows of who sends it.
#[derive(Debug)]
pub struct Presented<'a> {
    credential: Credential<'a>,
    certificate: Option<&'a ClientCertificate>,
}

impl<'a> Presented<'a> {
    /// The key or token, if that is what is shown.
    fn token(&self) -> Option<&'a str> {
        match self.credential {
            Credential::Token(token, _) => Some(token),
            Credential::Absent | Credential::Malformed | Credential::Password(_) => None,
        }
    }

    /// What holds if no scheme knows it.
    fn unknown(&self) -> Rejection {
        match self.credential {
            Credential::Absent => Rejection::Missing,
            Credential::Malformed => Rejection::Malformed,
            Credential::Token(..) | Credential::Password(_) => Rejection::Unknown,
        }
    }

    fn writing(&self) -> Writing {
        match self.credential {
            Credential::Token(_, writing) => writing,
            Credential::Absent | Credential::Malformed | Credential::Password(_) => Writing::Standard,
        }
    }
}

/// One way to sign in.
#[async_trait]
pub trait AuthScheme: Send + Sync + std::fmt::Debug {
    /// Looks at what a request shows.
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome;
}

/// What is offered to who has not signed in (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// Keys or tokens.
    pub bearer: bool,
    /// User names and passwords.
    pub basic: bool,
}

/// Every way to sign in, in the order they are tried; the first that knows its credential decides.
#[derive(Debug)]
pub struct Authenticator {
    schemes: Vec<Box<dyn AuthScheme>>,
    forms: HeaderForms,
    offers: Offers,
    own: own::Own,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// By this configuration; of `[auth.oauth]` and `[[auth.issuers]]`, by what was made of them.
    pub fn new(config: AuthConfig, server: Option<Arc<AuthorizationServer>>, issuers: Issuers, clock: Arc<dyn Clock>) -> Self {
        let AuthConfig { api_keys, forms, certificates, oauth: _, issuers: _ } = config;
        let passwords = !api_keys.is_empty() || server.is_some();
        let bearer = passwords || !issuers.is_empty();
        let offers = Offers { bearer, basic: forms.basic && passwords };
        let (signed, opaque) = issuers.schemes();
        let keys = Arc::new(ApiKeys::new(api_keys));
        let own = own::Own::new(keys.clone(), server.clone());
        let mut schemes: Vec<Box<dyn AuthScheme>> = Vec::new();
        if forms.basic {
            schemes.push(Box::new(basic::Basic::new(keys.clone(), server.clone())));
        }
        // By the issuer that a token names; ours after those.
        schemes.push(Box::new(signed));
        if let Some(server) = server {
            schemes.push(Box::new(AccessTokens::new(server)));
        }
        schemes.push(Box::new(keys));
        if let Some(opaque) = opaque {
            schemes.push(Box::new(opaque));
        }
        schemes.push(Box::new(Certificates::new(certificates)));
        Self { schemes, forms, offers, own, clock }
    }

    /// What is on offer.
    pub fn offers(&self) -> Offers {
        self.offers
    }

    /// Whether a request shows a credential that is ours and must be shown to nobody else.
    pub async fn is_own(&self, headers: &HeaderMap) -> bool {
        self.own.is_in(headers, self.clock.now()).await
    }

    /// Who asks, and how the key or token was written.
    ///
    /// # Errors
    /// Why nobody is known by what the request shows.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        certificate: Option<&ClientCertificate>,
    ) -> Result<(Principal, Writing), Rejection> {
        let now = self.clock.now();
        let presented = Presented { credential: Credential::of(headers, &self.forms), certificate };
        for scheme in &self.schemes {
            match scheme.authenticate(&presented, now).await {
                SchemeOutcome::NotPresented => {}
                SchemeOutcome::Accepted(principal) => return Ok((principal, presented.writing())),
                SchemeOutcome::Rejected(rejection) => return Err(rejection),
            }
        }
        Err(presented.unknown())
    }
}
