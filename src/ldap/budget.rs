//! How many operations a server is given at once. The number shrinks when the server says or shows that it is too much and
//! grows back one by one, as TCP's window does (additive increase, multiplicative decrease).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::telemetry::{CountGuard, ServerMetrics};

/// Never fewer, or a directory that was slow once could not show that it is fast again.
const LEAST: usize = 8;
/// How long an operation waits for a place before its request is told to come again.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is left after the directory said that it was too much, and after it became slow.
const REFUSED: f64 = 0.7;
const SLOWED: f64 = 0.9;
/// Answers to what was sent before a cut tell nothing about it.
const SETTLES: Duration = Duration::from_millis(500);
/// So many times the usual time, and a little, is slow.
const SLOW: f64 = 4.0;
const SLOW_AT_LEAST: f64 = 0.05;

/// How an operation went, as far as the budget is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// Answered; in this time, if how long it takes depends on little but the server.
    Well(Option<Took>),
    /// The server has too much to do, or took too long.
    Overloaded,
    /// The connection was lost: that says nothing of how much is too much.
    Nowhere,
}

/// How long an operation took. Writes wait for a disk and for each other, reads do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    Read(Duration),
    Write(Duration),
}

/// The places at one server.
#[derive(Debug)]
pub(super) struct Budget {
    places: Arc<Semaphore>,
    state: Mutex<State>,
    waiting: AtomicUsize,
    most: usize,
    metrics: ServerMetrics,
}

#[derive(Debug)]
struct State {
    /// How many there should be; the fraction is what it has grown since the last whole place.
    limit: f64,
    /// Places that are taken and will not be given again.
    owed: usize,
    cut: Option<Instant>,
    reads: Pace,
    writes: Pace,
}

/// Seconds an operation takes, in the long run and lately.
#[derive(Debug, Default)]
struct Pace {
    usual: Option<f64>,
    lately: f64,
}

/// A place at a server, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    budget: Arc<Budget>,
    permit: Option<OwnedSemaphorePermit>,
    _count: CountGuard,
}

impl Budget {
    pub(super) fn new(most: usize, metrics: ServerMetrics) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        metrics.budget(most);
        #[expect(clippy::cast_precision_loss, reason = "no server is given so many operations")]
        let limit = most as f64;
        let state = Mutex::new(State { limit, owed: 0, cut: None, reads: Pace::default(), writes: Pace::default() });
        Arc::new(Self { places: Arc::new(Semaphore::new(most)), state, waiting: AtomicUsize::new(0), most, metrics })
    }

    /// A place, if one is free.
    pub(super) fn try_place(self: &Arc<Self>) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(|permit| self.taken(permit))
    }

    /// A place, waited for a little in order of arrival. `None`: it did not come, or as many wait as could ever have one.
    pub(super) async fn place(self: &Arc<Self>, deadline: Instant) -> Option<Place> {
        if let Some(place) = self.try_place() {
            return Some(place);
        }
        let permit = {
            let (before, _counted) = (Waiting::count(&self.waiting), self.metrics.waiting());
            if before.0 >= self.most {
                None
            } else {
                let wait = self.places.clone().acquire_owned();
                timeout_at(deadline.min(Instant::now() + PATIENCE), wait).await.ok().and_then(Result::ok)
            }
        };
        if permit.is_none() {
            self.metrics.refused();
        }
        permit.map(|permit| self.taken(permit))
    }

    fn taken(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place { budget: self.clone(), permit: Some(permit), _count: self.metrics.in_flight() }
    }

    fn learn(&self, went: Went, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.whole();
        match went {
            Went::Overloaded => state.cut(REFUSED, self.most, now),
            Went::Well(took) => {
                if took.is_some_and(|took| state.is_slow_after(took)) {
                    state.cut(SLOWED, self.most, now);
                } else if self.places.available_permits() <= before / 2 {
                    // Only a budget that is used can be too small.
                    #[expect(clippy::cast_precision_loss, reason = "no server is given so many operations")]
                    let most = self.most as f64;
                    state.limit = (state.limit + 1.0 / state.limit).min(most);
                }
            }
            Went::Nowhere => {}
        }
        let after = state.whole();
        if after > before {
            let paid = state.owed.min(after - before);
            state.owed -= paid;
            self.places.add_permits(after - before - paid);
        } else if after < before {
            state.owed += before - after - self.places.forget_permits(before - after);
        }
        drop(state);
        if after != before {
            self.metrics.budget(after);
        }
    }

    /// Whether a place that is given back is one too many.
    fn owes(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = state.owed > 0;
        state.owed -= usize::from(owed);
        owed
    }
}

impl State {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between one and the configured number")]
    fn whole(&self) -> usize {
        self.limit as usize
    }

