//! What is to be taken back, and what is known of the time since.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;

use crate::audit::{Broken, Marks, PastChange, PastWrite, Undoes, read_past};
use crate::directory::{ChangeRecord, Dn, DnKey, ldif};

/// Which writes are to be taken back.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of this request.
    pub request: Option<String>,
    /// Those from this time on.
    pub since: Option<Timestamp>,
    /// Those before this time.
    pub until: Option<Timestamp>,
    /// Those of this client.
    pub client: Option<String>,
}

impl Selection {
    fn takes(&self, write: &PastWrite) -> bool {
        write.undoes.is_none()
            && self.request.as_ref().is_none_or(|request| *request == write.request)
            && self.client.as_ref().is_none_or(|client| *client == write.client)
            && write.is_within(self.since, self.until)
    }
}

/// One change that is to be taken back.
#[derive(Debug, Clone)]
pub struct Step {
    /// The number of its line.
    pub seq: u64,
    /// Its place in the line.
    pub place: usize,
    /// The entry, by its name before the change.
    pub dn: Dn,
    /// What was written, as far as it was kept.
    pub record: Option<ChangeRecord>,
    /// What undoes it.
    pub inverse: Option<Vec<ChangeRecord>>,
    /// Whether values of it were left out, so that only they can be missing.
    pub is_secret: bool,
    /// Attributes that were left out.
    pub masked: Vec<String>,
    /// The entry's versions.
    pub marks: Marks,
}

impl Step {
    /// The entry's name after the change.
    pub fn name_after(&self) -> Dn {
        self.record.as_ref().and_then(ChangeRecord::new_name).unwrap_or_else(|| self.dn.clone())
    }

    /// `None`: nothing was changed that could be told.
    fn of(seq: u64, place: usize, change: &PastChange) -> Option<Self> {
        let one = |text: &str| ldif::parse(text).ok().and_then(|records| records.into_iter().next());
        let record = one(&change.ldif);
        let dn = record.as_ref().map(|record| record.dn().clone()).or_else(|| ldif::commented(&change.ldif))?;
        let inverse = change.inverse.as_deref().and_then(|text| ldif::parse(text).ok()).filter(|records| !records.is_empty());
        let (masked, marks) = (change.masked.clone(), change.marks.clone());
        Some(Self { seq, place, dn, record, inverse, is_secret: !masked.is_empty(), masked, marks })
    }
}

/// A line whose changes are to be taken back.
#[derive(Debug, Clone)]
pub struct Past {
    /// As it was written.
    pub write: PastWrite,
    /// Its changes, the newest first.
    pub steps: Vec<Step>,
}

impl Past {
    /// What is told of it where these of its changes are taken back.
    pub fn undoes(&self, changes: Vec<usize>) -> Undoes {
        Undoes { seq: self.write.seq, hash: self.write.hash.clone(), request: self.write.request.clone(), changes }
    }
}

/// Everything that is to be taken back.
#[derive(Debug, Default)]
pub struct Plan {
    /// The newest first.
    pub lines: Vec<Past>,
    /// Changes that were taken back by an earlier run.
    pub undone: usize,
    /// Who changed an entry last, beside what is to be taken back.
    last: HashMap<DnKey, (u64, String)>,
}

impl Plan {
    /// Reads the audit, and what was taken back by then.
    ///
    /// # Errors
    /// The audit is not whole: what is in it cannot be trusted.
    pub fn read(audit: &Path, undone: &Path, selection: &Selection) -> Result<Self, Broken> {
        let mut done: HashSet<(u64, String, usize)> = HashSet::new();
        if undone.exists() {
            read_past(undone, |write| {
                let told = write.undoes.into_iter();
                done.extend(told.flat_map(|Undoes { seq, hash, changes, .. }| {
                    changes.into_iter().map(move |place| (seq, hash.clone(), place))
                }));
            })?;
        }
        let mut plan = Self::default();
        read_past(audit, |write| {
            let made = write.changes.iter().enumerate().filter(|(_, change)| change.may_be_done());
            let steps: Vec<Step> = made.filter_map(|(place, change)| Step::of(write.seq, place, change)).collect();
            if selection.takes(&write) {
                let all = steps.len();
                let mut open: Vec<Step> =
                    steps.into_iter().filter(|step| !done.contains(&(step.seq, write.hash.clone(), step.place))).collect();
                plan.undone += all - open.len();
                open.reverse();
                if !open.is_empty() {
                    plan.lines.push(Past { write, steps: open });
                }
            } else if !plan.lines.is_empty() {
                let by = format!("{}, request {}, {}", write.client, write.request, write.time);
                plan.last.extend(steps.iter().map(|step| (step.name_after().key(), (write.seq, by.clone()))));
            }
        })?;
        plan.lines.reverse();
        Ok(plan)
    }

    /// Who is known to have changed an entry after this line.
    pub(super) fn changed_later(&self, dn: &Dn, seq: u64) -> Option<&str> {
        self.last.get(&dn.key()).filter(|(last, _)| *last > seq).map(|(_, by)| by.as_str())
    }
}
