//! Whose tokens are accepted, and what they are worth here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use url::{Host, Url};

use crate::auth::{Scope, Scopes};
use crate::secret::Secret;

/// One `[[auth.issuers]]`.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// What its tokens have as `iss`, by the letter.
    pub issuer: Arc<str>,
    /// What its tokens for us have in `aud`.
    pub audience: String,
    /// Where its keys are.
    pub keys: KeySource,
    /// The authorities that sign its certificate; without it the system's.
    pub ca: Option<PathBuf>,
    /// What its tokens may be signed by.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How far its clock and ours may differ.
    pub leeway: Duration,
    /// The age at which its keys are fetched again.
    pub refresh: Duration,
    /// Who the client is.
    pub client: ClientRule,
    /// What a token allows.
    pub scopes: ScopeRule,
    /// Claims that a token must have, with their values.
    pub claims: Vec<(String, String)>,
    /// Whom to ask about tokens that say nothing themselves.
    pub introspection: Option<IntrospectionConfig>,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At this place.
    Keys(IssuerUrl),
    /// Where this document says.
    Document(IssuerUrl),
    /// Where the document says that is at a well-known place below the issuer (RFC 8414 section 3, OpenID Connect Discovery 4).
    WellKnown(IssuerUrl),
}

/// Which client a token is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientRule {
    /// This one.
    Fixed(Arc<str>),
    /// The one that this claim names; without it `client_id` (RFC 9068 section 2.2), `azp`, `appid` or `sub`, the first that is
    /// there.
    Claim(Option<String>),
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeRule {
    /// This.
    Fixed(Scopes),
    /// What its scopes and roles stand for.
    Mapped(Vec<(String, Scopes)>),
    /// Those of its scopes and roles that are scopes of ours, but not `admin`, a word that others use too.
    Ours,
}

impl ScopeRule {
    /// What these words allow.
    pub(super) fn scopes<'a>(&self, words: impl Iterator<Item = &'a str>) -> Scopes {
        match self {
            Self::Fixed(scopes) => *scopes,
            Self::Mapped(table) => words
                .filter_map(|word| table.iter().find(|(foreign, _)| foreign == word))
                .fold(Scopes::none(), |all, (_, scopes)| all.union(*scopes)),
            Self::Ours => words.filter_map(|word| word.parse().ok()).filter(|scope| *scope != Scope::Admin).collect(),
        }
    }
}

/// Token introspection (RFC 7662).
#[derive(Debug, Clone)]
pub struct IntrospectionConfig {
    /// Where to ask.
    pub endpoint: IssuerUrl,
    /// Who we are there.
    pub client_id: String,
    /// And by what it is known.
    pub client_secret: Secret,
    /// How long an answer holds, if the token does not end before.
    pub cache: Duration,
}

/// A signature's algorithm with a key that need not be secret here (RFC 8725 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningAlgorithm(pub(super) Algorithm);

impl SigningAlgorithm {
    /// All that are known.
    pub const ALL: [Self; 9] = [
        Self(Algorithm::RS256),
        Self(Algorithm::RS384),
        Self(Algorithm::RS512),
        Self(Algorithm::PS256),
        Self(Algorithm::PS384),
        Self(Algorithm::PS512),
        Self(Algorithm::ES256),
        Self(Algorithm::ES384),
        Self(Algorithm::EdDSA),
    ];
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The word is no such algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no algorithm that is accepted: there are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA; a token \
     must be signed, and not by a secret that its readers know"
)]
pub struct UnknownAlgorithm(String);

impl FromStr for SigningAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(word: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|known| known.to_string() == word).ok_or_else(|| UnknownAlgorithm(word.to_owned()))
    }
}

/// Where an issuer is asked something: over TLS, or on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl(Url);

/// The text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this must be a URL that begins with https://, without a user name; http:// is for loopback addresses only")]
pub struct InvalidUrl;

impl IssuerUrl {
    /// As a client of HTTP takes it.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The places of the documents that describe the issuer: RFC 8414's, then OpenID Connect's.
    pub(super) fn well_known(&self) -> [Self; 2] {
        let path = self.0.path().trim_end_matches('/').to_owned();
        let at = |path: String| {
            let mut url = self.0.clone();
            url.set_path(&path);
            url.set_query(None);
            Self(url)
        };
        [at(format!("/.well-known/oauth-authorization-server{path}")), at(format!("{path}/.well-known/openid-configuration"))]
    }
}

impl FromStr for IssuerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let url = Url::parse(text).map_err(|_| InvalidUrl)?;
        let loopback = match url.host().ok_or(InvalidUrl)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if safe && plain { Ok(Self(url)) } else { Err(InvalidUrl) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_over_tls_or_on_this_machine() {
        for good in ["https://idp.example.com", "http://127.0.0.1:8080/x", "http://[::1]:1", "http://localhost:1"] {
            assert!(good.parse::<IssuerUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example.com",
            "http://localhost.example.com",
            "https://a:b@x",
            "file:///x",
            "ldap://x",
            "x",
            "https://x#y",
        ] {
            assert!(bad.parse::<IssuerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn documents_are_at_well_known_places() {
        let places = |text: &str| text.parse::<IssuerUrl>().unwrap().well_known().map(|url| url.as_str().to_owned());
        assert_eq!(
            places("https://x/realms/a/"),
            ["https://x/.well-known/oauth-authorization-server/realms/a", "https://x/realms/a/.well-known/openid-configuration"]
        );
        assert_eq!(
            places("https://x"),
            ["https://x/.well-known/oauth-authorization-server", "https://x/.well-known/openid-configuration"]
        );
    }

    #[test]
    fn no_algorithm_with_a_shared_secret_is_known() {
        assert_eq!("PS384".parse(), Ok(SigningAlgorithm(Algorithm::PS384)));
        for bad in ["HS256", "none", "None", "rs256", ""] {
            let error = bad.parse::<SigningAlgorithm>().unwrap_err().to_string();
            assert!(SigningAlgorithm::ALL.iter().all(|known| error.contains(&known.to_string())), "{error}");
        }
    }
}
