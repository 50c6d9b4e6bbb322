//! Which entry is which resource, and who is in which group: remembered, and never believed beyond what is known to hold.
//!
//! Three things put an end to what is remembered: our own writes (`noting`), what the directory's change feed tells (`feed`), and
//! time. With a feed, what others change is forgotten as soon as it is told; without one, what is remembered is believed for
//! `cache.blind_ttl` only. Where an entry is, is a hint at all times: every write says by an assertion which entry it means, and a
//! read that does not find it there looks for it. What an entry holds is remembered where its change mark tells of every change, and
//! serves for as long as that mark certainly is the present one.

mod config;
mod feed;
mod flight;
mod freshness;
mod listed;
mod noting;
mod order;
mod packed;
mod pieces;
mod roles;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;
use uuid::Uuid;

pub use config::CacheConfig;
pub use freshness::Reading;
pub use noting::Noting;
pub use order::Order;
pub use roles::RoleGroups;

use self::flight::Flights;
use self::freshness::{Freshness, Row};
use self::listed::Listed;
use self::order::Orders;
use self::packed::Packed;
use crate::directory::profile::Marks;
use crate::directory::{Directory, DirectoryError, Dn, DnKey, Entry, Filter, SearchRequest};
use crate::mapping::{Groups, Mapping, Name, Names, ResourceMapping, Targets};
use crate::scim::Kind;
use crate::telemetry::{CacheMetrics, FeedState, Metrics, Remembered};

/// How many names one search asks for: a filter of that many parts is quick to test and far from any server's limit.
const BATCH: usize = 50;
/// What each thing that may be remembered may take.
const BYTES_EACH: u64 = 200;
/// What keeping anything takes beside it.
const OVERHEAD: usize = 160;
/// How long it is remembered which version of an entry the feed told last: an answer that was under way meanwhile has arrived.
const UNDER_WAY: Duration = Duration::from_mins(1);

/// Where a resource's entry is. A hint: every write says by an assertion which entry it means.
#[derive(Debug, Clone)]
pub struct Home {
    /// The entry's name when it was last seen.
    pub dn: Dn,
    /// Whether it bore the marks of a managed entry.
    pub owned: bool,
}

impl Home {
    /// Where an entry that was just read is.
    pub fn of(mapping: &ResourceMapping, entry: &Entry) -> Self {
        Self { dn: entry.dn.clone(), owned: mapping.adoption(entry).is_empty() }
    }
}

/// An entry as it was last seen. The name is kept as text, for there may be hundreds of thousands.
#[derive(Debug, Clone)]
struct Seen {
    dn: Box<str>,
    row: Row,
    owned: bool,
    /// Its change mark, if that tells its versions apart.
    mark: Option<Box<str>>,
    since: Reading,
}

impl Seen {
    /// An entry that was read since, and its name as text.
    fn of(mapping: &ResourceMapping, entry: &Entry, dn: String, since: Reading) -> Self {
        let mark = entry.text(mapping.profile.change_mark).filter(|_| mapping.has_exact_marks());
        let (row, owned) = (Row::of(&entry.dn.key()), mapping.adoption(entry).is_empty());
        Self { dn: dn.into(), row, owned, mark: mark.map(Into::into), since }
    }
}

/// What is behind the name of an entry, and since when that is known.
#[derive(Debug, Clone)]
enum Called {
    Resource {
        name: Name,
        id: Uuid,
        row: Row,
        since: Reading,
    },
    /// Nothing that is visible through SCIM.
    Nobody {
        since: Reading,
    },
}

impl Called {
    fn name(&self) -> Option<&Name> {
        match self {
            Self::Resource { name, .. } => Some(name),
            Self::Nobody { .. } => None,
        }
    }
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Among which resources.
    pub kind: Kind,
    /// Those that match this.
    pub filter: String,
}

/// The members of a group in one of its versions.
#[derive(Debug)]
pub struct Members {
    /// The entity tag of that version.
    pub version: String,
    /// The resources they are; those that are none left out.
    pub names: Arc<[Name]>,
    since: Reading,
}