    fn cut(&mut self, to: f64, most: usize, now: Instant) {
        if self.cut.is_none_or(|cut| now.duration_since(cut) > SETTLES) {
            self.cut = Some(now);
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let least = LEAST.min(most) as f64;
            self.limit = (self.limit * to).max(least);
        }
    }

    fn is_slow_after(&mut self, took: Took) -> bool {
        match took {
            Took::Read(took) => self.reads.is_slow_after(took),
            Took::Write(took) => self.writes.is_slow_after(took),
        }
    }
}

impl Pace {
    fn is_slow_after(&mut self, took: Duration) -> bool {
        let took = took.as_secs_f64();
        let Some(usual) = self.usual else {
            *self = Self { usual: Some(took), lately: took };
            return false;
        };
        // What is usual is quickly learned from what is fast, and slowly forgotten.
        let usual = usual + (took - usual) * if took < usual { 0.1 } else { 0.002 };
        self.usual = Some(usual);
        self.lately += (took - self.lately) * 0.1;
        self.lately > usual * SLOW + SLOW_AT_LEAST
    }
}

impl Place {
    /// Gives it back and tells how it went.
    pub(super) fn leave(self, went: Went) {
        self.budget.learn(went, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.budget.owes()
        {
            permit.forget();
        }
    }
}

/// One more that waits, until it is dropped.
struct Waiting<'a>(usize, &'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn count(waiting: &'a AtomicUsize) -> Self {
        Self(waiting.fetch_add(1, Ordering::Relaxed), waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn budget(most: usize) -> Arc<Budget> {
        Budget::new(most, Metrics::default().directory().server("ldap://a"))
    }

    fn limit(budget: &Budget) -> usize {
        budget.state.lock().unwrap().whole()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_told_so_and_the_next_gets_the_one_given_back() {
        let budget = budget(2);
        let (first, second) = (budget.try_place().unwrap(), budget.try_place().unwrap());
        assert!(budget.try_place().is_none());
        assert!(budget.place(soon()).await.is_none());

        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.place(Instant::now() + PATIENCE).await.is_some() }
        });
        tokio::task::yield_now().await;
        first.leave(Went::Nowhere);

        assert!(waiting.await.unwrap());
        drop(second);
    }

    #[tokio::test]
    async fn the_queue_has_an_end() {
        let budget = budget(1);
        let held = budget.try_place().unwrap();
        let queue = tokio::spawn({
            let budget = budget.clone();
            async move { budget.place(Instant::now() + PATIENCE).await.is_some() }
        });
        while budget.waiting.load(Ordering::Relaxed) < 1 {
            tokio::task::yield_now().await;
        }

        assert!(budget.place(Instant::now() + PATIENCE).await.is_none());
        assert!(!queue.is_finished(), "whoever came first was refused first");

        drop(held);
        assert!(queue.await.unwrap());
    }

    #[test]
    fn it_shrinks_when_the_server_is_overloaded_and_grows_back_under_load() {
        let budget = budget(20);
        let mut now = Instant::now();
        let held: Vec<Place> = (0..20).map(|_| budget.try_place().unwrap()).collect();
        budget.learn(Went::Overloaded, now);
        // The answers to what was sent before say no more than the first one did.
        budget.learn(Went::Overloaded, now);
        assert_eq!(limit(&budget), 14);
        drop(held);
        assert_eq!(budget.places.available_permits(), 14);

        for _ in 0..9 {
            now += SETTLES * 2;
            budget.learn(Went::Overloaded, now);
        }
        assert_eq!(limit(&budget), LEAST);
        // Without load it stays, under load it grows to what was configured and no further.
        budget.learn(Went::Well(None), now);
        assert_eq!(limit(&budget), LEAST);
        for _ in 0..1000 {
            let load: Vec<Place> = std::iter::from_fn(|| budget.try_place()).collect();
            for place in load {
                place.leave(Went::Well(None));
            }
        }
        assert_eq!((limit(&budget), budget.places.available_permits()), (20, 20));
    }

    #[test]
    fn a_server_that_becomes_slow_is_given_less() {
        let budget = budget(100);
        let mut now = Instant::now();
        for _ in 0..50 {
            budget.learn(Went::Well(Some(Took::Read(Duration::from_millis(2)))), now);
        }
        // Writes take longer, which says nothing of how the server is.
        for _ in 0..50 {
            now += SETTLES * 2;
            budget.learn(Went::Well(Some(Took::Write(Duration::from_millis(200)))), now);
        }
        assert_eq!(limit(&budget), 100);
        for _ in 0..50 {
            now += SETTLES * 2;
            budget.learn(Went::Well(Some(Took::Read(Duration::from_millis(200)))), now);
        }
        assert!(limit(&budget) < 50, "{}", limit(&budget));
    }
}
