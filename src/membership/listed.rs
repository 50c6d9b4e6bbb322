//! What lists found. Of the many of a list hardly any is asked for by itself soon, so they are kept in pieces that take little room:
//! one that is asked for comes out of its piece and is remembered by itself from then on.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::freshness::{Reading, Row};
use super::packed::{One, PackedTogether, all_of, values_of};
use super::pieces::{Found, Pieces};
use super::{MembershipCache, Seen, weight};
use crate::directory::{DnKey, Entry};
use crate::mapping::{Groups, Name, ResourceMapping};
use crate::telemetry::Remembered;

/// So many entries are compressed together: of fewer more bytes remain, and of more, more are read for nothing where a page ends.
const TOGETHER: usize = 50;

/// What lists found.
#[derive(Debug)]
pub(super) struct Listed {
    entries: Pieces<PackedTogether>,
    /// The groups that entries are in, by the hash of their names.
    groups: Pieces<GroupsTogether>,
    hashers: [RandomState; 2],
}

/// The groups that some entries are in, of whom many are in the same ones.
#[derive(Debug)]
struct GroupsTogether {
    names: Box<[Name]>,
    /// For one entry after the other the numbers of those that name it, and then of those that it is in through others.
    numbers: Box<[u16]>,
    /// Where both end, for each entry.
    ends: Box<[(u32, u32)]>,
}

impl Listed {
    pub(super) fn new(entries: u64, groups: u64, ttl: Duration) -> Self {
        Self {
            entries: Pieces::new(entries, ttl),
            groups: Pieces::new(groups, ttl),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// Nobody outside can find two names of one hash.
    fn hash(&self, name: &DnKey) -> Uuid {
        let [one, other] = self.hashers.each_ref().map(|hasher| hasher.hash_one(name));
        Uuid::from_u64_pair(one, other)
    }

    pub(super) fn forget(&self, id: Uuid) {
        self.entries.forget(&id);
    }

    pub(super) fn clear(&self) {
        self.entries.clear();
        self.groups.clear();
    }
}

impl GroupsTogether {
    /// `None` where there are too many.
    fn new(all: &[&Groups]) -> Option<Self> {
        let (mut names, mut numbers, mut ends) = (Vec::new(), Vec::new(), Vec::with_capacity(all.len()));
        let mut known: HashMap<&str, u16> = HashMap::new();
        for groups in all {
            for name in groups.direct.iter().chain(&groups.indirect) {
                let number = *known.entry(&name.id).or_insert(u16::try_from(names.len()).ok()?);
                if usize::from(number) == names.len() {
                    names.push(name.clone());
                }
                numbers.push(number);
            }
            let end = u32::try_from(numbers.len()).ok()?;
            ends.push((end - u32::try_from(groups.indirect.len()).ok()?, end));
        }
        Some(Self { names: names.into(), numbers: numbers.into(), ends: ends.into() })
    }

    fn get(&self, at: usize) -> Option<Groups> {
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).map(|(_, end)| *end))?;
        let (direct, indirect) = *self.ends.get(at)?;
        let named = |from: u32, to: u32| -> Option<Vec<Name>> {
            let numbers = self.numbers.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)?;
            numbers.iter().map(|number| self.names.get(usize::from(*number)).cloned()).collect()
        };
        Some(Groups { direct: named(start, direct)?, indirect: named(direct, indirect)? })
    }

    /// How much memory it takes, in bytes.
    fn size(&self) -> usize {
        let names = usize::try_from(weight(0, self.names.iter())).unwrap_or(usize::MAX);
        names + size_of_val(&*self.numbers) + size_of_val(&*self.ends)
    }
}

impl MembershipCache {
    /// Notes entries that a list found, of which these attributes were asked for.
    pub fn note_listed(&self, mapping: &ResourceMapping, entries: &[Entry], asked: &Arc<[String]>, since: Reading) {
        // Nobody is to see by itself what is older than what a list shows.
        for entry in entries.iter().filter(|entry| mapping.id(entry).is_some_and(|id| self.homes.contains_key(&id))) {
            self.note_home(mapping, entry, since);
            self.note_entry(mapping, entry, asked, since);
        }
        if self.listed.entries.has_room() {
            let asked = if self.remembers(mapping) { asked.clone() } else { Arc::default() };
            entries.chunks(TOGETHER).for_each(|some| self.note_together(mapping, some, &asked, since));
        }
    }

