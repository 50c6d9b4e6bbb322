//! How many users and groups one client may delete or disable within an hour. What goes beyond is refused until somebody has
//! looked: a mistake in the identity provider must not empty the directory.
//!
//! A change counts once it is made. While others are under way that may or may not use up the rest, the next one waits for what
//! becomes of them, so that exactly as many are made as are allowed, and one that fails uses up nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::{Context, Service, error};
use crate::audit::Entry;
use crate::clock::Clock;
use crate::directory::SearchRequest;
use crate::mapping::Mapping;
use crate::scim::{Kind, ScimError};
use crate::telemetry::Metrics;

/// What a rail counts over.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// `[rails]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RailsConfig {
    /// Of deletions, users and groups apart.
    pub deletes: Rail,
    /// Of deactivations.
    pub disables: Rail,
}

/// How many are allowed; the lesser counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rail {
    /// So many; 0: any number.
    pub per_hour: usize,
    /// So many of a hundred that there are, one at least; 0: all.
    pub percent: usize,
}

impl Rail {
    /// Whether it holds anything up.
    pub fn is_off(self) -> bool {
        self.per_hour == 0 && self.percent == 0
    }

    fn limit(self, population: usize) -> usize {
        let share = (population.saturating_mul(self.percent) / 100).max(1);
        match self {
            Self { per_hour: 0, .. } => share,
            Self { per_hour, percent: 0 } => per_hour,
            Self { per_hour, .. } => per_hour.min(share),
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Users deleted, by whatever `users.on_delete` says.
    DeleteUser,
    /// Groups deleted.
    DeleteGroup,
    /// Users disabled.
    DisableUser,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DeleteUser, Self::DeleteGroup, Self::DisableUser];

    /// The deletion of a resource of this kind.
    pub fn delete(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::DeleteUser,
            Kind::Group => Self::DeleteGroup,
        }
    }

    /// For labels, the audit and the administrator.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeleteUser => "delete-user",
            Self::DeleteGroup => "delete-group",
            Self::DisableUser => "disable-user",
        }
    }

    /// For people.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::DeleteUser => ("deleted users", "rails.deletes_per_hour and rails.deletes_percent"),
            Self::DeleteGroup => ("deleted groups", "rails.deletes_per_hour and rails.deletes_percent"),
            Self::DisableUser => ("disabled users", "rails.disables_per_hour and rails.disables_percent"),
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::DeleteUser | Self::DisableUser => Kind::User,
            Self::DeleteGroup => Kind::Group,
        }
    }
}

type Key = (Arc<str>, Act);

/// What one client did of one kind.
#[derive(Debug, Clone, Default)]
struct Counter {
    /// When each was made, the oldest first.
    done: VecDeque<Timestamp>,
    /// May be made or not.
    under_way: usize,
    /// How many there were before the first.
    population: Option<usize>,
    /// It was reached.
    reached: bool,
}

impl Counter {
    /// Forgets what is over; true if that releases it.
    fn expire(&mut self, now: Timestamp) -> bool {
        while self.done.front().is_some_and(|made| now.duration_since(*made) >= WINDOW) {
            self.done.pop_front();
        }
        let is_over = self.done.is_empty() && self.under_way == 0;
        if is_over {
            self.population = None;
        }
        is_over && std::mem::take(&mut self.reached)
    }
}

/// How a client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RailState {
    /// Who.
    pub client: Arc<str>,
    /// Doing what.
    pub act: Act,
    /// Within the last hour.
    pub done: usize,
    /// How many are allowed.
    pub limit: usize,
    /// Whether further ones are refused.
    pub reached: bool,
    /// When that ends by itself.
    pub until: Option<Timestamp>,
}

/// A change is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// How many were allowed.
    pub(super) limit: usize,
    /// Nobody was held up before.
    pub(super) first: bool,
}

/// The rails of all clients.
#[derive(Debug)]
pub struct Rails {
    config: RailsConfig,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    counters: Mutex<HashMap<Key, Counter>>,
    /// Something that was under way has ended.
    settled: Notify,
}

