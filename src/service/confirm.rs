//! What to answer when a write was sent and no answer came: the directory is asked whether it was done. It is never sent again.

use super::Service;
use crate::directory::{DirectoryError, Dn, Entry, Filter, Modification, ModifyOp, Rdn, Reads, SearchRequest};
use crate::mapping::ResourceMapping;

impl Service {
    /// Adds an entry.
    pub(super) async fn add(&self, side: &ResourceMapping, entry: &Entry, read_back: &[String]) -> Result<Entry, DirectoryError> {
        match self.directory.add(entry, Reads::after(read_back)).await {
            Err(DirectoryError::Unknown(reason)) => {
                let wanted: Vec<Modification> = entry
                    .attributes()
                    .filter(|(name, _)| !name.eq_ignore_ascii_case("objectClass"))
                    // What cannot be read is there if the rest is: an entry is added whole.
                    .filter(|(name, _)| Some(*name) != side.profile.password.attribute())
                    .map(|(name, values)| Modification::new(ModifyOp::Add, name, values.to_vec()))
                    .collect();
                self.confirm(&entry.dn, &wanted, read_back, None, reason).await
            }
            done => done.and_then(|written| written.after.ok_or_else(unread)),
        }
    }

    /// Changes an entry.
    ///
    /// A password among the changes cannot be read, so whether it was set stays unknown.
    pub(super) async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: &Filter,
        read_back: &[String],
    ) -> Result<Option<Entry>, DirectoryError> {
        match self.directory.modify(dn, changes, Some(assertion), Reads::after(read_back)).await {
            // Only what names the entry still holds after the change, so the whole assertion is not asked again.
            Err(DirectoryError::Unknown(reason)) => {
                let entry = self.confirm(dn, changes, read_back, None, reason).await?;
                Ok((!read_back.is_empty()).then_some(entry))
            }
            done => done.map(|written| written.after),
        }
    }

    /// Renames an entry.
    pub(super) async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: &Filter, id: &Filter) -> Result<(), DirectoryError> {
        match self.directory.rename(dn, rdn, Some(assertion), Reads::NOTHING).await {
            Err(DirectoryError::Unknown(reason)) => {
                self.confirm(&dn.renamed(rdn.clone()), &[], &[], Some(id), reason).await.map(|_| ())
            }
            done => done.map(|_| ()),
        }
    }

    /// Puts an entry below another one.
    pub(super) async fn relocate(&self, dn: &Dn, parent: &Dn, assertion: &Filter, id: &Filter) -> Result<(), DirectoryError> {
        match self.directory.relocate(dn, parent, Some(assertion), Reads::NOTHING).await {
            Err(DirectoryError::Unknown(reason)) => {
                let moved = dn.rdn().map_or_else(|| parent.clone(), |rdn| parent.child(rdn.clone()));
                self.confirm(&moved, &[], &[], Some(id), reason).await.map(|_| ())
            }
            done => done.map(|_| ()),
        }
    }

    /// Removes an entry.
    pub(super) async fn remove(&self, dn: &Dn, assertion: &Filter, id: &Filter) -> Result<(), DirectoryError> {
        match self.directory.delete(dn, Some(assertion), Reads::NOTHING).await {
            Err(DirectoryError::Unknown(reason)) => {
                let mut look = SearchRequest::entry(dn, vec!["1.1".to_owned()]);
                look.filter = id.clone();
                let gone = self.directory.search(&look).await?.entries.is_empty();
                if gone { Ok(()) } else { Err(DirectoryError::Unknown(reason)) }
            }
            done => done.map(|_| ()),
        }
    }

    /// The entry, if it is as the write would have left it; else the outcome stays unknown.
    async fn confirm(
        &self,
        dn: &Dn,
        wanted: &[Modification],
        read_back: &[String],
        identity: Option<&Filter>,
        reason: String,
    ) -> Result<Entry, DirectoryError> {
        let mut attributes = read_back.to_vec();
        attributes.extend(wanted.iter().map(|change| change.attribute.clone()));
        let mut look = SearchRequest::entry(dn, attributes);
        if let Some(identity) = identity {
            look.filter = identity.clone();
        }
        let found = self.directory.search(&look).await?.entries.into_iter().next();
        found.filter(|entry| wanted.iter().all(|change| holds(entry, change))).ok_or(DirectoryError::Unknown(reason))
    }
}

fn unread() -> DirectoryError {
    DirectoryError::Malformed("a new entry could not be read back; the account may lack the right to read it".to_owned())
}

/// Whether the entry is as the modification would leave it.
pub(super) fn holds(entry: &Entry, change: &Modification) -> bool {
    let stored = entry.values(&change.attribute);
    let has = |value: &Vec<u8>| stored.iter().any(|present| present.eq_ignore_ascii_case(value));
    match change.op {
        ModifyOp::Add => change.values.iter().all(has),
        ModifyOp::Delete if change.values.is_empty() => stored.is_empty(),
        ModifyOp::Delete => !change.values.iter().any(has),
        ModifyOp::Replace => change.values.len() == stored.len() && change.values.iter().all(has),
    }
}
