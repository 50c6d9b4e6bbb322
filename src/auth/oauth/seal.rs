//! What the server gives away and takes back: sealed, so that nobody else can read, make or change it, and nothing has to be kept.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Longer texts are none of ours.
const LONGEST: usize = 24 << 10;

/// What a sealed text is; one of another kind does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The state of a sign-in page.
    Form,
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Form => b"scimgate oauth form 1",
            Self::Code => b"scimgate oauth code 1",
            Self::Refresh => b"scimgate oauth refresh 1",
        }
    }
}

/// Seals and opens by a key derived from a signing key, so that gateways that share the one share the other.
#[derive(Debug)]
pub(super) struct Seal(RandomizedNonceKey);

impl Seal {
    /// From a private key (HKDF, RFC 5869).
    pub(super) fn derived(private_key: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let extracted = Salt::new(HKDF_SHA256, b"scimgate").extract(private_key);
        extracted.expand(&[b"sealing of oauth"], HKDF_SHA256).ok()?.fill(&mut *bytes).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &*bytes).ok().map(Self)
    }

    pub(super) fn seal(&self, purpose: Purpose, content: &impl Serialize) -> Option<String> {
        let mut bytes = serde_json::to_vec(content).ok()?;
        let nonce = self.0.seal_in_place_append_tag(Aad::from(purpose.label()), &mut bytes).ok()?;
        let sealed: Vec<u8> = nonce.as_ref().iter().copied().chain(bytes).collect();
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        if text.len() > LONGEST {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.label()), sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_by_its_key_for_its_purpose_unchanged() {
        let (ours, same, other) =
            (Seal::derived(b"key").unwrap(), Seal::derived(b"key").unwrap(), Seal::derived(b"other").unwrap());
        let text = ours.seal(Purpose::Code, &"x").unwrap();
        let open = |seal: &Seal, purpose, text: &str| seal.open::<String>(purpose, text);
        assert_eq!(open(&same, Purpose::Code, &text).as_deref(), Some("x"));
        assert_eq!(open(&other, Purpose::Code, &text), None);
        assert_eq!(open(&ours, Purpose::Refresh, &text), None);
        for n in 0..text.len() {
            let mut other: Vec<char> = text.chars().collect();
            other[n] = if other[n] == 'A' { 'B' } else { 'A' };
            assert_eq!(open(&ours, Purpose::Code, &other.iter().collect::<String>()), None, "{n}");
            assert_eq!(open(&ours, Purpose::Code, &other[..n].iter().collect::<String>()), None);
        }
    }
}
