//! The lines, and how each holds on to the one before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What is told of one write.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When it was finished, in UTC to the millisecond.
    pub time: String,
    #[serde(flatten)]
    pub(super) event: Event,
}

impl Entry {
    pub(super) fn now(event: Event) -> Self {
        Self { time: format!("{:.3}", jiff::Timestamp::now()), event }
    }

    /// A client may do no more of something, or may again: `state` is `reached` or `released`, `by` who released it.
    pub fn rail(state: &'static str, client: &str, act: &'static str, limit: Option<usize>, by: Option<&str>) -> Self {
        let (client, by) = (client.to_owned(), by.map(str::to_owned));
        Self::now(Event::Rail(Rail { event: "rail", state, client, act, limit, by }))
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Event {
    Write(Write),
    /// What happened to the audit itself.
    Own(Own),
    /// What happened to a limit of deletions.
    Rail(Rail),
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Own {
    /// `truncated`: a line that a crash left unfinished was cut off; `lost`: lines could not be kept until they could be written.
    pub(super) event: &'static str,
    /// How many bytes or lines.
    pub(super) count: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Rail {
    pub(super) event: &'static str,
    pub(super) state: &'static str,
    pub(super) client: String,
    pub(super) act: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Write {
    pub(super) request: String,
    pub(super) client: String,
    pub(super) address: Option<String>,
    pub(super) method: &'static str,
    #[serde(rename = "type")]
    pub(super) resource_type: &'static str,
    pub(super) id: Option<String>,
    /// Which operation of a bulk request it is, from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bulk: Option<usize>,
    /// What it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undoes: Option<Undoes>,
    /// The status of its answer; `None` where it was cut off by the end of the process.
    pub(super) status: Option<u16>,
    pub(super) changes: Vec<Change>,
}

/// One operation that went to the directory.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    /// The name of its result code; `notSent`; `unknown` where it may have been done.
    pub(super) result: &'static str,
    pub(super) code: Option<u32>,
    pub(super) ldif: String,
    /// What undoes it; `null` where nothing does, or it was not done.
    pub(super) inverse: Option<String>,
    /// The versions of the entry.
    #[serde(flatten)]
    pub(super) marks: Marks,
    /// Attributes whose values are left out of both.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) masked: Vec<String>,
}

/// The version of an entry, as its directory marks it, where the write itself told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Before the write.
    #[serde(rename = "version_before", default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// After it.
    #[serde(rename = "version_after", default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

/// Which changes of which line are taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoes {
    /// The number of the line.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// Its request.
    pub request: String,
    /// The places of its changes that are taken back, from zero.
    pub changes: Vec<usize>,
}

/// What a line says of its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) prev: String,
}

#[derive(Serialize)]
struct Numbered<'a> {
    seq: u64,
    #[serde(flatten)]
    entry: &'a Entry,
    prev: &'a str,
}

/// The end of the chain, where the next line is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// The number of the last line.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
}

impl Chain {
    /// Before the first line.
    pub(super) fn new() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// After this line, given without its end. `None`: it is none of ours.
    pub(super) fn after(line: &[u8]) -> Option<Self> {
        let place: Place = serde_json::from_slice(line).ok()?;
        Some(Self { seq: place.seq, hash: hash(line) })
    }

    /// The next line, without its end.
    pub(super) fn append(&mut self, entry: &Entry) -> Vec<u8> {
        let seq = self.seq + 1;
        // A tree of texts and numbers is always printed.
        let line = serde_json::to_vec(&Numbered { seq, entry, prev: &self.hash }).unwrap_or_default();
        *self = Self { seq, hash: hash(&line) };
        line
    }
}

pub(super) fn hash(line: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(line).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_carries_the_hash_of_the_one_before() {
        let mut chain = Chain::new();
        let entry = Entry::now(Event::Own(Own { event: "lost", count: 3 }));
        let first = chain.append(&entry);
        assert_eq!(Chain::after(&first), Some(chain.clone()));
        let second: serde_json::Value = serde_json::from_slice(&chain.append(&entry)).unwrap();
        assert_eq!(second["seq"], 2);
        assert_eq!(second["event"], "lost");
        assert_eq!(second["prev"], hash(&first));
        // As sha256sum says it.
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let time = second["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
}
