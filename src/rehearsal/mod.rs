//! Writes that are not made: a port before the port, that passes reads on, keeps what would have been written in memory, and shows
//! whoever reads through it the directory as it would be then.
//!
//! Nothing in here calls an operation of the directory that writes. Each write is tried by the directory itself where it has a
//! control for that and nothing before it has changed the entry; what is left is looked at by the schema and by the entry as it is.
//!
//! It is there for one request, or for as long as the process lives (shadow mode): then what would have been written is kept apart
//! from it, by `Kept`, and the directory is asked to try nothing.
//!
//! What the directory itself would do beyond the write, it does not do here: referential integrity, and whatever else a plug-in adds.
//! `memberOf` follows the groups in shadow mode alone, for there others read what one request wrote.

mod below;
mod overlay;
mod sieve;
mod stamp;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use self::below::Below;
use self::overlay::{Overlaid, Overlay};
use self::sieve::Sieve;
use self::stamp::Stamp;
use crate::directory::profile::{MEMBER_OF, Profile};
use crate::directory::{
    Branch, Capabilities, ChangeRecord, Directory, DirectoryError, Dn, Entry, FeedEvent, Filter, Modification, Rdn, Reads,
    ResultCode, Scope, SearchRequest, SearchResult, Subschema, Vendor, Written,
};

const MEMBER: &str = "member";
/// What names a group's members by their entries.
const MEMBERS: [&str; 2] = [MEMBER, "uniqueMember"];

/// What was asked of the directory.
#[derive(Debug, Clone)]
pub enum Step {
    /// A search, with how many entries it found.
    Search {
        /// As it was asked.
        request: SearchRequest,
        /// How many were found, or why it failed.
        found: Result<usize, DirectoryError>,
    },
    /// A write that was not made.
    Write {
        /// What would have been written.
        record: ChangeRecord,
        /// By what it was judged.
        means: Means,
        /// Why it would be refused.
        refusal: Option<DirectoryError>,
    },
    /// A password that was not set.
    Password {
        /// Whose.
        dn: Dn,
        /// Why it would be refused.
        refusal: Option<DirectoryError>,
    },
}

/// By what a write was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The directory itself tried it without making it, rights and all.
    Control,
    /// The schema and the entries as they are; rights are not known.
    Schema,
}

/// A write, and what it would come to.
struct Tried {
    before: Option<Arc<Entry>>,
    means: Means,
    /// The entry that it leaves; `None` where it leaves none.
    after: Result<Option<Entry>, DirectoryError>,
}

/// Who hears of each step.
pub type Tell = Box<dyn Fn(Step) + Send + Sync>;

/// What would have been written, which outlives the rehearsal that it was kept by.
#[derive(Debug, Default)]
pub struct Kept {
    overlay: Overlay,
    stamp: Stamp,
    /// One write at a time, so that each rests on what is.
    turn: tokio::sync::Mutex<()>,
}

impl Kept {
    /// What it takes in memory, in bytes, about.
    pub fn bytes(&self) -> usize {
        self.overlay.bytes()
    }

    /// How many entries are not as the directory has them; one under another name counts twice.
    pub fn entries(&self) -> usize {
        self.overlay.len()
    }
}