    fn note_together(&self, mapping: &ResourceMapping, entries: &[Entry], asked: &Arc<[String]>, since: Reading) {
        let mark = |entry| Entry::text(entry, mapping.profile.change_mark);
        let news: Vec<(Uuid, Seen, &Entry)> = entries
            .iter()
            .filter_map(|entry| Some((mapping.id(entry)?, Seen::of(mapping, entry, entry.dn.to_string(), since), entry)))
            .filter(|(id, _, entry)| !self.is_overtaken(mapping, *id, mark(entry)) && !self.knows_later(*id, mark(entry)))
            .collect();
        let all = news.iter().filter_map(|(id, Seen { dn, row, owned, mark, .. }, entry)| {
            let (refers, values) = (mapping.refers(entry), values_of(entry, asked)?);
            Some((*id, One { dn, row: row.number(), owned: *owned, refers, mark: mark.as_deref(), values }))
        });
        let (ids, all): (Vec<Uuid>, Vec<One<'_>>) = all.unzip();
        if let Some(packed) = PackedTogether::new(asked, &all) {
            let size = packed.size();
            self.listed.entries.put(ids, packed, size, since);
        }
        // The feed may have told of a later version between the first look and now.
        for (id, _, _) in news.iter().filter(|(id, _, entry)| self.is_overtaken(mapping, *id, mark(entry))) {
            self.listed.forget(*id);
        }
    }

    /// Entries as the directory would give them now, each if that is certain without a look and these attributes are remembered.
    pub fn entries(&self, mapping: &ResourceMapping, ids: &[Uuid], attributes: &Arc<[String]>) -> Vec<Option<Entry>> {
        let mut entries = vec![None; ids.len()];
        if !self.remembers(mapping) {
            return entries;
        }
        let found = self.listed.entries.get_all(ids).into_iter().zip(&mut entries);
        let mut found: Vec<_> = found.filter_map(|(found, entry)| Some((found?, entry))).collect();
        // Each piece is opened once.
        found.sort_by_key(|((piece, _), _)| Arc::as_ptr(piece));
        for some in found.chunk_by_mut(|((one, _), _), ((other, _), _)| Arc::ptr_eq(one, other)) {
            let piece = some.first().map(|((piece, _), _)| piece.clone());
            let Some(piece) = piece.filter(|piece| piece.content.covers(attributes)) else { continue };
            let PackedTogether { asked, .. } = &piece.content;
            let open = piece.content.open();
            let all = all_of(&open);
            for ((_, at), entry) in some {
                **entry = all.get(*at).filter(|one| self.one_holds(one, piece.since)).and_then(|one| one.unpack(asked));
            }
        }
        for (id, entry) in ids.iter().zip(&mut entries).filter(|(_, entry)| entry.is_none()) {
            *entry = self.entry_by_itself(*id, attributes);
        }
        let found = entries.iter().flatten().count();
        self.metrics.looked_up_many(Remembered::Entries, found, ids.len() - found);
        entries
    }

    fn one_holds(&self, one: &One<'_>, since: Reading) -> bool {
        one.mark.is_some()
            && self.freshness.entry_holds(Row::numbered(one.row), since)
            && (!one.refers || self.freshness.resources_hold(since))
    }

    /// Where a resource was last seen, by itself or in a list.
    pub(super) fn seen(&self, id: Uuid) -> Option<Arc<Seen>> {
        self.homes.get(&id).or_else(|| self.seen_in_list(id))
    }

    /// Where a resource was last seen in a list, if it was: from then on it is remembered by itself.
    pub(super) fn seen_in_list(&self, id: Uuid) -> Option<Arc<Seen>> {
        let (piece, at) = self.listed.entries.get(&id)?;
        let open = piece.content.open();
        let one = all_of(&open).into_iter().nth(at).filter(|one| !self.knows_later(id, one.mark))?;
        let since = piece.since;
        let mark: Option<Box<str>> = one.mark.map(Into::into);
        let seen = Seen { dn: one.dn.into(), row: Row::numbered(one.row), owned: one.owned, mark, since };
        let seen = Arc::new(seen);
        self.homes.insert(id, seen.clone());
        if let Some(packed) = one.apart(&piece.content.asked, since) {
            self.entries.insert(id, Arc::new(packed));
        }
        // The feed may have told meanwhile that it is out of date, and a later version may have been listed.
        if self.listed.entries.get(&id).is_some_and(|(now, _)| Arc::ptr_eq(&now, &piece)) {
            return Some(seen);
        }
        self.homes.invalidate(&id);
        self.entries.invalidate(&id);
        None
    }

    /// Notes the groups that entries of a list are in.
    pub fn note_listed_groups(&self, all: &[(&DnKey, Arc<Groups>)], since: Reading) {
        let Listed { groups: pieces, .. } = &self.listed;
        let groups: Vec<&Groups> = all.iter().map(|(_, groups)| &**groups).collect();
        if pieces.has_room()
            && let Some(groups) = GroupsTogether::new(&groups)
        {
            let size = groups.size();
            pieces.put(all.iter().map(|(name, _)| self.listed.hash(name)).collect(), groups, size, since);
        }
    }

    /// The groups that the entry of this name was in when it was last in a list, if they are known from there.
    pub(super) fn groups_in_list(&self, name: &DnKey) -> Option<Arc<Groups>> {
        self.groups_in(&self.listed.groups.get(&self.listed.hash(name))?)
    }

    fn groups_in(&self, (piece, at): &Found<GroupsTogether>) -> Option<Arc<Groups>> {
        if self.freshness.groups_hold(piece.since) { piece.content.get(*at).map(Arc::new) } else { None }
    }

    /// The groups that the entry of each of these names is in, if they are known.
    pub fn groups_of(&self, names: &[DnKey]) -> Vec<Option<Arc<Groups>>> {
        let hashes: Vec<Uuid> = names.iter().map(|name| self.listed.hash(name)).collect();
        let listed = self.listed.groups.get_all(&hashes).into_iter();
        let known = listed
            .zip(names)
            .map(|(found, name)| found.and_then(|found| self.groups_in(&found)).or_else(|| self.groups_by_themselves(name)));
        let known: Vec<Option<Arc<Groups>>> = known.collect();
        let found = known.iter().flatten().count();
        self.metrics.looked_up_many(Remembered::Groups, found, names.len() - found);
        known
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::directory::{Dn, FeedEvent};
    use crate::mapping::tests::MAPPING;
    use crate::membership::noting::Write;
    use crate::membership::tests::{following, user};
    use crate::scim::{Kind, Projection};

    fn usual() -> Arc<[String]> {
        MAPPING.users.attributes(&Projection::Default)
    }

    fn told(entry: &Entry, id: Uuid, mark: &str) -> FeedEvent {
        FeedEvent::Changed { branch: 0, id, dn: entry.dn.clone(), mark: Some(mark.to_owned()) }
    }

    fn group(id: &str) -> Name {
        Name { kind: Kind::Group, id: id.into(), display: Some(format!("group {id}").into()) }
    }

    #[test]
    fn who_was_listed_is_known_without_a_look_until_a_write_of_ours_or_the_feed_says_otherwise() {
        let cache = following();
        let ids: Vec<Uuid> = (1..=120).map(Uuid::from_u128).collect();
        let users: Vec<Entry> = ids.iter().map(|id| user(*id, "1")).collect();
        cache.note_listed(&MAPPING.users, &users, &usual(), cache.reading());
        let known = || cache.entries(&MAPPING.users, &ids, &usual());
        assert!(known().iter().zip(&users).all(|(known, user)| known.as_ref() == Some(user)));
        let [written, changed, gone] = [&users[3], &users[60], &users[110]];
        cache.written(&Write { row: Row::of(&written.dn.key()), is_user: true, is_group: false });
        cache.hear(told(changed, ids[60], "2"));
        cache.hear(FeedEvent::Gone { branch: 0, id: ids[110] });
        for (at, (known, user)) in known().iter().zip(&users).enumerate() {
            let is_over = [written, changed, gone].contains(&user);
            let shares_a_row = Row::of(&user.dn.key()) == Row::of(&written.dn.key());
            assert_eq!(known.is_none(), is_over || shares_a_row, "{at}");
        }
        cache.hear(FeedEvent::Untold);
        assert!(known().iter().all(Option::is_none));
    }

    #[test]
    fn one_that_is_asked_for_by_itself_comes_out_of_the_list() {
        let cache = following();
        let id = Uuid::from_u128(7);
        let (entry, text) = (user(id, "1"), id.to_string());
        cache.note_listed(&MAPPING.users, std::slice::from_ref(&entry), &usual(), cache.reading());
        assert!(!cache.homes.contains_key(&id));
        assert_eq!(cache.home(&text).map(|home| home.dn), Some(entry.dn.clone()));
        assert_eq!(cache.version(&text).as_deref(), Some("W/\"1\""));
        cache.listed.clear();
        assert_eq!(cache.entry(&MAPPING.users, id, &usual()).as_ref(), Some(&entry), "it is remembered by itself now");
        cache.forget(&text);
        cache.note_listed(&MAPPING.users, std::slice::from_ref(&entry), &usual(), cache.reading());
        cache.note(&MAPPING.users, &entry, cache.reading());
        assert_eq!(cache.entry(&MAPPING.users, id, &usual()).as_ref(), Some(&entry), "where it is was known already");
        cache.forget(&text);
        assert!(cache.home(&text).is_none() && cache.entry(&MAPPING.users, id, &usual()).is_none());
    }

    #[test]
    fn a_list_that_was_read_late_does_not_bring_an_older_version_back() {
        let cache = following();
        let id = Uuid::from_u128(7);
        cache.note(&MAPPING.users, &user(id, "2"), cache.reading());
        cache.note_listed(&MAPPING.users, &[user(id, "1")], &usual(), cache.reading());
        assert_eq!(cache.version(&id.to_string()).as_deref(), Some("W/\"2\""));
        assert!(cache.entries(&MAPPING.users, &[id], &usual()).iter().all(Option::is_none));
        cache.note_listed(&MAPPING.users, &[user(id, "3")], &usual(), cache.reading());
        assert_eq!(cache.version(&id.to_string()).as_deref(), Some("W/\"3\""), "and what is remembered by itself is no older");
    }

    /// Tries the many ways in which the three may come between each other.
    #[test]
    fn an_older_version_that_is_listed_or_asked_for_while_a_later_one_is_told_is_not_believed() {
        let (cache, start) = (following(), Barrier::new(3));
        let ids = || (1..=3_000).map(Uuid::from_u128);
        let mut believed = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for id in ids() {
                    let event = told(&user(id, "2"), id, "2");
                    start.wait();
                    cache.hear(event);
                    start.wait();
                }
            });
            scope.spawn(|| {
                for id in ids() {
                    let text = id.to_string();
                    start.wait();
                    cache.home(&text);
                    cache.home(&text);
                    start.wait();
                }
            });
            for id in ids() {
                let (entry, since) = (user(id, "1"), cache.reading());
                start.wait();
                cache.note_listed(&MAPPING.users, &[entry], &usual(), since);
                start.wait();
                let version = cache.version(&id.to_string());
                believed += usize::from(version.is_some_and(|version| version != "W/\"2\""));
                believed += cache.entries(&MAPPING.users, &[id], &usual()).iter().flatten().count();
            }
        });
        assert_eq!(believed, 0);
    }

    #[test]
    fn groups_of_many_come_out_as_they_went_in_until_any_group_changes() {
        let cache = following();
        let in_two = Groups { direct: vec![group("a"), group("b")], indirect: vec![group("c")] };
        let all = [in_two.clone(), Groups::default(), Groups { direct: vec![group("c")], indirect: Vec::new() }];
        let keys: Vec<DnKey> =
            ["ann", "bob", "cid"].iter().map(|name| format!("uid={name}").parse::<Dn>().unwrap().key()).collect();
        let noted: Vec<(&DnKey, Arc<Groups>)> = keys.iter().zip(all.iter().cloned().map(Arc::new)).collect();
        cache.note_listed_groups(&noted, cache.reading());
        let known: Vec<Groups> = cache.groups_of(&keys).into_iter().map(|groups| (*groups.unwrap()).clone()).collect();
        assert_eq!(known, all);
        assert_eq!(cache.groups(&keys[0]).as_deref(), Some(&in_two));
        cache.written(&Write { row: Row::of(&keys[0]), is_user: false, is_group: true });
        assert!(cache.groups_of(&keys).iter().all(Option::is_none));
    }
}
