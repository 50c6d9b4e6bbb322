//! Entries that are not as the directory has them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::directory::{ChangeRecord, Dn, DnKey, Entry};

/// What is different, by name; `None` where there is no entry any more.
#[derive(Debug, Default)]
pub(super) struct Overlay(Mutex<HashMap<DnKey, Option<Arc<Entry>>>>);

/// How an entry stands to the directory's.
#[derive(Debug)]
pub(super) enum Overlaid {
    /// It is as the directory has it, or is not.
    Not,
    /// There is none any more.
    Gone,
    /// It is this one.
    Entry(Arc<Entry>),
}

impl Overlay {
    fn entries(&self) -> MutexGuard<'_, HashMap<DnKey, Option<Arc<Entry>>>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The entry of this name.
    pub(super) fn get(&self, dn: &Dn) -> Overlaid {
        match self.entries().get(&dn.key()) {
            None => Overlaid::Not,
            Some(None) => Overlaid::Gone,
            Some(Some(entry)) => Overlaid::Entry(entry.clone()),
        }
    }

    /// Whether a write rests on anything that the directory does not know.
    pub(super) fn touches(&self, record: &ChangeRecord) -> bool {
        let entries = self.entries();
        let parent = match record {
            ChangeRecord::Add(entry) => entry.dn.parent(),
            ChangeRecord::Move { parent, .. } => Some(parent.clone()),
            ChangeRecord::Modify { .. } | ChangeRecord::Rename { .. } | ChangeRecord::Delete(_) => None,
        };
        let names = [Some(record.dn().clone()), record.new_name(), parent];
        names.iter().flatten().any(|name| entries.contains_key(&name.key()))
    }

    /// The entry that was of this name is this one now, whatever its name is.
    pub(super) fn put(&self, dn: &Dn, now: Option<Arc<Entry>>) {
        let mut entries = self.entries();
        entries.insert(dn.key(), None);
        if let Some(entry) = now {
            entries.insert(entry.dn.key(), Some(entry));
        }
    }

    /// The entries of a branch, and the names of which what the directory says does not count.
    pub(super) fn below(&self, base: &Dn) -> (Vec<Arc<Entry>>, HashSet<DnKey>) {
        let entries = self.entries();
        let here = entries.values().flatten().filter(|entry| entry.dn.is_under(base)).cloned().collect();
        (here, entries.keys().cloned().collect())
    }
}
