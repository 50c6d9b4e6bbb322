//! Cursors as clients see them: sealed, so that they can be neither read nor made (RFC 9865 section 5).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;
use crate::scim::ScimError;
use crate::scim::cursor::{Cursor, CursorParameter, Position, QueryDigest, invalid};
use crate::secret::Secret;

/// `[cursors]`.
#[derive(Debug, Clone)]
pub struct CursorConfig {
    /// What cursors are sealed with; without it, with what this process made up, so that only it can read them.
    pub key: Option<Secret>,
    /// How long a cursor can be used.
    pub lifetime: Duration,
}

/// Seals and opens.
#[derive(Debug)]
pub(super) struct CursorSeal {
    key: RandomizedNonceKey,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

/// The operating system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("no key for cursors could be made")]
pub struct NoKey;

impl CursorSeal {
    pub(super) fn new(config: &CursorConfig, clock: Arc<dyn Clock>) -> Result<Self, NoKey> {
        let mut bytes = [0; 32];
        match &config.key {
            // The configured text may be of any length and form.
            Some(secret) => bytes.copy_from_slice(digest::digest(&digest::SHA256, secret.expose().as_bytes()).as_ref()),
            None => aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoKey)?,
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| NoKey)?;
        Ok(Self { key, lifetime: config.lifetime, clock })
    }

    /// The place a client's cursor names.
    pub(super) fn open(&self, parameter: &CursorParameter, query: QueryDigest, client: &str) -> Result<Position, ScimError> {
        let CursorParameter::Sealed(text) = parameter else { return Ok(Position::START) };
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>().ok_or_else(invalid)?;
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), sealed);
        Cursor::decode(opened.map_err(|_| invalid())?)?.redeem(query, client, self.clock.now(), self.lifetime)
    }

    /// A cursor for a place; `None` if it could not be sealed.
    pub(super) fn seal(&self, position: Position, query: QueryDigest, client: &str) -> Option<String> {
        let mut bytes = Cursor::new(query, client, self.clock.now(), position).encode();
        let nonce = self.key.seal_in_place_append_tag(Aad::empty(), &mut bytes).ok()?;
        let sealed: Vec<u8> = nonce.as_ref().iter().copied().chain(bytes).collect();
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::clock::SystemClock;
    use crate::scim::cursor::Page;
    use crate::scim::{Budgets, Dialect, ListQuery, SchemaRegistry};

    fn seal(key: Option<&str>) -> CursorSeal {
        let config = CursorConfig { key: key.map(|key| Secret::new(key.to_owned())), lifetime: Duration::from_mins(1) };
        CursorSeal::new(&config, Arc::new(SystemClock)).unwrap()
    }

    fn digest() -> QueryDigest {
        let ty = SchemaRegistry::builtin().user;
        QueryDigest::new("/Users", &ListQuery::from_query("cursor=", &ty, &Budgets::default(), &mut Dialect::default()).unwrap())
    }

    #[test]
    fn a_sealed_cursor_opens_for_its_client_and_by_its_key_alone() {
        let order: Vec<Uuid> = (0..5).map(Uuid::from_u128).collect();
        let next = Page::cut(&order, &Position::START, 2).next.unwrap();
        let ours = seal(Some("shared"));
        let text = CursorParameter::Sealed(ours.seal(next, digest(), "ping").unwrap());
        assert_eq!(ours.open(&text, digest(), "ping"), Ok(next));
        assert_eq!(seal(Some("shared")).open(&text, digest(), "ping"), Ok(next));
        assert_eq!(ours.open(&text, digest(), "okta"), Err(invalid()));
        assert_eq!(seal(Some("other")).open(&text, digest(), "ping"), Err(invalid()));
        assert_eq!(seal(None).open(&text, digest(), "ping"), Err(invalid()));
        assert_eq!(ours.open(&CursorParameter::First, digest(), "ping"), Ok(Position::START));
        for forged in ["", "AAAA", "not base64!", &"A".repeat(200)] {
            assert_eq!(ours.open(&CursorParameter::Sealed(forged.to_owned()), digest(), "ping"), Err(invalid()), "{forged}");
        }
    }
}
