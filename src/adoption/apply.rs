//! Carrying a plan out.

use std::collections::HashSet;
use std::io;

use futures_util::stream::{self, StreamExt as _};

use super::plan::{Match, Plan};
use super::undo::UndoFile;
use crate::directory::{Capabilities, ChangeRecord, Directory, DirectoryError, Dn, Modification, Reads, ResultCode, ldif};
use crate::mapping::{Mapping, ResourceMapping};
use crate::service::{Protected, ProtectedBy};

/// Adoptions whose undoing is written to the disk at once.
const BATCH: usize = 256;
/// Changes under way at once.
const SIDE_BY_SIDE: usize = 8;
/// Names that are asked for together.
const NAMES: usize = 100;

/// What was done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Adopted.
    pub adopted: usize,
    /// Somebody else was faster.
    pub overtaken: usize,
    /// Refused by the directory: who, and why.
    pub failed: Vec<(Dn, String)>,
}

impl Tally {
    /// How many were tried.
    pub fn tried(&self) -> usize {
        self.adopted + self.overtaken + self.failed.len()
    }
}

/// Why an adoption ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Nothing may be done that could not be undone.
    #[error("the undo file cannot be written: {0}")]
    Undo(#[from] io::Error),
    /// The directory went away.
    #[error("the directory cannot be reached: {0}")]
    Directory(String),
}

/// Takes those out of a plan that are in a protected group.
///
/// # Errors
/// The directory could not be asked.
pub async fn protect(
    directory: &dyn Directory,
    mapping: &Mapping,
    protected: &Protected,
    plan: &mut Plan,
) -> Result<(), DirectoryError> {
    let names: Vec<Dn> = plan.matched.iter().map(|one| one.entry.dn.clone()).collect();
    for some in names.chunks(NAMES) {
        if protected.group_of_any(directory, mapping, some).await?.is_none() {
            continue;
        }
        for dn in some {
            if let Some(group) = protected.group_of_any(directory, mapping, std::slice::from_ref(dn)).await? {
                plan.bar(dn, &ProtectedBy::Group(group).to_string());
            }
        }
    }
    Ok(())
}

/// One adoption, ready to be made.
struct Step {
    dn: Dn,
    changes: Vec<Modification>,
    guard: crate::directory::Filter,
    undo: String,
}

fn step(side: &ResourceMapping, capabilities: &Capabilities, one: &Match) -> Option<Step> {
    let changes = side.link(&one.entry, one.external_id.as_deref());
    let guard = side.not_yet(&one.entry, &changes)?;
    let dn = one.entry.dn.clone();
    let record = ChangeRecord::Modify { dn: dn.clone(), changes: changes.clone() };
    // Values that were added are taken away by name: nothing must be known from before.
    let inverse = record.inverse(None, capabilities)?;
    Some(Step { dn, changes, guard, undo: ldif::print(&inverse, |_| false) })
}

/// Adopts those that are matched. `tell` is called after each batch and after each adoption.
///
/// # Errors
/// It had to stop. What was done is done; another run goes on from there.
pub async fn apply(
    (directory, mapping, capabilities): (&dyn Directory, &Mapping, &Capabilities),
    matched: &[Match],
    undo: &mut UndoFile,
    tell: impl Fn(&Tally),
) -> Result<Tally, Stopped> {
    let side = &mapping.users;
    let mut tally = Tally::default();
    let mut refused: HashSet<String> = HashSet::new();
    for batch in matched.chunks(BATCH) {
        let steps: Vec<Step> = batch.iter().filter_map(|one| step(side, capabilities, one)).collect();
        undo.add(steps.iter().map(|step| step.undo.clone()))?;
        let write = |step: Step| async move {
            let done = directory.modify(&step.dn, &step.changes, Some(&step.guard), Reads::NOTHING).await;
            (step, done)
        };
        let mut running = stream::iter(steps.into_iter().map(write)).buffer_unordered(SIDE_BY_SIDE);
        let mut gone = None;
        while let Some((step, done)) = running.next().await {
            match done {
                Ok(_) => tally.adopted += 1,
                Err(error) if error.is(ResultCode::AssertionFailed) || error.is(ResultCode::NoSuchObject) => {
                    tally.overtaken += 1;
                    refused.insert(step.undo);
                }
                Err(DirectoryError::Refused { code, .. }) => {
                    refused.insert(step.undo);
                    tally.failed.push((step.dn, format!("the directory refuses it: {}", code.name())));
                }
                // Those under way are waited for, so that it is known of each what became of it.
                Err(DirectoryError::NotSent(reason)) => gone = Some(reason),
                Err(DirectoryError::Unknown(reason) | DirectoryError::Malformed(reason)) => {
                    tally
                        .failed
                        .push((step.dn, format!("whether it was adopted is not known ({reason}): run the command again")));
                }
            }
            tell(&tally);
        }
        drop(running);
        if let Some(reason) = gone {
            undo.withdraw(&refused)?;
            return Err(Stopped::Directory(reason));
        }
    }
    undo.withdraw(&refused)?;
    Ok(tally)
}
