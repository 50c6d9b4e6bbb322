//! Where the directory cannot compare before it writes, a write is a look and then a change. Those of this process on one entry go
//! one after the other, so that none comes between another's two.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::directory::Dn;

/// Entries share turns by chance; with so many that is rare, and costs a short wait.
const LANES: usize = 256;

/// The turns of all entries.
#[derive(Debug)]
pub(super) struct Turns {
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { lanes: (0..LANES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Waits for the entry's turn, which lasts as long as what is returned.
    pub(super) async fn of(&self, dn: &Dn) -> Option<MutexGuard<'_, ()>> {
        let hash = usize::try_from(self.hasher.hash_one(dn.key()) % LANES as u64).ok()?;
        Some(self.lanes.get(hash)?.lock().await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn of_one_entry_one_is_at_work_at_a_time() {
        let (turns, working, done) = (Arc::new(Turns::new()), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (turns, working, done) = (turns.clone(), working.clone(), done.clone());
                // Spelt differently it is the same entry.
                let dn: Dn = if n % 2 == 0 { "uid=ana,dc=example" } else { "UID=Ana, DC=example" }.parse().unwrap();
                tokio::spawn(async move {
                    let _turn = turns.of(&dn).await.unwrap();
                    assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    working.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(done.load(Ordering::SeqCst), 50);
    }
}
