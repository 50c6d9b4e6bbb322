//! What the directory tells of others' changes.

use std::cmp::Ordering;
use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use super::freshness::Row;
use super::noting::Write;
use super::{MembershipCache, Seen, order};
use crate::directory::{Branch, Directory, Dn, FeedEvent};
use crate::mapping::{Mapping, ResourceMapping};
use crate::scim::Kind;
use crate::telemetry::FeedState;

/// What the branches that are followed hold, by their numbers.
const BRANCHES: [Kind; 2] = [Kind::User, Kind::Group];

impl MembershipCache {
    /// Listens for ever to what the directory tells, once it is known what is to be followed, and anew whenever that changes.
    pub async fn follow(self: Arc<Self>, directory: Arc<dyn Directory>, mut mapping: watch::Receiver<Option<Arc<Mapping>>>) {
        if self.feed_state() == FeedState::Off {
            return;
        }
        let mut followed = Vec::new();
        loop {
            let now = mapping.borrow_and_update().clone();
            if let Some(mapping) = now {
                let branch = |side: &ResourceMapping| Branch { base: side.base.clone(), filter: side.class() };
                followed = BRANCHES.map(|kind| branch(mapping.of(kind))).to_vec();
            }
            let tell = |event| self.hear(event);
            let changed = tokio::select! {
                () = directory.follow(&followed, &tell), if !followed.is_empty() => Ok(()),
                changed = mapping.changed() => changed,
            };
            self.freshness.follow(false);
            if changed.is_err() {
                return;
            }
        }
    }

    pub(super) fn hear(&self, event: FeedEvent) {
        match event {
            FeedEvent::Following { seamless } => {
                if !seamless {
                    self.forget_all();
                }
                self.note_feed(FeedState::Following);
                tracing::info!(seamless, "the directory tells what others change");
            }
            FeedEvent::Lost(_) => self.note_feed(FeedState::Lost),
            FeedEvent::Unavailable => {
                self.note_feed(FeedState::Unavailable);
                tracing::warn!(
                    "the directory does not tell what others change: memberships are believed for cache.blind_ttl only"
                );
            }
            FeedEvent::Changed { branch, id, dn, mark } => {
                if let Some(kind) = BRANCHES.get(branch) {
                    self.changed(*kind, id, &dn, mark.as_deref());
                }
            }
            FeedEvent::Gone { branch, id } => {
                if let Some(kind) = BRANCHES.get(branch) {
                    self.gone(*kind, id);
                }
            }
            FeedEvent::Untold => self.forget_all(),
        }
    }

    fn note_feed(&self, state: FeedState) {
        self.freshness.follow(state == FeedState::Following);
        self.state.send_replace(state);
        self.metrics.feed(state);
    }

    fn changed(&self, kind: Kind, id: Uuid, dn: &Dn, mark: Option<&str>) {
        self.metrics.told();
        // Whatever rests on several entries may have been read before this one was: the version of one alone does not tell.
        self.changed_in(kind);
        let told: Option<Box<str>> = mark.map(Into::into);
        // First of all: whoever notes an earlier version meanwhile finds this when that is done.
        self.told.insert(id, told.clone());
        self.listed.forget(id);
        let key = dn.key();
        self.names.invalidate(&key);
        let seen = self.homes.get(&id);
        // The echo of a write of ours, or of what was read since.
        let known = seen.as_ref().and_then(|seen| seen.mark.as_deref());
        let is_echo = known.zip(mark).is_some_and(|(known, mark)| order(known, mark) != Ordering::Less);
        self.changed_by_others(kind, id, !is_echo);
        if is_echo {
            return;
        }
        if let Some(seen) = seen {
            if let Ok(old) = seen.dn.parse::<Dn>().map(|old| old.key())
                && old != key
            {
                self.names.invalidate(&old);
            }
            // Told late, it may be older than a write of ours that has ended since: so it is no newer than what was read last.
            let (owned, since) = (seen.owned, seen.since);
            self.homes.insert(id, Arc::new(Seen { dn: dn.to_string().into(), row: Row::of(&key), owned, mark: told, since }));
        }
    }