/// A directory to which nothing is written.
pub struct Rehearsal {
    directory: Below,
    kept: Arc<Kept>,
    /// Whether `memberOf` follows the groups.
    links: bool,
    tell: Tell,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Rehearsal {
    /// Before a directory, which is asked to try each write if `tries` says so.
    pub fn new(directory: Arc<dyn Directory>, tries: bool, tell: Tell) -> Self {
        Self { directory: Below::new(directory, tries), kept: Arc::default(), links: false, tell }
    }

    /// Before a directory which is read and asked for nothing else, for as long as what is kept is.
    pub fn shadow(directory: Arc<dyn Directory>, kept: Arc<Kept>) -> Self {
        Self { directory: Below::new(directory, false), kept, links: true, tell: Box::new(|_| {}) }
    }

    fn known(&self) -> Result<Arc<Capabilities>, DirectoryError> {
        self.directory.capabilities().ok_or_else(|| DirectoryError::NotSent("it has not been reached yet".to_owned()))
    }

    /// An entry with all that it has, as it would be by now.
    async fn current(&self, dn: &Dn, profile: &Profile) -> Result<Option<Arc<Entry>>, DirectoryError> {
        match self.kept.overlay.get(dn) {
            Overlaid::Not => {}
            Overlaid::Gone => return Ok(None),
            Overlaid::Entry(entry) => return Ok(Some(entry)),
        }
        let request = SearchRequest::entry(dn, profile.everything());
        Ok(self.directory.search(&request).await?.entries.into_iter().next().map(Arc::new))
    }

    /// What a write would come to. The error is none of its own: it cannot be said.
    async fn try_out(&self, record: &ChangeRecord, assertion: Option<&Filter>) -> Result<Tried, DirectoryError> {
        let known = self.known()?;
        let (profile, schema) = (Profile::of(&known), &known.schema);
        let before = self.current(record.dn(), profile).await?;
        let after = || self.after(record, before.as_deref(), (profile, schema), known.vendor);
        // What is only here, the directory cannot be asked about.
        if !self.kept.overlay.touches(record) {
            match self.directory.rehearse(record, assertion).await {
                Ok(true) => {
                    let after = after();
                    // What the directory would do, and is not understood here, is no refusal of its own.
                    let means = if after.is_ok() { Means::Control } else { Means::Schema };
                    return Ok(Tried { before, means, after });
                }
                Ok(false) => {}
                Err(error @ DirectoryError::Refused { .. }) => {
                    return Ok(Tried { before, means: Means::Control, after: Err(error) });
                }
                Err(error) => return Err(error),
            }
        }
        let checked = self.check(record, assertion, before.as_deref(), (profile, schema)).await?;
        let after = checked.and_then(|()| after()).and_then(|after| {
            // What Active Directory adds by itself is not known here.
            let complete = known.vendor != Vendor::ActiveDirectory;
            if let Some(entry) = after.as_ref().filter(|_| complete) {
                // Nobody writes this one; the directory gives an entry the class that it needs.
                let mut own = Entry::clone(entry);
                own.set(MEMBER_OF, Vec::new());
                schema.check(&own)?;
            }
            Ok(after)
        });
        Ok(Tried { before, means: Means::Schema, after })
    }

    /// What speaks against a write before it is made: the entry is not there or not as asserted, the name is taken, the place is none.
    async fn check(
        &self,
        record: &ChangeRecord,
        assertion: Option<&Filter>,
        before: Option<&Entry>,
        (profile, schema): (&Profile, &Subschema),
    ) -> Result<Result<(), DirectoryError>, DirectoryError> {
        let refused = |code, what: &str| Ok(Err(DirectoryError::Refused { code, diagnostic: what.to_owned() }));
        if let ChangeRecord::Add(_) = record {
            if before.is_some() {
                return refused(ResultCode::EntryAlreadyExists, "the name is taken");
            }
        } else {
            let Some(entry) = before else { return refused(ResultCode::NoSuchObject, "there is no such entry") };
            if assertion.is_some_and(|filter| filter.matches(entry, schema) != Some(true)) {
                return refused(ResultCode::AssertionFailed, "the entry is not as it was");
            }
        }
        let place = match record {
            ChangeRecord::Add(entry) => entry.dn.parent(),
            ChangeRecord::Move { parent, .. } => Some(parent.clone()),
            ChangeRecord::Modify { .. } | ChangeRecord::Rename { .. } | ChangeRecord::Delete(_) => None,
        };
        if let Some(place) = place
            && self.current(&place, profile).await?.is_none()
        {
            return refused(ResultCode::NoSuchObject, "there is no entry for it to be below");
        }
        if let Some(name) = record.new_name()
            && name.key() != record.dn().key()
            && self.current(&name, profile).await?.is_some()
        {
            return refused(ResultCode::EntryAlreadyExists, "the name is taken");
        }
        Ok(Ok(()))
    }

    /// The entry after a write; `None` after its deletion.
    fn after(
        &self,
        record: &ChangeRecord,
        before: Option<&Entry>,
        (profile, schema): (&Profile, &Subschema),
        vendor: Vendor,
    ) -> Result<Option<Entry>, DirectoryError> {
        let missing =
            || DirectoryError::Refused { code: ResultCode::NoSuchObject, diagnostic: "there is no such entry".to_owned() };
        let mut entry = match record {
            ChangeRecord::Add(entry) => self.kept.stamp.born(entry, profile, vendor),
            ChangeRecord::Modify { changes, .. } => before.ok_or_else(missing)?.altered(changes, schema)?,
            ChangeRecord::Rename { rdn, keep_old, .. } => before.ok_or_else(missing)?.renamed(rdn, *keep_old, schema),
            ChangeRecord::Move { parent, .. } => {
                let mut moved = before.ok_or_else(missing)?.clone();
                moved.dn = moved.dn.rdn().map_or_else(|| parent.clone(), |rdn| parent.child(rdn.clone()));
                moved
            }
            ChangeRecord::Delete(_) => {
                before.ok_or_else(missing)?;
                return Ok(None);
            }
        };
        // It cannot be read, so it is not kept either.
        if let Some(attribute) = profile.password.attribute() {
            entry.set(attribute, Vec::new());
        }
        self.kept.stamp.changed(&mut entry, profile, vendor);
        Ok(Some(entry))
    }

    async fn write(&self, record: ChangeRecord, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let _turn = self.kept.turn.lock().await;
        let Tried { before, means, after } = self.try_out(&record, assertion).await?;
        let after = match after {
            Ok(after) => after,
            Err(error) => {
                (self.tell)(Step::Write { record, means, refusal: Some(error.clone()) });
                return Err(error);
            }
        };
        let after = after.map(Arc::new);
        let known = self.known()?;
        let profile = Profile::of(&known);
        let (was, is) = (before.as_deref(), after.as_deref());
        let follows = self.links && known.schema.attribute(MEMBER_OF).is_some();
        let members = if follows { self.members_after(was, is, profile).await? } else { Vec::new() };
        let id = was.or(is).and_then(|entry| profile.identifier(entry));
        self.kept.overlay.put(record.dn(), id, after.clone());
        for member in members {
            self.kept.overlay.put(&member.dn.clone(), profile.identifier(&member), Some(Arc::new(member)));
        }
        if profile.linked_members {
            self.follow_links(record.dn(), after.as_deref()).await?;
        }
        (self.tell)(Step::Write { record, means, refusal: None });
        let selected =
            |entry: Option<&Entry>, names: &[String]| entry.filter(|_| !names.is_empty()).map(|entry| select(entry, names));
        Ok(Written { before: selected(before.as_deref(), reads.before), after: selected(after.as_deref(), reads.after) })
    }

    /// Where members follow their entries, those of the groups do so too.
    async fn follow_links(&self, old: &Dn, now: Option<&Entry>) -> Result<(), DirectoryError> {
        if now.is_some_and(|entry| entry.dn.key() == old.key()) {
            return Ok(());
        }
        let known = self.known()?;
        let profile = Profile::of(&known);
        let Some(root) = known.naming_contexts.iter().filter_map(|name| name.parse::<Dn>().ok()).find(|root| old.is_under(root))
        else {
            return Ok(());
        };
        let naming = Filter::equal(MEMBER, old.to_string());
        let groups = self.search(&SearchRequest::below(&root, naming, vec!["1.1".to_owned()])).await?.entries;
        for group in groups {
            let Some(group) = self.current(&group.dn, profile).await? else { continue };
            let mut group = Entry::clone(&group);
            let values = group.values(MEMBER).iter().filter_map(|value| {
                let is_it = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<Dn>().ok())
                    .is_some_and(|dn| dn.key() == old.key());
                if is_it { now.map(|entry| entry.dn.to_string().into_bytes()) } else { Some(value.clone()) }
            });
            let values = values.collect();
            group.set(MEMBER, values);
            self.kept.overlay.put(&group.dn.clone(), profile.identifier(&group), Some(Arc::new(group)));
        }
        Ok(())
    }

