//! Taking back what the audit tells: the changes that undo each write, the newest first, and only where the entry is still as the
//! write left it.
//!
//! Whether it is, is told by the entry's version where the audit has it, and else by the values that the write set. An entry may have
//! been changed several times by what is taken back; then the version before the later change must be the one after the earlier.
//! What was taken back is told in an audit of its own, and what is as it was before a write counts as taken back: so a run that was
//! cut off goes on when it is repeated.

mod guard;
mod plan;

use std::collections::HashMap;

use self::guard::{is_as_before, still_there};
pub use self::plan::{Past, Plan, Selection, Step};
use crate::directory::profile::Profile;
use crate::directory::{
    Capabilities, ChangeRecord, Directory, DirectoryError, Dn, DnKey, Entry, Filter, Modification, ModifyOp, Rdn, Reads,
    SearchRequest, Written,
};

/// What became of taking one change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These changes were made.
    Undone(Vec<ChangeRecord>),
    /// It is as it was before already.
    Already,
    /// It cannot be taken back by anybody, and that is no mistake: a password, of which nothing is kept.
    Beyond(&'static str),
    /// It stays, for this reason.
    Refused(String),
}

/// What is known of an entry of which a later change was dealt with.
#[derive(Debug)]
enum Later {
    /// It was taken back; the version before it, if the audit has it.
    Undone(Option<String>),
    /// It was not, so that nothing before it can be.
    Stays,
}

/// Takes changes back, one after the other.
#[derive(Debug)]
pub struct Undoing<'a> {
    known: &'a Capabilities,
    profile: &'static Profile,
    later: HashMap<DnKey, Later>,
}

impl<'a> Undoing<'a> {
    /// In a directory that offers this.
    pub fn new(known: &'a Capabilities) -> Self {
        Self { known, profile: Profile::of(known), later: HashMap::new() }
    }

    /// Takes one change back; before a directory that keeps what is written to itself, nothing is done. It must be given after all later ones that are to be taken back.
    ///
    /// # Errors
    /// The directory cannot be asked, or it is not known whether it has made a change.
    pub async fn undo(&mut self, directory: &dyn Directory, step: &Step, plan: &Plan) -> Result<Outcome, DirectoryError> {
        let now = step.name_after();
        let outcome = self.try_to(directory, (step, &now), plan).await?;
        let later = match &outcome {
            Outcome::Undone(_) | Outcome::Already => Later::Undone(step.marks.was.clone()),
            // Its version is not known, which is so of what comes before it too.
            Outcome::Beyond(_) => match self.later.remove(&now.key()) {
                Some(Later::Stays) => Later::Stays,
                Some(Later::Undone(_)) | None => Later::Undone(None),
            },
            Outcome::Refused(_) => {
                self.later.insert(now.key(), Later::Stays);
                Later::Stays
            }
        };
        self.later.insert(step.dn.key(), later);
        Ok(outcome)
    }

