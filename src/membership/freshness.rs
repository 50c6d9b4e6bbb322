//! What decides whether something remembered still holds: our own writes count at once, those of others as the change feed tells
//! them. Without a feed, time decides.

use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::directory::DnKey;

/// Our own writes are told apart by the entry's name, in so many rows: two names that share one cost no more than a look.
const ROWS: usize = 4096;

/// How many times each part of the directory was changed, as far as we know.
#[derive(Debug)]
pub(super) struct Freshness {
    users: AtomicU64,
    groups: AtomicU64,
    /// How many times everything had to be forgotten.
    epochs: AtomicU64,
    /// How many times a write of ours began or ended.
    writes: AtomicU64,
    /// The number of the last one, by the entry it was to.
    rows: Box<[AtomicU64]>,
    following: AtomicBool,
    blind_ttl: Duration,
}

/// The moment at which something began to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    users: u64,
    groups: u64,
    epoch: u64,
    writes: u64,
    at: Instant,
}

/// Where writes to an entry are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row(u16);

impl Reading {
    pub(super) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

impl Row {
    pub(super) fn of(key: &DnKey) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        Self(u16::try_from(hasher.finish() % ROWS as u64).unwrap_or_default())
    }

    pub(super) fn number(self) -> u16 {
        self.0
    }

    pub(super) fn numbered(number: u16) -> Self {
        Self(number)
    }
}

impl Freshness {
    pub(super) fn new(blind_ttl: Duration) -> Self {
        let [users, groups, epochs, writes] = [const { AtomicU64::new(0) }; 4];
        let rows = std::iter::repeat_with(AtomicU64::default).take(ROWS).collect();
        Self { users, groups, epochs, writes, rows, following: AtomicBool::new(false), blind_ttl }
    }

    /// To be taken before the directory is asked.
    pub(super) fn reading(&self) -> Reading {
        let now = |count: &AtomicU64| count.load(Ordering::Acquire);
        let (users, groups, epoch, writes) = (now(&self.users), now(&self.groups), now(&self.epochs), now(&self.writes));
        Reading { users, groups, epoch, writes, at: Instant::now() }
    }

    /// What a user is called was changed, or may have been.
    pub(super) fn users_changed(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    /// Who is in a group, or what it is called, was changed, or may have been.
    pub(super) fn groups_changed(&self) {
        self.groups.fetch_add(1, Ordering::AcqRel);
    }

    /// Anything may have been changed.
    pub(super) fn all_changed(&self) {
        self.users_changed();
        self.groups_changed();
        self.epochs.fetch_add(1, Ordering::AcqRel);
    }

    /// A write of ours to an entry begins or ends. What is read between the two may be either: so both count.
    pub(super) fn written(&self, row: Row) {
        let number = self.writes.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(last) = self.rows.get(usize::from(row.0)) {
            last.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// Whether an entry that was read then is as it was, as far as we have not written to it and the feed has not told of it.
    pub(super) fn entry_holds(&self, row: Row, then: Reading) -> bool {
        self.is_following() && self.name_holds(row, then)
    }

    /// The same of what it is called, which is believed for a while without a feed too.
    pub(super) fn name_holds(&self, row: Row, then: Reading) -> bool {
        self.holds(then) && self.rows.get(usize::from(row.0)).is_some_and(|last| last.load(Ordering::Acquire) <= then.writes)
    }

    /// Whether what was read then about users is what would be read now.
    pub(super) fn users_hold(&self, then: Reading) -> bool {
        self.holds(then) && then.users == self.users.load(Ordering::Acquire)
    }

    /// The same of groups.
    pub(super) fn groups_hold(&self, then: Reading) -> bool {
        self.holds(then) && then.groups == self.groups.load(Ordering::Acquire)
    }

    /// The same of whatever rests on both.
    pub(super) fn resources_hold(&self, then: Reading) -> bool {
        self.users_hold(then) && self.groups_hold(then)
    }

    /// Whether something may have been changed since that neither we nor the feed can tell.
    pub(super) fn has_gap_since(&self, then: Reading) -> bool {
        then.epoch != self.epochs.load(Ordering::Acquire)
    }

    /// Whether nothing is known to have been changed since.
    pub(super) fn is_untold_since(&self, then: Reading) -> bool {
        !self.has_gap_since(then)
            && then.users == self.users.load(Ordering::Acquire)
            && then.groups == self.groups.load(Ordering::Acquire)
    }

    /// Whether no write of ours has begun or ended since.
    pub(super) fn is_unwritten_since(&self, then: Reading) -> bool {
        then.writes == self.writes.load(Ordering::Acquire)
    }

    /// Whether nothing but a change that we would know of could have put an end to it.
    fn holds(&self, then: Reading) -> bool {
        !self.has_gap_since(then) && (self.is_following() || then.age() < self.blind_ttl)
    }

    pub(super) fn is_following(&self) -> bool {
        self.following.load(Ordering::Acquire)
    }

    pub(super) fn follow(&self, following: bool) {
        self.following.store(following, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Dn;

    fn row(name: &str) -> Row {
        Row::of(&name.parse::<Dn>().unwrap().key())
    }

    #[test]
    fn a_write_ends_what_was_read_of_its_entry_before_it_ended_and_of_no_other() {
        let freshness = Freshness::new(Duration::ZERO);
        freshness.follow(true);
        let (ann, bob) = (row("uid=ann,dc=x"), row("uid=bob,dc=x"));
        let before = freshness.reading();
        freshness.written(ann);
        let during = freshness.reading();
        assert!(freshness.entry_holds(ann, during), "it may be as it was before the write for as long as that is under way");
        freshness.written(ann);
        let after = freshness.reading();
        assert!(!freshness.entry_holds(ann, before) && !freshness.entry_holds(ann, during) && freshness.entry_holds(ann, after));
        assert!([before, during, after].iter().all(|then| freshness.entry_holds(bob, *then)));
        freshness.all_changed();
        assert!(!freshness.entry_holds(ann, after) && !freshness.entry_holds(bob, after));
    }

    #[test]
    fn without_a_feed_no_entry_is_believed() {
        let freshness = Freshness::new(Duration::from_mins(1));
        let then = freshness.reading();
        assert!(freshness.users_hold(then) && !freshness.entry_holds(row("uid=ann,dc=x"), then));
    }
}