    /// Where entries tell the groups that they are in: those whom a write to a group gives others, as they are then. Groups in groups
    /// count where they are named alone.
    async fn members_after(
        &self,
        before: Option<&Entry>,
        after: Option<&Entry>,
        profile: &Profile,
    ) -> Result<Vec<Entry>, DirectoryError> {
        let key = |group: Option<&Entry>| group.map(|group| group.dn.key());
        let (old, new) = (key(before), key(after));
        let named = |group: Option<&Entry>| -> HashSet<Vec<u8>> {
            group.into_iter().flat_map(|group| MEMBERS.map(|name| group.values(name)).concat()).collect()
        };
        let (were, are) = (named(before), named(after));
        // All of them where the group has another name.
        let is_same = old == new;
        let changed = were.union(&are).filter(|value| !is_same || were.contains(*value) != are.contains(*value));
        let mut members = Vec::new();
        for value in changed {
            let Some(dn) = parsed(value).filter(|dn| !old.iter().chain(&new).any(|group| *group == dn.key())) else { continue };
            let Some(entry) = self.current(&dn, profile).await? else { continue };
            let others = entry.values(MEMBER_OF).iter().filter(|group| parsed(group).map(|group| group.key()) != old);
            let mut groups: Vec<Vec<u8>> = others.cloned().collect();
            if let Some(group) = after.filter(|_| are.contains(value)) {
                groups.push(group.dn.to_string().into_bytes());
            }
            let mut entry = Entry::clone(&entry);
            entry.set(MEMBER_OF, groups);
            members.push(entry);
        }
        Ok(members)
    }