    async fn try_to(&self, directory: &dyn Directory, (step, now): (&Step, &Dn), plan: &Plan) -> Result<Outcome, DirectoryError> {
        let later = self.later.get(&now.key());
        if matches!(later, Some(Later::Stays)) {
            return Ok(Outcome::Refused("a later change of this entry stays".to_owned()));
        }
        let (Some(record), Some(inverse)) = (&step.record, &step.inverse) else {
            return Ok(if step.is_secret {
                Outcome::Beyond("a password cannot be put back, for none is kept: set a new one")
            } else {
                Outcome::Refused("what was there before is not known".to_owned())
            });
        };
        let entry = self.read(directory, now).await?;
        let before = if record.new_name().is_some() { self.read(directory, &step.dn).await? } else { None };
        if is_as_before(record, inverse, (entry.as_ref(), before.as_ref()), self.known) {
            return Ok(Outcome::Already);
        }
        let since = plan.changed_later(now, step.seq);
        if let Err(why) = self.is_unchanged(step, record, (entry.as_ref(), since), later) {
            let by = since.map(|by| format!(" (by {by})")).unwrap_or_default();
            return Ok(Outcome::Refused(format!("changed since{by}: {why}")));
        }
        let mark = entry.as_ref().and_then(|entry| entry.text(self.profile.change_mark));
        let guard = mark.map(|mark| Filter::equal(self.profile.change_mark, mark));
        let mut made = Vec::new();
        for record in inverse.iter().flat_map(in_steps) {
            // What follows rests on what was made just now.
            let guard = guard.as_ref().filter(|_| made.is_empty());
            match write(directory, &record, guard).await {
                Ok(_) => made.push(record),
                Err(DirectoryError::Refused { code, diagnostic }) => {
                    let half = if made.is_empty() { "" } else { "; a part of it is taken back" };
                    return Ok(Outcome::Refused(format!("the directory refuses it: {code}: {diagnostic}{half}")));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::Undone(made))
    }

    /// Whether the entry is as the write left it; the error says how it is not.
    fn is_unchanged(
        &self,
        step: &Step,
        record: &ChangeRecord,
        (entry, since): (Option<&Entry>, Option<&str>),
        later: Option<&Later>,
    ) -> Result<(), String> {
        let values = || still_there(record, entry, self.known);
        // The version that the write is to have left, and the one that was found after it.
        let found = match later {
            Some(Later::Undone(was)) => was.as_deref(),
            Some(Later::Stays) => None,
            None => entry.and_then(|entry| entry.text(self.profile.change_mark)),
        };
        match (step.marks.is.as_deref(), found) {
            // Members come and go all the time: those that this write named are what counts.
            _ if only_references(record, self.known) => values(),
            (Some(left), Some(found)) if left == found => Ok(()),
            (Some(_), Some(_)) => {
                values()?;
                let who = entry.and_then(|entry| entry.text("modifiersName")).unwrap_or("somebody");
                let when = entry.and_then(|entry| entry.text(self.profile.modified)).unwrap_or("a later time");
                Err(format!("other attributes of it were; the last change is of {who}, {when}"))
            }
            // The audit itself may tell more than the values do.
            (Some(_) | None, _) => {
                values()?;
                if since.is_some() { Err("other attributes of it were".to_owned()) } else { Ok(()) }
            }
        }
    }

    async fn read(&self, directory: &dyn Directory, dn: &Dn) -> Result<Option<Entry>, DirectoryError> {
        let request = SearchRequest::entry(dn, self.profile.everything());
        Ok(directory.search(&request).await?.entries.into_iter().next())
    }
}

async fn write(directory: &dyn Directory, record: &ChangeRecord, guard: Option<&Filter>) -> Result<Written, DirectoryError> {
    let reads = Reads::NOTHING;
    match record {
        ChangeRecord::Add(entry) => directory.add(entry, reads).await,
        ChangeRecord::Modify { dn, changes } => directory.modify(dn, changes, guard, reads).await,
        ChangeRecord::Rename { dn, rdn, .. } => directory.rename(dn, rdn, guard, reads).await,
        ChangeRecord::Move { dn, parent } => directory.relocate(dn, parent, guard, reads).await,
        ChangeRecord::Delete(dn) => directory.delete(dn, guard, reads).await,
    }
}

/// The port renames without keeping the old name, which is then put back.
fn in_steps(record: &ChangeRecord) -> Vec<ChangeRecord> {
    let ChangeRecord::Rename { dn, rdn, keep_old: true } = record else { return vec![record.clone()] };
    let old = dn.rdn().map(Rdn::avas).unwrap_or_default();
    let kept = old.iter().filter_map(|ava| {
        let value = ava.text()?.as_bytes().to_vec();
        Some(Modification::new(ModifyOp::Add, ava.attribute.as_str(), vec![value]))
    });
    let changes = kept.collect();
    vec![
        ChangeRecord::Rename { dn: dn.clone(), rdn: rdn.clone(), keep_old: false },
        ChangeRecord::Modify { dn: dn.renamed(rdn.clone()), changes },
    ]
}

/// Whether a write only adds and takes away names of other entries, each by itself.
fn only_references(record: &ChangeRecord, known: &Capabilities) -> bool {
    let ChangeRecord::Modify { changes, .. } = record else { return false };
    changes.iter().all(|change| {
        change.op != ModifyOp::Replace
            && !change.values.is_empty()
            && known.schema.attribute(&change.attribute).is_some_and(crate::directory::AttributeType::is_dn)
    })
}
