//! The last writes, in memory, for whoever looks on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::chain::{Entry, Event};

/// So many are kept.
const MOST: usize = 200;
/// Of the LDIF of one write, in bytes; a bulk load of photographs shall not fill the memory.
const LONGEST: usize = 16 * 1024;

/// A write, as the audit tells it.
#[derive(Debug)]
pub struct Told {
    /// Counted from 1 since the process began.
    pub number: u64,
    /// When it was finished, in UTC to the millisecond.
    pub time: String,
    /// The request's id in logs.
    pub request: String,
    /// Who asked.
    pub client: String,
    /// From where.
    pub address: Option<String>,
    /// The method of HTTP.
    pub method: &'static str,
    /// `User` or `Group`.
    pub resource_type: &'static str,
    /// The resource's `id`, if there is one.
    pub id: Option<String>,
    /// Of its answer; `None` where it was cut off.
    pub status: Option<u16>,
    /// What went to the directory: the name of its result code, and the change as LDIF, without what is masked.
    pub changes: Vec<(&'static str, String)>,
}

/// The last of them, and news of each.
#[derive(Debug)]
pub struct Activity {
    last: Mutex<(u64, VecDeque<Arc<Told>>)>,
    news: broadcast::Sender<Arc<Told>>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { last: Mutex::default(), news: broadcast::Sender::new(64) }
    }
}

impl Activity {
    /// Takes note of a line of the audit, if it is a write.
    pub fn note(&self, entry: &Entry) {
        let Event::Write(write) = &entry.event else { return };
        let mut room = LONGEST;
        let shown = write.changes.iter().map(|change| {
            let ldif = cut(&change.ldif, room);
            room = room.saturating_sub(change.ldif.len());
            (change.result, ldif)
        });
        let changes = shown.collect();
        // Nothing panics while it is held; news go out in the order of their numbers.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, kept) = &mut *last;
        *number += 1;
        let told = Arc::new(Told {
            number: *number,
            time: entry.time.clone(),
            request: write.request.clone(),
            client: write.client.clone(),
            address: write.address.clone(),
            method: write.method,
            resource_type: write.resource_type,
            id: write.id.clone(),
            status: write.status,
            changes,
        });
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back(told.clone());
        // Nobody may be listening.
        let _ = self.news.send(told);
    }

    /// Those after a number, the oldest first, and the news from there on.
    pub fn after(&self, number: u64) -> (Vec<Arc<Told>>, broadcast::Receiver<Arc<Told>>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.1.iter().filter(|told| told.number > number).cloned().collect(), self.news.subscribe())
    }
}

/// The beginning of a text, whole lines of it.
fn cut(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if kept.len() + line.len() > room {
            break;
        }
        kept.push_str(line);
    }
    kept + "# … the rest is left out here\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::{Change, Marks, Write};

    fn write(ldif: &str) -> Entry {
        Entry::now(Event::Write(Write {
            request: "r".to_owned(),
            client: "ping".to_owned(),
            address: None,
            method: "POST",
            resource_type: "User",
            id: None,
            bulk: None,
            undoes: None,
            status: Some(201),
            changes: vec![Change {
                result: "success",
                code: Some(0),
                ldif: ldif.to_owned(),
                inverse: None,
                marks: Marks::default(),
                masked: Vec::new(),
            }],
        }))
    }

    #[tokio::test]
    async fn the_last_are_kept_and_what_comes_is_told() {
        let activity = Activity::default();
        for _ in 0..MOST + 5 {
            activity.note(&write("dn: x\n"));
        }
        activity.note(&Entry::rail("reached", "ping", "delete-user", None, None));
        let (last, mut news) = activity.after(0);
        assert_eq!((last.len(), last[0].number, last[MOST - 1].number), (MOST, 6, MOST as u64 + 5));
        assert!(activity.after(MOST as u64 + 5).0.is_empty());
        activity.note(&write(&"description: long\n".repeat(LONGEST)));
        let told = news.recv().await.unwrap();
        assert_eq!((told.number, &*told.client), (MOST as u64 + 6, "ping"));
        let ldif = &told.changes[0].1;
        assert!(ldif.len() < LONGEST + 64 && ldif.ends_with("long\n# … the rest is left out here\n"));
    }
}