    fn gone(&self, kind: Kind, id: Uuid) {
        self.metrics.told();
        // Whatever was read of it before is out of date.
        self.changed_in(kind);
        self.told.insert(id, None);
        self.forget_id(id);
        self.removed(kind, id);
    }

    fn changed_in(&self, kind: Kind) {
        match kind {
            Kind::User => self.freshness.users_changed(),
            Kind::Group => self.freshness.groups_changed(),
        }
    }

    /// What was remembered until now may be out of date in every part.
    fn forget_all(&self) {
        self.names.invalidate_all();
        self.homes.invalidate_all();
        self.members.invalidate_all();
        self.groups.invalidate_all();
        self.entries.invalidate_all();
        self.found.invalidate_all();
        self.listed.clear();
        self.freshness.all_changed();
    }

    /// An entry was written by us, or may have been.
    pub(super) fn written(&self, write: &Write) {
        self.freshness.written(write.row);
        if write.is_user {
            self.freshness.users_changed();
        }
        if write.is_group {
            self.freshness.groups_changed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::directory::Entry;
    use crate::mapping::tests::MAPPING;
    use crate::membership::tests::{following, user};

    /// Tries the many ways in which the two may come between each other.
    #[test]
    fn an_older_version_that_is_noted_while_a_later_one_is_told_is_not_believed() {
        let (cache, start) = (following(), Barrier::new(2));
        let ids = || (1..=5_000).map(Uuid::from_u128);
        let mut believed = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for id in ids() {
                    let Entry { dn, .. } = user(id, "2");
                    start.wait();
                    cache.hear(FeedEvent::Changed { branch: 0, id, dn, mark: Some("2".to_owned()) });
                    start.wait();
                }
            });
            for id in ids() {
                let (entry, since) = (user(id, "1"), cache.reading());
                start.wait();
                cache.note(&MAPPING.users, &entry, since);
                start.wait();
                let is_old = cache.version(&id.to_string()).is_some_and(|version| version != "W/\"2\"");
                let has_old_name = cache.names.get(&entry.dn.key()).is_some_and(|called| cache.holds(&called));
                believed += usize::from(is_old) + usize::from(has_old_name);
            }
        });
        assert_eq!(believed, 0);
    }

    #[test]
    fn a_name_that_was_read_before_a_write_of_ours_or_before_a_gap_is_not_believed() {
        let cache = following();
        let (users, id) = (&MAPPING.users, Uuid::from_u128(1));
        let entry = user(id, "1");
        let key = entry.dn.key();
        let is_believed = |since| {
            cache.note(users, &entry, since);
            cache.names.get(&key).is_some_and(|called| cache.holds(&called))
        };
        let before = cache.reading();
        let write = || cache.written(&Write { row: Row::of(&key), is_user: true, is_group: false });
        write();
        let during = cache.reading();
        write();
        assert!(!is_believed(before) && !is_believed(during));
        let after = cache.reading();
        assert!(is_believed(after));
        cache.hear(FeedEvent::Untold);
        assert!(!is_believed(after));
    }

    #[test]
    fn what_is_told_ends_what_rests_on_others_even_where_that_version_was_read_already() {
        let cache = following();
        let (id, dn) = (Uuid::from_u128(1), "uid=ann,dc=x".parse::<Dn>().unwrap());
        let before = cache.reading();
        let seen =
            Seen { dn: dn.to_string().into(), row: Row::of(&dn.key()), owned: true, mark: Some("7".into()), since: before };
        cache.homes.insert(id, Arc::new(seen));
        cache.hear(FeedEvent::Changed { branch: 0, id, dn, mark: Some("7".to_owned()) });
        assert!(!cache.freshness.users_hold(before) && cache.freshness.groups_hold(before));
        assert_eq!(cache.version(&id.to_string()).as_deref(), Some("W/\"7\""), "it is that version still");
    }
}