/// Everything remembered.
#[derive(Debug)]
pub struct MembershipCache {
    /// What the entry of this name is called.
    names: Cache<DnKey, Called>,
    /// Where the resource of this id is.
    homes: Cache<Uuid, Arc<Seen>>,
    /// The groups that the entry of this name is in.
    groups: Cache<DnKey, (Reading, Arc<Groups>)>,
    /// The same, being read.
    reading_groups: Flights<DnKey, Arc<Groups>>,
    /// The members of the group of this id.
    members: Cache<Uuid, Arc<Members>>,
    /// What the entry of this id held in one of its versions.
    entries: Cache<Uuid, Arc<Packed>>,
    /// What a search for a few found.
    found: Cache<Question, (Reading, Arc<[Uuid]>)>,
    /// What lists found.
    listed: Listed,
    /// Whether whole entries are remembered, if that is said.
    remembers: Option<bool>,
    /// The change mark by which the feed last told of an entry.
    told: Cache<Uuid, Option<Box<str>>>,
    orders: Orders,
    freshness: Freshness,
    state: watch::Sender<FeedState>,
    metrics: CacheMetrics,
}

impl MembershipCache {
    /// An empty one.
    pub fn new(config: CacheConfig, metrics: &Metrics) -> Self {
        let CacheConfig { capacity, ttl, blind_ttl, feed, entries: remembers } = config;
        // By what each takes of 10,000 users who are remembered in every way, and of 100,000 that are listed.
        let share = |percent: u64| capacity.saturating_mul(BYTES_EACH) / 100 * percent;
        Self {
            names: Cache::builder()
                .max_capacity(share(8))
                .weigher(|key: &DnKey, called: &Called| weight(key.as_str().len() + 64, called.name().into_iter()))
                .time_to_live(ttl)
                .build(),
            homes: Cache::builder()
                .max_capacity(share(8))
                .weigher(|_, seen: &Arc<Seen>| {
                    weight(seen.dn.len() + seen.mark.as_ref().map_or(0, |mark| mark.len()) + 128, std::iter::empty())
                })
                .time_to_live(ttl)
                .build(),
            groups: Cache::builder()
                .max_capacity(share(9))
                .weigher(|key: &DnKey, (_, groups): &(Reading, Arc<Groups>)| {
                    weight(key.as_str().len() + 128, groups.direct.iter().chain(&groups.indirect))
                })
                .time_to_live(ttl)
                .build(),
            reading_groups: Flights::new(),
            members: Cache::builder()
                .max_capacity(share(6))
                .weigher(|_, members: &Arc<Members>| weight(128, members.names.iter()))
                .time_to_live(ttl)
                .build(),
            entries: Cache::builder()
                .max_capacity(share(16))
                .weigher(|_, packed: &Arc<Packed>| weight(packed.size() + 64, std::iter::empty()))
                .time_to_live(ttl)
                .build(),
            found: Cache::builder()
                .max_capacity(share(7))
                .weigher(|question: &Question, (_, ids): &(Reading, Arc<[Uuid]>)| {
                    weight(question.filter.len() + ids.len() * size_of::<Uuid>() + 128, std::iter::empty())
                })
                .time_to_live(ttl)
                .build(),
            listed: Listed::new(share(31), share(15), ttl),
            remembers,
            // The latest must always be let in.
            told: Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).time_to_live(UNDER_WAY).build(),
            orders: Orders::new(ttl),
            freshness: Freshness::new(blind_ttl),
            state: watch::Sender::new(if feed { FeedState::Lost } else { FeedState::Off }),
            metrics: metrics.cache(),
        }
    }

    /// To be taken before the directory is asked for something that is to be remembered.
    pub fn reading(&self) -> Reading {
        self.freshness.reading()
    }

    /// Whether the directory tells what others change.
    pub fn is_following(&self) -> bool {
        self.freshness.is_following()
    }

    /// How the change feed is.
    pub fn feed_state(&self) -> FeedState {
        *self.state.borrow()
    }

    /// Notes an entry that was read.
    pub fn note(&self, mapping: &ResourceMapping, entry: &Entry, since: Reading) {
        if let Some(id) = self.note_home(mapping, entry, since)
            && let Some(name) = mapping.name(entry)
        {
            self.note_name(mapping, entry, (entry.dn.key(), name, id), since);
        }
    }

    /// Notes by what an entry that was read is called.
    fn note_name(&self, mapping: &ResourceMapping, entry: &Entry, (key, name, id): (DnKey, Name, Uuid), since: Reading) {
        let row = Row::of(&entry.dn.key());
        self.names.insert(key.clone(), Called::Resource { name, id, row, since });
        if self.is_overtaken(mapping, id, entry.text(mapping.profile.change_mark)) {
            self.names.invalidate(&key);
        }
    }

    /// Notes where an entry is, and in which version. Says whether that is news.
    fn note_home(&self, mapping: &ResourceMapping, entry: &Entry, since: Reading) -> Option<Uuid> {
        let id = mapping.id(entry)?;
        let mark = entry.text(mapping.profile.change_mark);
        if self.is_overtaken(mapping, id, mark) {
            return None;
        }
        let dn = entry.dn.to_string();
        if let (Some(seen), Some(mark)) = (self.homes.get(&id), mark)
            && let Some(known) = &seen.mark
        {
            match order(known, mark) {
                Ordering::Greater => return None,
                // Where an entry above it was renamed, it has another name in the same version.
                Ordering::Equal if *seen.dn == *dn && self.freshness.entry_holds(seen.row, seen.since) => return None,
                Ordering::Equal | Ordering::Less => {}
            }
        }
        self.homes.insert(id, Arc::new(Seen::of(mapping, entry, dn, since)));
        // The feed may have told of a later version between the first look and now.
        let is_news = !self.is_overtaken(mapping, id, mark);
        if !is_news {
            self.homes.invalidate(&id);
        }
        is_news.then_some(id)
    }

    /// Whether the feed has told of a later version than this one.
    fn is_overtaken(&self, mapping: &ResourceMapping, id: Uuid, mark: Option<&str>) -> bool {
        match (self.told.get(&id), mark) {
            (None, _) => false,
            (Some(Some(told)), Some(mark)) => match order(&told, mark) {
                Ordering::Less => false,
                Ordering::Equal => !mapping.has_exact_marks(),
                Ordering::Greater => true,
            },
            (Some(None), _) | (Some(Some(_)), None) => true,
        }
    }

    /// Whether a later version than this one was read.
    fn knows_later(&self, id: Uuid, mark: Option<&str>) -> bool {
        let seen = self.homes.get(&id);
        let known = seen.as_ref().and_then(|seen| seen.mark.as_deref());
        known.zip(mark).is_some_and(|(known, mark)| order(known, mark) == Ordering::Greater)
    }

    /// Where a resource was last seen.
    pub fn home(&self, id: &str) -> Option<Home> {
        let seen = self.seen(ResourceMapping::parse_id(id)?)?;
        Some(Home { dn: seen.dn.parse().ok()?, owned: seen.owned })
    }

    /// The version of a resource, where it is certain without a look.
    pub fn version(&self, id: &str) -> Option<String> {
        let seen = self.seen(ResourceMapping::parse_id(id)?)?;
        let mark = self.certain_mark(&seen);
        self.metrics.looked_up(Remembered::Versions, mark.is_some());
        mark.map(ResourceMapping::version_of)
    }

    /// The change mark that an entry certainly has now.
    fn certain_mark<'a>(&self, seen: &'a Seen) -> Option<&'a str> {
        seen.mark.as_deref().filter(|_| self.freshness.entry_holds(seen.row, seen.since))
    }

    /// The name of an entry, if it has it as far as the directory has told, which tells each change at once.
    pub fn certain_name(&self, mapping: &ResourceMapping, id: &str) -> Option<Dn> {
        self.remembers(mapping).then(|| self.told_name(mapping, id)).flatten()
    }

    /// The name of an entry, if it has it as far as the directory has told.
    fn told_name(&self, mapping: &ResourceMapping, id: &str) -> Option<Dn> {
        let seen = self.seen(ResourceMapping::parse_id(id)?)?;
        self.certain_mark(&seen)?;
        seen.dn.parse().ok().filter(|dn: &Dn| dn.is_under(&mapping.base))
    }

    /// Whether entries of this resource type are remembered: every change of what they hold must change their mark, or nothing would
    /// tell of it.
    pub fn remembers(&self, mapping: &ResourceMapping) -> bool {
        mapping.is_told_by_marks() && self.remembers.unwrap_or(mapping.profile.marks == Marks::Everything)
    }

    /// An entry as the directory would give it now, if that is certain without a look and these attributes are remembered.
    pub fn entry(&self, mapping: &ResourceMapping, id: Uuid, attributes: &Arc<[String]>) -> Option<Entry> {
        if !self.remembers(mapping) {
            return None;
        }
        let found = self.entry_by_itself(id, attributes);
        let found = found.or_else(|| self.seen_in_list(id).and_then(|_| self.entry_by_itself(id, attributes)));
        self.metrics.looked_up(Remembered::Entries, found.is_some());
        found
    }

    fn entry_by_itself(&self, id: Uuid, attributes: &Arc<[String]>) -> Option<Entry> {
        let (seen, packed) = (self.homes.get(&id)?, self.entries.get(&id)?);
        let serves = packed.serves(self.certain_mark(&seen)?, attributes)
            && packed.refers_since.is_none_or(|since| self.freshness.resources_hold(since));
        if serves { packed.unpack(seen.dn.parse().ok()?) } else { None }
    }

    /// Notes what an entry holds, which was noted before and of which these attributes were asked for.
    pub fn note_entry(&self, mapping: &ResourceMapping, entry: &Entry, asked: &Arc<[String]>, since: Reading) {
        let marked = mapping.id(entry).zip(entry.text(mapping.profile.change_mark)).filter(|_| self.remembers(mapping));
        let Some((id, mark)) = marked else { return };
        let refers_since = mapping.refers(entry).then_some(since);
        let is_present = self.homes.get(&id).is_some_and(|seen| self.certain_mark(&seen) == Some(mark));
        let is_known = || refers_since.is_none() && self.entries.get(&id).is_some_and(|known| known.serves(mark, asked));
        if is_present
            && !is_known()
            && let Some(packed) = Packed::new(entry, asked, mark, refers_since)
        {
            self.entries.insert(id, Arc::new(packed));
        }
    }

    /// The few resources that a search found, if no user or group was changed since.
    pub fn found(&self, question: &Question) -> Option<Arc<[Uuid]>> {
        let found = self.found.get(question).filter(|(since, _)| self.is_following() && self.freshness.resources_hold(*since));
        self.metrics.looked_up(Remembered::Found, found.is_some());
        found.map(|(_, ids)| ids)
    }

    /// Notes the few resources that a search found. That there are none is never remembered: it is what a client asks before it
    /// creates one.
    pub fn note_found(&self, question: Question, ids: Arc<[Uuid]>, since: Reading) {
        if !ids.is_empty() {
            self.found.insert(question, (since, ids));
        }
    }

    /// Forgets a resource that was removed, renamed or not found where it was believed to be.
    pub fn forget(&self, id: &str) {
        if let Some(id) = ResourceMapping::parse_id(id) {
            self.forget_id(id);
        }
    }

    /// A name whose entry is no longer known to be where it was is none that the feed would put an end to.
    fn holds(&self, called: &Called) -> bool {
        match called {
            Called::Resource { id, row, since, .. } => {
                self.freshness.name_holds(*row, *since) && self.homes.get(id).is_some_and(|seen| seen.row == *row)
            }
            Called::Nobody { since } => self.freshness.resources_hold(*since),
        }
    }

    fn forget_id(&self, id: Uuid) {
        if let Some(seen) = self.homes.remove(&id)
            && let Ok(dn) = seen.dn.parse::<Dn>()
        {
            self.names.invalidate(&dn.key());
        }
        self.members.invalidate(&id);
        self.entries.invalidate(&id);
        self.listed.forget(id);
    }

    /// The groups that the entry of this name is in, if they are known.
    pub fn groups(&self, dn: &DnKey) -> Option<Arc<Groups>> {
        let found = self.groups_by_themselves(dn).or_else(|| self.groups_in_list(dn));
        self.metrics.looked_up(Remembered::Groups, found.is_some());
        found
    }

    fn groups_by_themselves(&self, dn: &DnKey) -> Option<Arc<Groups>> {
        self.groups.get(dn).filter(|(since, _)| self.freshness.groups_hold(*since)).map(|(_, groups)| groups)
    }

    /// The groups that the entry of this name is in, as `read` says, which is asked once for all who wait for it.
    pub async fn read_groups<E>(&self, dn: &DnKey, read: impl Future<Output = Result<Groups, E>>) -> Result<Arc<Groups>, E> {
        let when = (|| self.reading(), |since| self.freshness.groups_hold(since));
        let read = async { read.await.map(Arc::new) };
        let keep = |groups: &Arc<Groups>, since| self.note_groups(dn.clone(), groups.clone(), since);
        self.reading_groups.join(dn, when, read, keep).await
    }

    fn note_groups(&self, dn: DnKey, groups: Arc<Groups>, since: Reading) {
        self.groups.insert(dn, (since, groups));
    }

    /// The members a group had when it was last read, if no user or group was changed since. They count if the group is in that
    /// version still. (A directory may change the name of a member in a group without the group's version telling.)
    pub fn members(&self, id: &str) -> Option<Arc<Members>> {
        let found = self.members.get(&ResourceMapping::parse_id(id)?).filter(|members| self.members_hold(members));
        self.metrics.looked_up(Remembered::Members, found.is_some());
        found
    }

    /// Whether that is so now.
    pub fn members_hold(&self, members: &Members) -> bool {
        self.freshness.resources_hold(members.since)
    }

    /// Notes the members of a group in one version, read since.
    pub fn note_members(&self, id: Uuid, version: String, names: Arc<[Name]>, since: Reading) {
        self.members.insert(id, Arc::new(Members { version, names, since }));
    }

    /// What these entries are as resources; those that are none, or not visible, are left out.
    pub async fn names(&self, directory: &dyn Directory, mapping: &Mapping, entries: &[Dn]) -> Result<Names, DirectoryError> {
        let since = self.reading();
        let mut known = Names::with_capacity(entries.len());
        let mut unknown: Vec<(DnKey, &Dn)> = Vec::new();
        let mut remembered = 0;
        for dn in entries {
            let key = dn.key();
            match self.names.get(&key).filter(|called| self.holds(called)) {
                Some(called) => {
                    remembered += 1;
                    if let Called::Resource { name, .. } = called {
                        known.insert(key, name);
                    }
                }
                None => unknown.push((key, dn)),
            }
        }
        self.metrics.looked_up_many(Remembered::Names, remembered, unknown.len());
        for side in [&mapping.users, &mapping.groups] {
            unknown.retain(|(key, _)| !known.contains_key(key));
            let here: Vec<Filter> =
                unknown.iter().filter(|(_, dn)| dn.is_under(&side.base)).map(|(_, dn)| side.by_name(dn)).collect();
            for entry in self.find(directory, side, here).await? {
                let Some((name, id)) = side.name(&entry).zip(side.id(&entry)) else { continue };
                self.note_home(side, &entry, since);
                for key in side.called(&entry.dn) {
                    self.note_name(side, &entry, (key.clone(), name.clone(), id), since);
                    known.insert(key, name.clone());
                }
            }
        }
        for (key, _) in unknown.into_iter().filter(|(key, _)| !known.contains_key(key)) {
            self.names.insert(key, Called::Nobody { since });
        }
        Ok(known)
    }

    /// Which entries these resources are, asked of the directory: a member must not be added under a name it no longer has.
    /// Ids of no visible resource of these kinds are left out.
    pub async fn targets<'a>(
        &self,
        directory: &dyn Directory,
        mapping: &Mapping,
        kinds: &[Kind],
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Targets, DirectoryError> {
        let since = self.reading();
        let mut wanted: Vec<&str> = ids.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Targets::new();
        if let [id] = wanted.as_slice()
            && let Some(dn) = self.still_there(directory, mapping, kinds, id).await?
        {
            found.insert((*id).to_owned(), dn);
            return Ok(found);
        }
        for side in kinds.iter().map(|kind| mapping.of(*kind)) {
            let filters = wanted.iter().filter(|id| !found.contains_key(**id)).filter_map(|id| side.by_id(id)).collect();
            for entry in self.find(directory, side, filters).await? {
                if let Some(name) = side.name(&entry) {
                    self.note(side, &entry, since);
                    found.insert(name.id.to_string(), entry.dn);
                }
            }
        }
        // A client may write an id in another case than the directory.
        for id in wanted {
            if let (None, Some(dn)) = (found.get(id), found.get(&id.to_ascii_lowercase()).cloned()) {
                found.insert(id.to_owned(), dn);
            }
        }
        Ok(found)
    }

    /// The name of one resource, looked at where it is as far as the directory has told, which costs the directory least. `None` if
    /// it is to be looked for.
    async fn still_there(
        &self,
        directory: &dyn Directory,
        mapping: &Mapping,
        kinds: &[Kind],
        id: &str,
    ) -> Result<Option<Dn>, DirectoryError> {
        let mut sides = kinds.iter().map(|kind| mapping.of(*kind));
        let told = sides.find_map(|side| Some((side, self.told_name(side, id)?, side.by_id(id)?)));
        let Some((side, dn, filter)) = told else { return Ok(None) };
        let mut look = SearchRequest::entry(&dn, vec!["1.1".to_owned()]);
        look.filter = Filter::all([side.visible(), filter]);
        Ok(directory.search(&look).await?.entries.into_iter().next().map(|entry| entry.dn))
    }

    async fn find(
        &self,
        directory: &dyn Directory,
        side: &ResourceMapping,
        filters: Vec<Filter>,
    ) -> Result<Vec<Entry>, DirectoryError> {
        let batch = |part: &[Filter]| {
            let filter = Filter::all([side.visible(), Filter::Or(part.to_vec())]);
            SearchRequest::below(&side.base, filter, side.naming_attributes())
        };
        let requests: Vec<SearchRequest> = filters.chunks(BATCH).map(batch).collect();
        let found = try_join_all(requests.iter().map(|request| directory.search(request))).await?;
        Ok(found.into_iter().flat_map(|result| result.entries).collect())
    }
}