    async fn look(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        if self.kept.overlay.is_empty() {
            return self.directory.search(request).await;
        }
        let known = self.known()?;
        let matches = |entry: &Entry| request.filter.matches(entry, &known.schema) == Some(true);
        let shown = |entry: &Entry| narrow(select(entry, &request.attributes), &request.only_values, &known.schema);
        if request.scope == Scope::Base {
            let entries = match self.kept.overlay.get(&request.base) {
                Overlaid::Not => return self.directory.search(request).await,
                Overlaid::Gone => Vec::new(),
                Overlaid::Entry(entry) => Some(entry).filter(|entry| matches(entry)).iter().map(|entry| shown(entry)).collect(),
            };
            return Ok(SearchResult { entries, truncated: false });
        }
        let (below, hidden) = self.kept.overlay.below(&request.base);
        let most = |limit: u32| limit.saturating_add(u32::try_from(hidden.len()).unwrap_or(u32::MAX));
        let size_limit = if request.size_limit == 0 { 0 } else { most(request.size_limit) };
        let mut found = self.directory.search(&SearchRequest { size_limit, ..request.clone() }).await?;
        found.entries.retain(|entry| !hidden.contains(&entry.dn.key()));
        let sieve = Sieve::of(&request.filter, &known.schema);
        let candidates = below.iter().filter(|entry| sieve.lets_through(entry, &known.schema));
        found.entries.extend(candidates.filter(|entry| matches(entry)).map(|entry| shown(entry)));
        let limit = usize::try_from(request.size_limit).unwrap_or(usize::MAX);
        if limit > 0 && found.entries.len() > limit {
            found.entries.truncate(limit);
            found.truncated = true;
        }
        Ok(found)
    }
}