impl Rails {
    /// Nobody has done anything yet.
    pub fn new(config: RailsConfig, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { config, clock, metrics, counters: Mutex::default(), settled: Notify::new() }
    }

    /// The same as they stand now; what is counted there does not count here.
    pub(super) fn apart(&self, metrics: Arc<Metrics>) -> Self {
        let of = |(key, counter): (&Key, &Counter)| (key.clone(), Counter { under_way: 0, ..counter.clone() });
        let counters = Mutex::new(self.counters().iter().map(of).collect());
        Self { config: self.config, clock: self.clock.clone(), metrics, counters, settled: Notify::new() }
    }

    /// The limits.
    pub(super) fn config(&self) -> RailsConfig {
        self.config
    }

    fn counters(&self) -> MutexGuard<'_, HashMap<Key, Counter>> {
        // Nothing panics while it is held.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rail(&self, act: Act) -> Rail {
        match act {
            Act::DeleteUser | Act::DeleteGroup => self.config.deletes,
            Act::DisableUser => self.config.disables,
        }
    }

    /// Whether changes of this kind are counted.
    pub fn watches(&self, act: Act) -> bool {
        !self.rail(act).is_off()
    }

    /// Lets a change begin, once that is certain to be allowed. `population` counts how many there are.
    ///
    /// # Errors
    /// They could not be counted. The inner one: no further changes of this kind.
    pub(super) async fn admit(
        self: &Arc<Self>,
        client: &Arc<str>,
        act: Act,
        population: impl Future<Output = Result<usize, ScimError>>,
    ) -> Result<Result<Option<Permit>, Reached>, ScimError> {
        let rail = self.rail(act);
        if rail.is_off() {
            return Ok(Ok(None));
        }
        let key = (client.clone(), act);
        let asked = if rail.percent == 0 || self.knows_population(&key) { None } else { Some(population.await?) };
        loop {
            let settled = self.settled.notified();
            {
                let mut counters = self.counters();
                let counter = counters.entry(key.clone()).or_default();
                if counter.expire(self.clock.now()) {
                    self.metrics.rail_reached(client, act.name(), false);
                }
                let population = match (counter.population, asked) {
                    (None, Some(asked)) => *counter.population.insert(asked),
                    (known, _) => known.unwrap_or_default(),
                };
                let limit = rail.limit(population);
                let taken = counter.done.len() + counter.under_way;
                if !counter.reached && taken < limit {
                    counter.under_way += 1;
                    return Ok(Ok(Some(Permit { rails: self.clone(), key, made: false })));
                }
                if counter.reached || counter.under_way == 0 {
                    let first = !std::mem::replace(&mut counter.reached, true);
                    self.metrics.rail_refused(client, act.name());
                    self.metrics.rail_reached(client, act.name(), true);
                    return Ok(Err(Reached { limit, first }));
                }
            }
            settled.await;
        }
    }

    /// Whether it was counted how many there were before the first of this hour.
    fn knows_population(&self, key: &Key) -> bool {
        let now = self.clock.now();
        self.counters().get_mut(key).is_some_and(|counter| {
            if counter.expire(now) {
                self.metrics.rail_reached(&key.0, key.1.name(), false);
            }
            counter.population.is_some()
        })
    }

    /// How everybody stands who did anything within the last hour.
    pub fn states(&self) -> Vec<RailState> {
        let now = self.clock.now();
        let mut counters = self.counters();
        counters.retain(|(client, act), counter| {
            if counter.expire(now) {
                self.metrics.rail_reached(client, act.name(), false);
            }
            !counter.done.is_empty() || counter.under_way > 0 || counter.reached
        });
        let state = |((client, act), counter): (&Key, &Counter)| RailState {
            client: client.clone(),
            act: *act,
            done: counter.done.len(),
            limit: self.rail(*act).limit(counter.population.unwrap_or_default()),
            reached: counter.reached,
            until: counter.done.back().filter(|_| counter.reached).and_then(|last| last.checked_add(WINDOW).ok()),
        };
        let mut states: Vec<RailState> = counters.iter().map(state).collect();
        states.sort_by(|a, b| (&a.client, a.act.name()).cmp(&(&b.client, b.act.name())));
        states
    }

    /// Lets a client go on, all of them if none is named, and tells whom that released. The count begins anew.
    pub fn release(&self, client: Option<&str>, act: Option<Act>) -> Vec<(Arc<str>, Act)> {
        let mut released = Vec::new();
        for ((of, what), counter) in self.counters().iter_mut() {
            let is_meant = client.is_none_or(|client| client == &**of) && act.is_none_or(|act| act == *what);
            if is_meant && counter.reached {
                *counter = Counter { under_way: counter.under_way, ..Counter::default() };
                self.metrics.rail_reached(of, what.name(), false);
                released.push((of.clone(), *what));
            }
        }
        released.sort_by(|a, b| (&a.0, a.1.name()).cmp(&(&b.0, b.1.name())));
        released
    }
}

