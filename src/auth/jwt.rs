//! A signed token as it comes (RFC 7519), before anything in it is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// What a token says. Nothing of it holds until the signature is verified.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    /// The part that is signed.
    message: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Reads it; `None` if it is no signed token in compact form (RFC 7515 section 7.1).
    pub(super) fn read(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        Some(Self { message, signature, header: object(header)?, claims: object(claims)? })
    }

    /// Who says to have made it.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The key it names.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid")?.as_str()
    }

    /// The algorithm it names, if we know it; `none` is no algorithm.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.header.get("alg")?.as_str()?.parse().ok()
    }

    /// Whether it can be an access token: its type is that, or not told; and no extension must be understood that none here knows
    /// (RFC 8725 sections 3.9 and 3.11, RFC 7515 section 4.1.11). Identity tokens are of the same type often.
    pub(super) fn may_be_access_token(&self) -> bool {
        let kind = match self.header.get("typ") {
            None => true,
            Some(Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
            }
            Some(_) => false,
        };
        kind && !self.header.contains_key("crit")
    }

    /// Its claims, if this key signed it by this algorithm.
    pub(super) fn verified(self, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, Self> {
        match jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, algorithm) {
            Ok(true) => Ok(self.claims),
            Ok(false) | Err(_) => Err(self),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_is_no_token_is_not_read_as_one() {
        for text in ["", "a", "a.b", "..", "a.b.c", "a.b.c.d", &token("[]", "{}"), &token("{}", "1"), &token("{", "{}")] {
            assert!(Unverified::read(text).is_none(), "{text}");
        }
        let text = token("{\"alg\":\"none\",\"kid\":7}", "{\"iss\":[\"a\"]}");
        let read = Unverified::read(&text).unwrap();
        assert_eq!((read.issuer(), read.key_id(), read.algorithm()), (None, None, None));
    }

    #[test]
    fn tokens_of_other_kinds_are_no_access_tokens() {
        for (header, may) in [
            ("{}", true),
            ("{\"typ\":\"JWT\"}", true),
            ("{\"typ\":\"application/at+jwt\"}", true),
            ("{\"typ\":\"AT+JWT\"}", true),
            ("{\"typ\":\"logout+jwt\"}", false),
            ("{\"typ\":\"dpop+jwt\"}", false),
            ("{\"typ\":1}", false),
            ("{\"typ\":\"JWT\",\"crit\":[\"b64\"],\"b64\":false}", false),
        ] {
            let text = token(header, "{}");
            assert_eq!(Unverified::read(&text).unwrap().may_be_access_token(), may, "{header}");
        }
    }
}
