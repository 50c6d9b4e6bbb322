//! Entries that are not as the directory has them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::directory::{ChangeRecord, Dn, DnKey, Entry};

/// What a name, an attribute or a value takes beside its bytes.
const OVERHEAD: usize = 48;

/// What is different.
#[derive(Debug, Default)]
pub(super) struct Overlay(Mutex<Different>);

#[derive(Debug, Default)]
struct Different {
    /// By name; `None` where there is no entry any more.
    entries: HashMap<DnKey, Option<Arc<Entry>>>,
    /// The identifiers of entries that the directory has otherwise.
    ids: HashSet<Uuid>,
    /// What all of it takes.
    bytes: usize,
}

impl Different {
    fn insert(&mut self, key: DnKey, now: Option<Arc<Entry>>) {
        let weight = |entry: Option<&Arc<Entry>>| entry.map_or(0, |entry| weight(entry));
        let (named, coming) = (OVERHEAD + key.as_str().len(), weight(now.as_ref()));
        match self.entries.insert(key, now) {
            None => self.bytes += named,
            Some(before) => self.bytes = self.bytes.saturating_sub(weight(before.as_ref())),
        }
        self.bytes += coming;
    }
}

/// What an entry takes in memory, about.
fn weight(entry: &Entry) -> usize {
    let values = |values: &[Vec<u8>]| values.iter().map(|value| OVERHEAD + value.len()).sum::<usize>();
    let attributes = entry.attributes().map(|(name, of)| OVERHEAD + name.len() + values(of));
    OVERHEAD + entry.dn.key().as_str().len() * 2 + attributes.sum::<usize>()
}

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
    fn different(&self) -> MutexGuard<'_, Different> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.different().entries.is_empty()
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.different().bytes
    }

    /// How many entries are not as the directory has them.
    pub(super) fn len(&self) -> usize {
        self.different().entries.len()
    }

    /// The entry of this name.
    pub(super) fn get(&self, dn: &Dn) -> Overlaid {
        match self.different().entries.get(&dn.key()) {
            None => Overlaid::Not,
            Some(None) => Overlaid::Gone,
            Some(Some(entry)) => Overlaid::Entry(entry.clone()),
        }
    }

    /// Whether what the directory tells of this entry counts no longer.
    pub(super) fn hides(&self, id: Uuid) -> bool {
        self.different().ids.contains(&id)
    }

    /// Whether a write rests on anything that the directory does not know.
    pub(super) fn touches(&self, record: &ChangeRecord) -> bool {
        let entries = &self.different().entries;
        let parent = match record {
            ChangeRecord::Add(entry) => entry.dn.parent(),
            ChangeRecord::Move { parent, .. } => Some(parent.clone()),
            ChangeRecord::Modify { .. } | ChangeRecord::Rename { .. } | ChangeRecord::Delete(_) => None,
        };
        let names = [Some(record.dn().clone()), record.new_name(), parent];
        names.iter().flatten().any(|name| entries.contains_key(&name.key()))
    }

    /// The entry that was of this name and identifier is this one now, whatever its name is.
    pub(super) fn put(&self, dn: &Dn, id: Option<Uuid>, now: Option<Arc<Entry>>) {
        let mut different = self.different();
        if let Some(id) = id
            && different.ids.insert(id)
        {
            different.bytes += OVERHEAD;
        }
        let key = dn.key();
        match now {
            Some(entry) if entry.dn.key() == key => different.insert(key, Some(entry)),
            Some(entry) => {
                different.insert(key, None);
                different.insert(entry.dn.key(), Some(entry));
            }
            None => different.insert(key, None),
        }
    }

    /// The entries of a branch, and the names of which what the directory says does not count.
    pub(super) fn below(&self, base: &Dn) -> (Vec<Arc<Entry>>, HashSet<DnKey>) {
        let entries = &self.different().entries;
        let here = entries.values().flatten().filter(|entry| entry.dn.is_under(base)).cloned().collect();
        (here, entries.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_takes_is_known_whatever_is_put_and_taken() {
        let overlay = Overlay::default();
        let dn = |text: &str| text.parse::<Dn>().unwrap();
        let entry = |name: &str, bytes: usize| {
            let mut entry = Entry::new(dn(name));
            entry.push("jpegPhoto", [vec![0; bytes]]);
            Some(Arc::new(entry))
        };
        overlay.put(&dn("cn=a"), None, entry("cn=a", 1000));
        let (one, small) = (overlay.bytes(), 1000);
        assert!(one > small && one < small * 2, "{one}");
        overlay.put(&dn("cn=a"), None, entry("cn=a", 5000));
        assert_eq!(overlay.bytes(), one + 4000);
        overlay.put(&dn("cn=a"), None, entry("cn=b", 1000));
        assert_eq!(overlay.len(), 2);
        overlay.put(&dn("cn=b"), None, None);
        overlay.put(&dn("cn=b"), None, None);
        assert_eq!(overlay.bytes(), 2 * (OVERHEAD + "cn=a".len()));
    }
}
