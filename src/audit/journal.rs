//! What one request does to the directory, noted where it reaches it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::chain::{Change, Entry, Event, Marks, Undoes, Write};
use super::config::Mask;
use crate::directory::profile::Profile;
use crate::directory::{
    Branch, Capabilities, ChangeRecord, Directory, DirectoryError, Dn, Entry as DirectoryEntry, FeedEvent, Filter, Modification,
    Rdn, Reads, ResultCode, SearchRequest, SearchResult, Vendor, Written, ldif,
};

/// The changes of one request, in the order in which they ended.
#[derive(Debug, Default)]
pub struct Journal {
    changes: Mutex<Vec<Change>>,
}

impl Journal {
    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        // Nothing panics while it is held.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing was sent to the directory.
    pub fn is_empty(&self) -> bool {
        self.changes().is_empty()
    }

    /// The changes that were made, as LDIF; empty if there were none.
    pub fn ldif(&self) -> String {
        let changes = self.changes();
        let made = changes.iter().filter(|change| change.code == Some(ResultCode::Success.number()));
        made.map(|change| change.ldif.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The line of the request, with what was noted so far.
    pub fn entry(&self, request: Request<'_>, status: Option<u16>) -> Entry {
        let Request { request_id, client, address, method, resource_type, id, bulk, undoes } = request;
        Entry::now(Event::Write(Write {
            request: (**request_id).to_owned(),
            client: (**client).to_owned(),
            address: address.map(|address| address.to_string()),
            method,
            resource_type,
            id: id.map(str::to_owned),
            bulk,
            undoes,
            status,
            changes: std::mem::take(&mut self.changes()),
        }))
    }
}

/// Who wants what.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The request's id in logs.
    pub request_id: &'a Arc<str>,
    /// The client's configured name.
    pub client: &'a Arc<str>,
    /// Where it is.
    pub address: Option<IpAddr>,
    /// The method of HTTP, or of one operation of a bulk request.
    pub method: &'static str,
    /// `User` or `Group`.
    pub resource_type: &'static str,
    /// The resource's `id`, if there is one.
    pub id: Option<&'a str>,
    /// Which operation of a bulk request it is, from zero.
    pub bulk: Option<usize>,
    /// What it takes back.
    pub undoes: Option<Undoes>,
}

/// A directory as one request sees it: every write that passes is noted in the request's journal.
#[derive(Debug)]
pub struct Journalled {
    directory: Arc<dyn Directory>,
    journal: Arc<Journal>,
    mask: Mask,
    /// Whether it is kept how to undo a write, for which the entry may have to be read.
    reversible: bool,
}

impl Journalled {
    /// Stands before this directory; what the mask covers is left out, and how to undo a write is kept where that is wanted.
    pub fn new(directory: Arc<dyn Directory>, journal: Arc<Journal>, mask: Mask, reversible: bool) -> Self {
        Self { directory, journal, mask, reversible }
    }

    /// What must be read before the write. The change mark comes with it where that costs no look of its own.
    fn needed(&self, record: &ChangeRecord) -> Vec<String> {
        let Some(known) = self.directory.capabilities().filter(|_| self.reversible) else { return Vec::new() };
        let mut needed = record.needed_before(&known);
        // What is left out is not read either.
        needed.retain(|name| !self.mask.covers(name));
        needed.extend(mark(&known, Capabilities::PRE_READ).map(str::to_owned));
        needed
    }

    /// What is to be known after the write: what was asked for, and the change mark where the write itself brings it.
    fn wanted(&self, after: &[String]) -> Vec<String> {
        let known = self.directory.capabilities().filter(|_| self.reversible);
        let mark = known.and_then(|known| mark(&known, Capabilities::POST_READ));
        let mark = mark.filter(|mark| !after.iter().any(|name| name.eq_ignore_ascii_case(mark)));
        after.iter().cloned().chain(mark.map(str::to_owned)).collect()
    }

    /// What the write is to read. Where the directory does not read by a control what is after it, that is left to `finish`, so
    /// that the outcome of the write is known by itself.
    fn reads<'a>(&self, before: &'a [String], wanted: &'a [String]) -> Reads<'a> {
        if !self.reversible {
            return Reads::after(wanted);
        }
        let by_control = self.directory.capabilities().is_some_and(|known| known.has_control(Capabilities::POST_READ));
        Reads::after(if by_control { wanted } else { &[] }).and_before(before)
    }

    async fn finish(
        &self,
        record: &ChangeRecord,
        done: Result<Written, DirectoryError>,
        now: &Dn,
        after: &[String],
    ) -> Result<Written, DirectoryError> {
        self.note(record, done.as_ref());
        let written = done?;
        if !self.reversible {
            return Ok(written);
        }
        if after.is_empty() {
            return Ok(Written { after: None, ..written });
        }
        if written.after.is_some() {
            return Ok(written);
        }
        let found = self.directory.search(&SearchRequest::entry(now, after.to_vec())).await;
        let found = found.map_err(|error| DirectoryError::Unknown(format!("done, and not read afterwards: {error}")))?;
        Ok(Written { after: found.entries.into_iter().next(), ..written })
    }

