//! How often somebody may try a password (RFC 9700 section 4.16 has it as a duty of every sign-in): so rarely that neither a
//! password is guessed here nor the directory's own lock is brought about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Attempts in one window; directories lock an account after five, as a rule.
const MOST: u32 = 4;
/// How long a window is, from the first attempt.
pub(super) const WINDOW: Duration = Duration::from_mins(15);
/// Accounts that are counted at once.
const ACCOUNTS: u64 = 10_000;

/// Whose attempts they are. Names that lead to nobody are counted as well, for the answers must not tell them apart; apart from
/// the others, so that many of them do not make us forget those.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Account {
    Person(Uuid),
    Nobody([u8; 32]),
}

impl Account {
    /// A name that leads to nobody.
    pub(super) fn nobody(name: &str) -> Self {
        Self::Nobody(Sha256::digest(name.to_lowercase()).into())
    }
}

type Counters = Cache<Account, Arc<AtomicU32>>;

/// The attempts of the last while.
#[derive(Debug)]
pub(super) struct Attempts {
    people: Counters,
    nobodies: Counters,
}

impl Attempts {
    pub(super) fn new() -> Self {
        let counters = || Cache::builder().max_capacity(ACCOUNTS).time_to_live(WINDOW).build();
        Self { people: counters(), nobodies: counters() }
    }

    fn of(&self, account: &Account) -> &Counters {
        match account {
            Account::Person(_) => &self.people,
            Account::Nobody(_) => &self.nobodies,
        }
    }

    /// Counts an attempt before it is made, so that many at once are no more than one by one; `false` if it may not be made.
    pub(super) fn begin(&self, account: &Account) -> bool {
        let counter = self.of(account).get_with(account.clone(), Arc::default);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < MOST).then_some(count + 1)).is_ok()
    }

    /// It was right: what was wrong before does not count.
    pub(super) fn succeeded(&self, account: &Account) {
        self.of(account).invalidate(account);
    }

    /// The directory did not say whether it was right.
    pub(super) fn came_to_nothing(&self, account: &Account) {
        if let Some(counter) = self.of(account).get(account) {
            let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_few_attempts_and_a_right_one_gives_them_back() {
        let attempts = Attempts::new();
        let (ana, bob) = (Account::Person(Uuid::from_u128(1)), Account::nobody("Bob"));
        assert_eq!((0..9).filter(|_| attempts.begin(&ana)).count(), 4);
        assert_eq!((0..9).filter(|_| attempts.begin(&bob)).count(), 4);
        assert!(!attempts.begin(&Account::nobody("BOB")) && attempts.begin(&Account::nobody("carol")));
        attempts.came_to_nothing(&ana);
        assert!(attempts.begin(&ana) && !attempts.begin(&ana));
        attempts.succeeded(&ana);
        assert!(attempts.begin(&ana));
    }
}
