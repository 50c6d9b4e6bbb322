//! An issuer's keys (RFC 7517 section 5), as far as they verify signatures.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use crate::auth::jwt::Unverified;

/// So many keys fit one token at most, where it does not say which: each may be tried.
const MOST_TRIED: usize = 8;

/// The keys of one answer of the issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    /// By which it may have signed (RFC 8725 section 3.1).
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads a JWK Set. What is not understood is passed over (RFC 7517 section 5), as are keys for other purposes and secrets;
    /// `None` if it is no set at all.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let keys = document.get("keys")?.as_array()?;
        Some(Self(keys.iter().filter_map(Key::read).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Their names.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.0.iter().filter_map(|key| key.id.as_deref()).collect()
    }

    /// The keys that can have signed a token.
    pub(super) fn fitting(&self, token: &Unverified<'_>, algorithm: Algorithm) -> Vec<&DecodingKey> {
        let named = token.key_id();
        let fits = |key: &&Key| key.algorithms.contains(&algorithm) && named.is_none_or(|id| key.id.as_deref() == Some(id));
        self.0.iter().filter(fits).map(|key| &key.decoding).take(MOST_TRIED).collect()
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        if jwk.common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return None;
        }
        let of_type = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => {
                vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512]
            }
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            // A secret that is published is none.
            _ => return None,
        };
        let algorithms = match jwk.common.key_algorithm {
            None => of_type,
            Some(named) => {
                let named = Algorithm::try_from(named).ok()?;
                of_type.into_iter().filter(|known| *known == named).collect()
            }
        };
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        (!algorithms.is_empty()).then(|| Self { id: jwk.common.key_id, algorithms, decoding })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn algorithms(key: &Value) -> Vec<Algorithm> {
        KeySet::read(&json!({ "keys": [key] })).unwrap().0.into_iter().flat_map(|key| key.algorithms).collect()
    }

    #[test]
    fn a_key_is_for_what_it_says() {
        let rsa = json!({ "kty": "RSA", "n": N, "e": "AQAB", "kid": "a" });
        let with = |differing: Value| {
            let mut key = rsa.clone();
            key.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
            algorithms(&key)
        };
        assert_eq!(with(json!({})).len(), 6);
        assert_eq!(with(json!({ "alg": "PS256", "use": "sig", "key_ops": ["verify"] })), [Algorithm::PS256]);
        for other in [
            json!({ "use": "enc" }),
            json!({ "key_ops": ["encrypt"] }),
            json!({ "alg": "RSA-OAEP" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "XS1" }),
        ] {
            assert_eq!(with(other.clone()), [], "{other}");
        }
        assert_eq!(algorithms(&json!({ "kty": "OKP", "crv": "Ed25519", "x": X })), [Algorithm::EdDSA]);
    }

    #[test]
    fn what_is_not_understood_spoils_nothing() {
        let good = json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "good" });
        let others = [
            json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "secret" }),
            json!({ "kty": "EC", "crv": "secp256k1", "x": X, "y": X }),
            json!({ "kty": "EC", "crv": "P-521", "x": X, "y": X }),
            json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": X }),
            json!(7),
        ];
        let keys: Vec<Value> = others.into_iter().chain([good]).collect();
        assert_eq!(KeySet::read(&json!({ "keys": keys })).unwrap().ids(), ["good"]);
        assert!(KeySet::read(&json!({ "keys": {} })).is_none() && KeySet::read(&json!([])).is_none());
        assert!(KeySet::read(&json!({ "keys": [] })).unwrap().is_empty());
    }
}