    fn note(&self, record: &ChangeRecord, done: Result<&Written, &DirectoryError>) {
        let is_masked = |name: &str| self.mask.covers(name);
        let mut masked = Vec::new();
        masked_in([record], is_masked, &mut masked);
        let may_be_done = match done {
            Ok(_) | Err(DirectoryError::Unknown(_) | DirectoryError::Malformed(_)) => true,
            Err(DirectoryError::Refused { .. } | DirectoryError::NotSent(_)) => false,
        };
        let before = done.ok().and_then(|written| written.before.as_ref());
        let after = done.ok().and_then(|written| written.after.as_ref());
        let known = self.directory.capabilities().filter(|_| may_be_done && self.reversible);
        let mark = |entry: Option<&DirectoryEntry>, control: &str| {
            let mark = known.as_ref().and_then(|known| mark(known, control));
            mark.and_then(|mark| entry.and_then(|entry| entry.text(mark))).map(str::to_owned)
        };
        let marks = Marks { was: mark(before, Capabilities::PRE_READ), is: mark(after, Capabilities::POST_READ) };
        let inverse = known.as_ref().and_then(|known| record.inverse(before, known));
        let inverse = inverse.map(|records| {
            masked_in(&records, is_masked, &mut masked);
            ldif::print(&records, is_masked)
        });
        self.push((ldif::print([record], is_masked), inverse), marks, masked, done.map(|_| ()));
    }

    fn push(
        &self,
        (ldif, inverse): (String, Option<String>),
        marks: Marks,
        masked: Vec<String>,
        done: Result<(), &DirectoryError>,
    ) {
        let (result, code) = match done {
            Ok(()) => (ResultCode::Success.name(), Some(ResultCode::Success.number())),
            Err(DirectoryError::Refused { code, .. }) => (code.name(), Some(code.number())),
            Err(DirectoryError::NotSent(_)) => ("notSent", None),
            Err(DirectoryError::Unknown(_) | DirectoryError::Malformed(_)) => ("unknown", None),
        };
        self.journal.changes().push(Change { result, code, ldif, inverse, marks, masked });
    }
}

/// The attribute that holds the version of an entry, where a write can bring it by this control. Only OpenLDAP's tells what is needed:
/// 389 Directory Server gives an entry another one when its plug-ins note which groups it is in, and Active Directory has no such control.
fn mark(known: &Capabilities, control: &str) -> Option<&'static str> {
    let tells = match known.vendor {
        Vendor::OpenLdap => known.has_control(control),
        Vendor::Ds389 | Vendor::ActiveDirectory | Vendor::Unknown => false,
    };
    tells.then(|| Profile::of(known).change_mark)
}

/// Attributes in these changes whose values are left out.
fn masked_in<'a>(records: impl IntoIterator<Item = &'a ChangeRecord>, is_masked: impl Fn(&str) -> bool, into: &mut Vec<String>) {
    let mut note = |name: &str| {
        if is_masked(name) && !into.iter().any(|noted| noted.eq_ignore_ascii_case(name)) {
            into.push(name.to_owned());
        }
    };
    for record in records {
        match record {
            ChangeRecord::Add(entry) => entry.attributes().for_each(|(name, _)| note(name)),
            ChangeRecord::Modify { changes, .. } => changes.iter().for_each(|change| note(&change.attribute)),
            ChangeRecord::Rename { .. } | ChangeRecord::Move { .. } | ChangeRecord::Delete(_) => {}
        }
    }
}

#[async_trait]
impl Directory for Journalled {
    fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.directory.capabilities()
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        self.directory.search(request).await
    }

    async fn identifiers(&self, request: &SearchRequest, profile: &'static Profile) -> Result<Vec<Uuid>, DirectoryError> {
        self.directory.identifiers(request, profile).await
    }

    async fn add(&self, entry: &DirectoryEntry, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Add(entry.clone());
        let wanted = self.wanted(reads.after);
        let done = self.directory.add(entry, self.reads(&[], &wanted)).await;
        self.finish(&record, done, &entry.dn, reads.after).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Modify { dn: dn.clone(), changes: changes.to_vec() };
        let (before, wanted) = (self.needed(&record), self.wanted(reads.after));
        let done = self.directory.modify(dn, changes, assertion, self.reads(&before, &wanted)).await;
        self.finish(&record, done, dn, reads.after).await
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Rename { dn: dn.clone(), rdn: rdn.clone(), keep_old: false };
        let (before, wanted) = (self.needed(&record), self.wanted(reads.after));
        let done = self.directory.rename(dn, rdn, assertion, self.reads(&before, &wanted)).await;
        self.finish(&record, done, &dn.renamed(rdn.clone()), reads.after).await
    }

    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Move { dn: dn.clone(), parent: parent.clone() };
        let (before, wanted) = (self.needed(&record), self.wanted(reads.after));
        let done = self.directory.relocate(dn, parent, assertion, self.reads(&before, &wanted)).await;
        let moved = record.new_name().unwrap_or_else(|| dn.clone());
        self.finish(&record, done, &moved, reads.after).await
    }

    async fn set_password(&self, dn: &Dn, password: &str) -> Result<(), DirectoryError> {
        let done = self.directory.set_password(dn, password).await;
        let ldif = ldif::comment(dn, "the password is set by an operation of its own (RFC 3062); its value is left out");
        self.push((ldif, None), Marks::default(), vec!["userPassword".to_owned()], done.as_ref().copied());
        done
    }

    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, _reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Delete(dn.clone());
        let before = self.needed(&record);
        let done = self.directory.delete(dn, assertion, self.reads(&before, &[])).await;
        self.finish(&record, done, dn, &[]).await
    }

    async fn check_password(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        self.directory.check_password(dn, password).await
    }

    async fn rehearse(&self, record: &ChangeRecord, assertion: Option<&Filter>) -> Result<bool, DirectoryError> {
        self.directory.rehearse(record, assertion).await
    }

    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        self.directory.follow(branches, tell).await;
    }
}