fn parsed(name: &[u8]) -> Option<Dn> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The attributes that were asked for (RFC 4511 section 4.5.1.8).
fn select(entry: &Entry, names: &[String]) -> Entry {
    let everything = names.is_empty() || names.iter().any(|name| name == "*" || name == "+");
    let mut selected = Entry::new(entry.dn.clone());
    for (name, values) in entry.attributes() {
        let asked = |wanted: &String| {
            name.eq_ignore_ascii_case(wanted) || name.split(';').next().is_some_and(|base| base.eq_ignore_ascii_case(wanted))
        };
        if everything || names.iter().any(asked) {
            selected.push(name, values.iter().cloned());
        }
    }
    selected
}

/// The values that one of the items matches (RFC 3876 section 3).
fn narrow(entry: Entry, items: &[Filter], schema: &Subschema) -> Entry {
    if items.is_empty() {
        return entry;
    }
    let mut narrowed = Entry::new(entry.dn.clone());
    for (name, values) in entry.attributes() {
        let kept = values.iter().filter(|value| {
            let mut alone = Entry::new(entry.dn.clone());
            alone.push(name, [(*value).clone()]);
            items.iter().any(|item| item.matches(&alone, schema) == Some(true))
        });
        let kept: Vec<Vec<u8>> = kept.cloned().collect();
        if !kept.is_empty() {
            narrowed.push(name, kept);
        }
    }
    narrowed
}

#[async_trait]
impl Directory for Rehearsal {
    fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.directory.capabilities()
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        let found = self.look(request).await;
        let count = found.as_ref().map(|found| found.entries.len()).map_err(Clone::clone);
        (self.tell)(Step::Search { request: request.clone(), found: count });
        found
    }

    async fn add(&self, entry: &Entry, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        self.write(ChangeRecord::Add(entry.clone()), None, Reads::after(reads.after)).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        self.write(ChangeRecord::Modify { dn: dn.clone(), changes: changes.to_vec() }, assertion, reads).await
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        self.write(ChangeRecord::Rename { dn: dn.clone(), rdn: rdn.clone(), keep_old: false }, assertion, reads).await
    }

    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let record = ChangeRecord::Move { dn: dn.clone(), parent: parent.clone() };
        self.write(record, assertion, reads).await
    }

    async fn set_password(&self, dn: &Dn, _password: &str) -> Result<(), DirectoryError> {
        let _turn = self.kept.turn.lock().await;
        let known = self.known()?;
        let profile = Profile::of(&known);
        let Some(entry) = self.current(dn, profile).await? else {
            let error =
                DirectoryError::Refused { code: ResultCode::NoSuchObject, diagnostic: "there is no such entry".to_owned() };
            (self.tell)(Step::Password { dn: dn.clone(), refusal: Some(error.clone()) });
            return Err(error);
        };
        let mut entry = Entry::clone(&entry);
        self.kept.stamp.changed(&mut entry, profile, known.vendor);
        self.kept.overlay.put(dn, profile.identifier(&entry), Some(Arc::new(entry)));
        (self.tell)(Step::Password { dn: dn.clone(), refusal: None });
        Ok(())
    }

    /// A wrong attempt counts in the directory, so none is made: it is not the password that the entry has.
    async fn check_password(&self, _dn: &Dn, _password: &str) -> Result<bool, DirectoryError> {
        Ok(false)
    }

    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let reads = Reads { after: &[], ..reads };
        self.write(ChangeRecord::Delete(dn.clone()), assertion, reads).await
    }

    /// What others do to an entry that is otherwise here is not told.
    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        let tell = |event: FeedEvent| match event {
            FeedEvent::Changed { id, .. } | FeedEvent::Gone { id, .. } if self.kept.overlay.hides(id) => {}
            FeedEvent::Changed { .. }
            | FeedEvent::Gone { .. }
            | FeedEvent::Following { .. }
            | FeedEvent::Lost(_)
            | FeedEvent::Unavailable
            | FeedEvent::Untold => tell(event),
        };
        self.directory.follow(branches, &tell).await;
    }
}