/// What is remembered with some names takes, in bytes. The texts they share are counted once more for each.
fn weight<'a>(beside: usize, names: impl Iterator<Item = &'a Name>) -> u32 {
    let names: usize = names.map(|name| name.id.len() + name.display.as_ref().map_or(0, |display| display.len()) + 96).sum();
    u32::try_from(OVERHEAD + beside + names).unwrap_or(u32::MAX)
}

/// Which of two change marks of one entry is the later one: a number, or a text that begins with the time.
fn order(one: &str, other: &str) -> Ordering {
    let number = |mark: &str| !mark.is_empty() && mark.bytes().all(|byte| byte.is_ascii_digit());
    let by_length = if number(one) && number(other) { one.len().cmp(&other.len()) } else { Ordering::Equal };
    by_length.then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::FeedEvent;

    /// The entry of a user.
    pub(super) fn user(id: Uuid, mark: &str) -> Entry {
        let mut entry = Entry::new(format!("uid=u{},ou=people,dc=example,dc=com", id.as_u128()).parse().unwrap());
        entry.push_text("entryUUID", &id.to_string());
        entry.push_text("entryCSN", mark);
        entry.push_text("uid", "ann");
        entry
    }

    /// A cache that follows the feed.
    pub(super) fn following() -> MembershipCache {
        let ttl = Duration::from_mins(5);
        let config = CacheConfig { capacity: 1000, ttl, blind_ttl: ttl, feed: true, entries: None };
        let cache = MembershipCache::new(config, &Metrics::default());
        cache.hear(FeedEvent::Following { seamless: true });
        cache
    }

    #[test]
    fn the_later_of_two_change_marks_is_known() {
        let csn = |time: &str| format!("{time}Z#000000#000#000000");
        assert_eq!(order(&csn("20261125192010.100000"), &csn("20261125192010.099999")), Ordering::Greater);
        assert_eq!(order("9", "10"), Ordering::Less);
        assert_eq!(order("10", "10"), Ordering::Equal);
    }
}