/// One change that was let through.
#[derive(Debug)]
pub(super) struct Permit {
    rails: Arc<Rails>,
    key: Key,
    made: bool,
}

impl Permit {
    /// It was made, or may have been.
    pub(super) fn made(mut self) {
        self.made = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = self.rails.clock.now();
        if let Some(counter) = self.rails.counters().get_mut(&self.key) {
            counter.under_way = counter.under_way.saturating_sub(1);
            if self.made {
                counter.done.push_back(now);
            }
        }
        self.rails.settled.notify_waiters();
    }
}

/// Whether a change that was answered by this error may have been made.
pub(super) fn may_be_made(error: &ScimError) -> bool {
    error.status == http::StatusCode::SERVICE_UNAVAILABLE
}

impl Service {
    /// Lets a deletion or deactivation begin. `None`: it is not counted.
    pub(super) async fn rail(&self, cx: &Context, mapping: &Mapping, act: Act) -> Result<Option<Permit>, ScimError> {
        let Reached { limit, first } = match self.rails.admit(&cx.client, act, self.population(mapping, act.kind())).await? {
            Ok(permit) => return Ok(permit),
            Err(reached) => reached,
        };
        if first {
            tracing::warn!(client = &*cx.client, act = act.name(), limit, "a rail is reached: further such changes are refused");
            if let Some(audit) = &self.audit {
                audit.note(Entry::rail("reached", &cx.client, act.name(), Some(limit), None));
            }
        }
        Err(error::rail_reached(act, limit))
    }

    /// How many resources of a kind there are.
    async fn population(&self, mapping: &Mapping, kind: Kind) -> Result<usize, ScimError> {
        let side = mapping.of(kind);
        let all = SearchRequest::below(&side.base, side.visible(), vec!["1.1".to_owned()]);
        Ok(self.directory.search(&all).await.map_err(|e| error::refused(side, e))?.entries.len())
    }

    /// How the clients stand.
    pub fn rails(&self) -> Vec<RailState> {
        self.rails.states()
    }

    /// Nothing is counted here any more where another service goes on by rails of its own, which nobody has reached.
    pub fn retire_rails(&self, next: &Self) {
        if !Arc::ptr_eq(&self.rails, &next.rails) {
            self.rails.release(None, None);
        }
    }

    /// Lets clients go on that reached a rail: this one or all, in this or in everything. Tells whom that released.
    pub fn release_rails(&self, client: Option<&str>, act: Option<Act>, by: &str) -> Vec<(Arc<str>, Act)> {
        let released = self.rails.release(client, act);
        for (client, act) in &released {
            tracing::info!(client = &**client, act = act.name(), by, "a rail is released");
            if let Some(audit) = &self.audit {
                audit.note(Entry::rail("released", client, act.name(), None, Some(by)));
            }
        }
        released
    }
}

#[cfg(test)]
#[path = "rails_tests.rs"]
mod tests;
