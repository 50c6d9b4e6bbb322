//! What several ask for at once is read once for all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Reading;

/// What is being read, by what it is about.
#[derive(Debug)]
pub(super) struct Flights<K: Eq + Hash, V>(Mutex<HashMap<K, Arc<Flight<V>>>>);

/// One reading.
#[derive(Debug)]
struct Flight<V> {
    since: Reading,
    found: OnceCell<V>,
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// What `read` finds, or what another one finds that began to read no earlier than it may have. Where that one fails or gives up,
    /// the next who waits reads itself. What is found is kept before the next may have to read it.
    pub(super) async fn join<E>(
        &self,
        key: &K,
        (now, holds): (impl Fn() -> Reading, impl Fn(Reading) -> bool),
        read: impl Future<Output = Result<V, E>>,
        keep: impl FnOnce(&V, Reading),
    ) -> Result<V, E> {
        let flight = {
            let mut flights = self.lock();
            if let Some(flight) = flights.get(key).filter(|flight| holds(flight.since)) {
                flight.clone()
            } else {
                let flight = Arc::new(Flight { since: now(), found: OnceCell::new() });
                flights.insert(key.clone(), flight.clone());
                flight
            }
        };
        let _aboard = Aboard { flights: self, key, flight: &flight };
        let reading = async {
            let found = read.await?;
            keep(&found, flight.since);
            Ok(found)
        };
        flight.found.get_or_try_init(|| reading).await.cloned()
    }
}

impl<K: Eq + Hash, V> Flights<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Flight<V>>>> {
        // Nothing that panics is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits. Whoever leaves first ends the flight for those who come later: what they would find is remembered by then,
/// or is to be read anew.
struct Aboard<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: &'a K,
    flight: &'a Arc<Flight<V>>,
}

impl<K: Eq + Hash, V> Drop for Aboard<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if flights.get(self.key).is_some_and(|flight| Arc::ptr_eq(flight, self.flight)) {
            flights.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;
    use crate::membership::freshness::Freshness;

    async fn joined(
        flights: &Flights<u8, usize>,
        freshness: &Freshness,
        read: impl Future<Output = Result<usize, ()>>,
    ) -> Option<usize> {
        let holds = |since| freshness.groups_hold(since);
        flights.join(&1, (|| freshness.reading(), holds), read, |_, _| ()).await.ok()
    }

    #[tokio::test]
    async fn what_many_ask_for_is_read_once_and_after_a_change_anew() {
        let (flights, freshness) = (Flights::new(), Freshness::new(Duration::from_mins(1)));
        let (readings, landed) = (AtomicUsize::new(0), Notify::new());
        let read = async || {
            let number = readings.fetch_add(1, Ordering::Relaxed) + 1;
            landed.notified().await;
            Ok(number)
        };
        let change = async {
            tokio::task::yield_now().await;
            freshness.groups_changed();
            let late = joined(&flights, &freshness, read());
            let release = async {
                landed.notify_waiters();
                tokio::task::yield_now().await;
                landed.notify_waiters();
            };
            tokio::join!(late, release).0
        };
        let found = tokio::join!(joined(&flights, &freshness, read()), joined(&flights, &freshness, read()), change);
        assert_eq!(found, (Some(1), Some(1), Some(2)));
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waited_for_a_reading_that_failed_reads_itself() {
        let (flights, freshness) = (Flights::new(), Freshness::new(Duration::from_mins(1)));
        let fails = async || {
            tokio::task::yield_now().await;
            Err(())
        };
        let found = tokio::join!(joined(&flights, &freshness, fails()), joined(&flights, &freshness, async { Ok(7) }));
        assert_eq!(found, (None, Some(7)));
        assert!(flights.lock().is_empty());
    }
}
