//! The keys that sign access tokens, and those that did.

use std::path::Path;

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::OAuthConfig;
use super::seal::{Purpose, Seal};

/// The media type of access tokens in a header (RFC 9068 section 2.1).
pub(super) const ACCESS_TOKEN: &str = "at+jwt";

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {path}: {reason}")]
pub struct UnusableKey {
    key: &'static str,
    path: String,
    reason: String,
}

impl UnusableKey {
    pub(super) fn new(key: &'static str, path: &Path, reason: String) -> Self {
        Self { key, path: path.display().to_string(), reason }
    }
}

/// One key, public part and all.
struct Key {
    id: String,
    algorithm: Algorithm,
    signing: EncodingKey,
    checking: DecodingKey,
    public: Jwk,
    seal: Seal,
}

/// The keys, the one that signs first.
pub(super) struct Keys {
    current: Key,
    former: Vec<Key>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all().map(|key| &key.id)).finish()
    }
}

impl Keys {
    pub(super) fn load(config: &OAuthConfig) -> Result<Self, UnusableKey> {
        let former = config.former_keys.iter().map(|path| Key::load("auth.oauth.former_keys", path));
        Ok(Self { current: Key::load("auth.oauth.signing_key", &config.signing_key)?, former: former.collect::<Result<_, _>>()? })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.former)
    }

    /// The public keys (RFC 7517 section 5).
    pub(super) fn public(&self) -> JwkSet {
        JwkSet { keys: self.all().map(|key| key.public.clone()).collect() }
    }

    /// Signs claims as an access token.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, jsonwebtoken::errors::Error> {
        let Key { id, algorithm, signing, .. } = &self.current;
        let header = Header { typ: Some(ACCESS_TOKEN.to_owned()), kid: Some(id.clone()), ..Header::new(*algorithm) };
        jsonwebtoken::encode(&header, claims, signing)
    }

    /// Seals by the key that signs; `None` if it could not be sealed.
    pub(super) fn seal(&self, purpose: Purpose, content: &impl Serialize) -> Option<String> {
        self.current.seal.seal(purpose, content)
    }

    /// Opens what one of these keys sealed.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        self.all().find_map(|key| key.seal.open(purpose, text))
    }

    /// The claims of a token that one of these keys signed, by the algorithm of that key and no other; its life is not looked at.
    pub(super) fn check<T: DeserializeOwned + Clone>(
        &self,
        key_id: &str,
        token: &str,
        issuer: &str,
        audience: &str,
    ) -> Option<T> {
        let key = self.all().find(|key| key.id == key_id)?;
        let mut validation = Validation::new(key.algorithm);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        let decoded: TokenData<T> = jsonwebtoken::decode(token, &key.checking, &validation).ok()?;
        Some(decoded.claims)
    }
}

impl Key {
    fn load(key: &'static str, path: &Path) -> Result<Self, UnusableKey> {
        let unusable = |reason: String| UnusableKey::new(key, path, reason);
        let pem = zeroize::Zeroizing::new(std::fs::read(path).map_err(|error| {
            unusable(format!("{error}; `openssl genpkey -algorithm ed25519 -out {}` makes one", path.display()))
        })?);
        let parsed = EncodingKey::from_ed_pem(&pem)
            .map(|key| (Algorithm::EdDSA, key))
            .or_else(|_| EncodingKey::from_ec_pem(&pem).map(|key| (Algorithm::ES256, key)));
        let kinds = || unusable("this must be a private key as PEM (PKCS #8), Ed25519 or EC P-256".to_owned());
        let (algorithm, signing) = parsed.map_err(|_| kinds())?;
        let mut public = Jwk::from_encoding_key(&signing, algorithm).map_err(|_| kinds())?;
        let id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| kinds())?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let checking = DecodingKey::from_jwk(&public).map_err(|_| kinds())?;
        let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| kinds())?;
        let seal = Seal::derived(private.secret_der()).ok_or_else(kinds)?;
        Ok(Self { id, algorithm, signing, checking, public, seal })
    }
}
