//! Lines read back.

use std::path::Path;

use serde::Deserialize;

use super::chain::{Marks, Undoes, hash};
use super::verify::{Broken, Verified, verify_each};

/// The line of a write.
#[derive(Debug, Clone, Deserialize)]
pub struct PastWrite {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    #[serde(skip)]
    pub hash: String,
    /// When it was finished.
    pub time: String,
    /// The request's id.
    pub request: String,
    /// The client's name.
    pub client: String,
    /// The method.
    pub method: String,
    /// `User` or `Group`.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The resource's `id`.
    pub id: Option<String>,
    /// What it takes back.
    pub undoes: Option<Undoes>,
    /// What it did, in order.
    pub changes: Vec<PastChange>,
}

/// One operation that went to the directory.
#[derive(Debug, Clone, Deserialize)]
pub struct PastChange {
    /// The name of its result code; `notSent`; `unknown` where it may have been done.
    pub result: String,
    /// What was written.
    pub ldif: String,
    /// What undoes it.
    pub inverse: Option<String>,
    /// The versions of the entry.
    #[serde(flatten)]
    pub marks: Marks,
    /// Attributes whose values are left out.
    #[serde(default)]
    pub masked: Vec<String>,
}

impl PastWrite {
    /// Whether it was finished at or after the one, and before the other time.
    pub fn is_within(&self, since: Option<jiff::Timestamp>, until: Option<jiff::Timestamp>) -> bool {
        let time: Option<jiff::Timestamp> = self.time.parse().ok();
        let Some(time) = time else { return since.is_none() && until.is_none() };
        since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
    }
}

impl PastChange {
    /// Whether it was made, or may have been.
    pub fn may_be_done(&self) -> bool {
        matches!(self.result.as_str(), "success" | "unknown")
    }
}

/// Reads the lines of writes, those that were put aside first.
///
/// # Errors
/// The first place where the chain is broken: what is in it cannot be trusted.
pub fn read_past(path: &Path, mut tell: impl FnMut(PastWrite)) -> Result<Verified, Broken> {
    verify_each(path, |line| {
        // Lines of other kinds, about the audit itself and about rails, have no changes.
        if let Ok(write) = serde_json::from_slice::<PastWrite>(line) {
            tell(PastWrite { hash: hash(line), ..write });
        }
    })
}
