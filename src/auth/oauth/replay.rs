//! Which authorization codes were used (RFC 6749 section 4.1.2: a code is good once). Each process knows its own: of several
//! gateways each would take a code once, in its one minute, from the client that it was made for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Codes that are remembered at once. Each lives for a minute and takes an administrator's password to get.
const MOST: usize = 10_000;

/// What is known of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    First,
    Again,
    /// There are too many to remember: it is not known.
    Unknown,
}

/// The codes that were used and have not ended yet.
#[derive(Debug, Default)]
pub(super) struct UsedCodes(Mutex<HashMap<Uuid, i64>>);

impl UsedCodes {
    /// Notes a use of a code that ends at that second.
    pub(super) fn note(&self, code: Uuid, end: i64, now: i64) -> Use {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(&code) {
            return Use::Again;
        }
        if used.len() >= MOST {
            used.retain(|_, end| *end > now);
        }
        if used.len() >= MOST {
            return Use::Unknown;
        }
        used.insert(code, end);
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_used_once_however_many_others_there_are() {
        let used = UsedCodes::default();
        let code = |n: usize| Uuid::from_u128(n as u128);
        for n in 0..MOST {
            assert_eq!(used.note(code(n), 60, 0), Use::First);
        }
        assert_eq!((used.note(code(0), 60, 0), used.note(code(MOST), 60, 59)), (Use::Again, Use::Unknown));
        assert_eq!((used.note(code(MOST), 120, 60), used.note(code(MOST), 120, 60)), (Use::First, Use::Again));
    }
}
