//! What decides whether something remembered still holds: our own writes count at once, those of others as the change feed tells
//! them. Without a feed, time decides.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many times each part of the directory was changed, as far as we know.
#[derive(Debug)]
pub(super) struct Freshness {
    users: AtomicU64,
    groups: AtomicU64,
    versions: AtomicU64,
    following: AtomicBool,
    blind_ttl: Duration,
}

/// The moment at which something began to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    users: u64,
    groups: u64,
    versions: u64,
    at: Instant,
}

impl Freshness {
    pub(super) fn new(blind_ttl: Duration) -> Self {
        let [users, groups, versions] = [const { AtomicU64::new(0) }; 3];
        Self { users, groups, versions, following: AtomicBool::new(false), blind_ttl }
    }

    /// To be taken before the directory is asked.
    pub(super) fn reading(&self) -> Reading {
        let now = |count: &AtomicU64| count.load(Ordering::Acquire);
        Reading { users: now(&self.users), groups: now(&self.groups), versions: now(&self.versions), at: Instant::now() }
    }

    /// What a user is called was changed, or may have been.
    pub(super) fn users_changed(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    /// Who is in a group, or what it is called, was changed, or may have been.
    pub(super) fn groups_changed(&self) {
        self.groups.fetch_add(1, Ordering::AcqRel);
    }

    /// An entry was changed, and it is not known which.
    pub(super) fn versions_changed(&self) {
        self.versions.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the version of an entry that was read then was not put an end to since, unless by name.
    pub(super) fn versions_hold(&self, then: Reading) -> bool {
        self.is_following() && then.versions == self.versions.load(Ordering::Acquire)
    }

    /// Whether what was read then about users is what would be read now.
    pub(super) fn users_hold(&self, then: Reading) -> bool {
        self.holds(then) && then.users == self.users.load(Ordering::Acquire)
    }

    /// The same of groups.
    pub(super) fn groups_hold(&self, then: Reading) -> bool {
        self.holds(then) && then.groups == self.groups.load(Ordering::Acquire)
    }

    /// Whether nothing but a change that we would know of could have put an end to it.
    pub(super) fn holds(&self, then: Reading) -> bool {
        self.is_following() || then.at.elapsed() < self.blind_ttl
    }

    pub(super) fn is_following(&self) -> bool {
        self.following.load(Ordering::Acquire)
    }

    pub(super) fn follow(&self, following: bool) {
        self.following.store(following, Ordering::Release);
    }
}
