//! The metric families of what is remembered.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// What the entry of a name is called.
    Names,
    /// The groups of a user.
    Groups,
    /// The members of a group.
    Members,
    /// The version of a resource.
    Versions,
    /// What an entry holds.
    Entries,
    /// The few that a search finds.
    Found,
}

impl Remembered {
    fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Groups => "groups",
            Self::Members => "members",
            Self::Versions => "versions",
            Self::Entries => "entries",
            Self::Found => "found",
        }
    }
}

/// Whether the directory tells what others change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// `cache.feed` is off.
    Off,
    /// It cannot.
    Unavailable,
    /// It did, and does not for now.
    Lost,
    /// It does.
    Following,
}

impl fmt::Display for FeedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "switched off; memberships are believed for cache.blind_ttl",
            Self::Unavailable => "this directory has none; memberships are believed for cache.blind_ttl",
            Self::Lost => "lost for now; memberships are believed for cache.blind_ttl",
            Self::Following => "followed",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    kind: &'static str,
    result: &'static str,
}

/// The families.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    lookups: Family<LookupLabels, Counter>,
    // By kind, hit and miss: a label set is looked up under a lock, and these are counted many times a request.
    counters: [(Counter, Counter); 6],
    following: Gauge,
    told: Counter,
    lost: Counter,
}

impl CacheMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let lookups: Family<LookupLabels, Counter> = Family::default();
        let counter = |kind: Remembered, result| lookups.get_or_create_owned(&LookupLabels { kind: kind.name(), result });
        let both = |kind| (counter(kind, "hit"), counter(kind, "miss"));
        let counters = [
            both(Remembered::Names),
            both(Remembered::Groups),
            both(Remembered::Members),
            both(Remembered::Versions),
            both(Remembered::Entries),
            both(Remembered::Found),
        ];
        let metrics = Self { lookups, counters, following: Gauge::default(), told: Counter::default(), lost: Counter::default() };
        registry.register("cache_lookups", "Whether what was looked up was remembered", metrics.lookups.clone());
        registry.register("feed_following", "1: the directory tells what others change", metrics.following.clone());
        registry.register("feed_changes", "Changes that the directory told", metrics.told.clone());
        registry.register("feed_lost", "How often the change feed was lost", metrics.lost.clone());
        metrics
    }

    /// Counts a lookup.
    pub fn looked_up(&self, kind: Remembered, hit: bool) {
        self.looked_up_many(kind, usize::from(hit), usize::from(!hit));
    }

    /// Counts lookups.
    pub fn looked_up_many(&self, kind: Remembered, hits: usize, misses: usize) {
        let [names, groups, members, versions, entries, found] = &self.counters;
        let (hit, miss) = match kind {
            Remembered::Names => names,
            Remembered::Groups => groups,
            Remembered::Members => members,
            Remembered::Versions => versions,
            Remembered::Entries => entries,
            Remembered::Found => found,
        };
        hit.inc_by(hits as u64);
        miss.inc_by(misses as u64);
    }

    /// Notes how the feed is.
    pub fn feed(&self, state: FeedState) {
        self.following.set(i64::from(state == FeedState::Following));
        match state {
            FeedState::Lost => {
                self.lost.inc();
            }
            FeedState::Off | FeedState::Unavailable | FeedState::Following => {}
        }
    }

    /// Counts a change that was told.
    pub fn told(&self) {
        self.told.inc();
    }
}
