//! The groups a user is in: those that name it, and with nested groups those that name these, and so on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::list::by_ids;
use super::{Service, error};
use crate::directory::profile::MEMBER_OF;
use crate::directory::{Capabilities, Dn, DnKey, Entry, Filter, SearchRequest};
use crate::mapping::{Groups, Mapping, Name, ResourceMapping};
use crate::scim::{Kind, ScimError};

/// Groups that are asked for in one search.
const BATCH: usize = 100;
/// Users whose groups are asked for in one search. The directory compares every member of every group it finds with each of them.
const TOGETHER: usize = 25;
/// Users of one page whose groups are asked for one by one, side by side.
const SIDE_BY_SIDE: usize = 16;
/// Groups within groups within groups: no organisation has more levels.
const LEVELS: usize = 32;

impl Service {
    /// The groups an entry is a member of, as remembered or as the directory says.
    pub(super) async fn groups_of(&self, mapping: &Mapping, dn: &Dn, key: DnKey) -> Result<Arc<Groups>, ScimError> {
        if let Some(groups) = self.cache.groups(&key) {
            return Ok(groups);
        }
        self.cache.read_groups(&key, Box::pin(self.read_groups_of(mapping, dn))).await
    }

    /// The groups of each of many entries.
    pub(super) async fn groups_of_all(&self, mapping: &Mapping, entries: Vec<&Entry>) -> Result<Vec<Arc<Groups>>, ScimError> {
        let keys: Vec<DnKey> = entries.iter().map(|entry| entry.dn.key()).collect();
        let known = self.cache.groups_of(&keys);
        let unknown = keys.iter().zip(&entries).zip(&known).filter(|(_, known)| known.is_none());
        // What was learnt need not be remembered: there may be no room.
        let learnt = self.learn_groups(mapping, unknown.map(|((key, entry), _)| (key, *entry)).collect()).await?;
        let known = known.into_iter().zip(&keys).map(|(known, key)| known.or_else(|| learnt.get(key).cloned()));
        let known: Vec<Option<Arc<Groups>>> = known.collect();
        drop(learnt);
        let each = entries.iter().zip(keys).zip(known).map(|((entry, key), known)| async move {
            match known {
                Some(groups) => Ok(groups),
                None => self.groups_of(mapping, &entry.dn, key).await,
            }
        });
        let each: Vec<_> = each.collect();
        stream::iter(each).buffered(SIDE_BY_SIDE).try_collect().await
    }

    /// The groups of many entries by few searches, where the directory can tell which member it found a group for, or keeps in each
    /// entry which groups name it.
    async fn learn_groups<'a>(
        &self,
        mapping: &Mapping,
        unknown: Vec<(&'a DnKey, &'a Entry)>,
    ) -> Result<HashMap<&'a DnKey, Arc<Groups>>, ScimError> {
        let groups = &mapping.groups;
        let direct = !mapping.groups_nested && groups.members_are_names() && mapping.groups_sync;
        let Some(member) = groups.member_attribute().filter(|_| direct) else { return Ok(HashMap::new()) };
        let apart = self.directory.capabilities().is_some_and(|known| known.has_control(Capabilities::MATCHED_VALUES));
        let since = self.cache.reading();
        let parts = unknown.chunks(TOGETHER);
        let learnt = if apart {
            try_join_all(parts.map(|some| self.groups_by_members(groups, member, some))).await?
        } else if mapping.users.member_of_is_direct() {
            try_join_all(parts.map(|some| self.groups_by_member_of(mapping, some))).await?
        } else {
            return Ok(HashMap::new());
        };
        let all = |direct| Arc::new(Groups { direct, indirect: Vec::new() });
        let learnt: Vec<(&DnKey, Arc<Groups>)> = learnt.into_iter().flatten().map(|(key, direct)| (key, all(direct))).collect();
        self.cache.note_listed_groups(&learnt, since);
        Ok(learnt.into_iter().collect())
    }

    async fn groups_by_members<'a>(
        &self,
        groups: &ResourceMapping,
        member: &str,
        some: &[(&'a DnKey, &'a Entry)],
    ) -> Result<HashMap<&'a DnKey, Vec<Name>>, ScimError> {
        let naming: Vec<Filter> = some.iter().map(|(_, entry)| Filter::equal(member, entry.dn.to_string())).collect();
        let mut attributes = groups.naming_attributes();
        let shown = attributes.iter().map(|attribute| Filter::Present(attribute.clone()));
        let only_values = naming.iter().cloned().chain(shown).collect();
        attributes.push(member.to_owned());
        let filter = Filter::all([groups.visible(), Filter::Or(naming)]);
        let request = SearchRequest { only_values, ..SearchRequest::below(&groups.base, filter, attributes) };
        let found = self.directory.search(&request).await.map_err(|e| error::refused(groups, e))?.entries;
        let mut of: HashMap<&DnKey, Vec<Name>> = some.iter().map(|(key, _)| (*key, Vec::new())).collect();
        for group in &found {
            let Some(name) = groups.name(group) else { continue };
            for key in group.texts(member).filter_map(|text| groups.member_name(text)).map(|dn| dn.key()) {
                // A group may have one member in two spellings.
                if let Some(known) = of.get_mut(&key).filter(|known| known.last() != Some(&name)) {
                    known.push(name.clone());
                }
            }
        }
        Ok(of)
    }

    async fn groups_by_member_of<'a>(
        &self,
        mapping: &Mapping,
        some: &[(&'a DnKey, &'a Entry)],
    ) -> Result<HashMap<&'a DnKey, Vec<Name>>, ScimError> {
        let users = &mapping.users;
        let ids: Vec<Uuid> = some.iter().filter_map(|(_, entry)| users.id(entry)).collect();
        let request = SearchRequest::below(&users.base, by_ids(users, &ids), vec![MEMBER_OF.to_owned()]);
        let found = self.directory.search(&request).await.map_err(|e| error::refused(users, e))?.entries;
        let in_groups = |entry: &Entry| -> Vec<Dn> { entry.texts(MEMBER_OF).filter_map(|text| text.parse().ok()).collect() };
        let in_groups: HashMap<DnKey, Vec<Dn>> = found.iter().map(|entry| (entry.dn.key(), in_groups(entry))).collect();
        let names = self.names(mapping, &in_groups.values().flatten().cloned().collect::<Vec<Dn>>()).await?;
        let visible = |groups: &[Dn]| -> Vec<Name> {
            let names = groups.iter().filter_map(|group| names.get(&group.key()));
            names.filter(|name| name.kind == Kind::Group).cloned().collect()
        };
        // Who is not where it was read is asked for by itself.
        Ok(some.iter().filter_map(|(key, _)| Some((*key, visible(in_groups.get(key)?)))).collect())
    }

    async fn read_groups_of(&self, mapping: &Mapping, dn: &Dn) -> Result<Groups, ScimError> {
        let groups = &mapping.groups;
        let asked = groups.member_attribute().filter(|_| mapping.groups_sync).zip(groups.member_value(dn));
        let Some((member, value)) = asked else {
            return Ok(Groups::default());
        };
        let naming = Filter::equal(member, value);
        if !mapping.groups_nested || !groups.members_are_names() {
            let direct = self.groups_by(mapping, naming).await?;
            return Ok(Groups { direct: names(mapping, &direct), indirect: Vec::new() });
        }
        if mapping.profile.chain {
            let chain = Filter::InChain(member.to_owned(), dn.to_string().into_bytes());
            let (direct, all) = try_join(self.groups_by(mapping, naming), self.groups_by(mapping, chain)).await?;
            let near: HashSet<DnKey> = direct.iter().map(|group| group.dn.key()).collect();
            let far: Vec<Entry> = all.into_iter().filter(|group| !near.contains(&group.dn.key())).collect();
            return Ok(Groups { direct: names(mapping, &direct), indirect: names(mapping, &far) });
        }
        let direct = self.groups_by(mapping, naming).await?;
        let mut seen: HashSet<DnKey> = direct.iter().map(|group| group.dn.key()).collect();
        let mut level: Vec<Dn> = direct.iter().map(|group| group.dn.clone()).collect();
        let mut indirect = Vec::new();
        // A group that contains itself, by whatever way, is met once.
        for _ in 0..LEVELS {
            if level.is_empty() {
                break;
            }
            let naming =
                |groups: &[Dn]| Filter::Or(groups.iter().map(|group| Filter::equal(member, group.to_string())).collect());
            let found = try_join_all(level.chunks(BATCH).map(|groups| self.groups_by(mapping, naming(groups)))).await?;
            let new: Vec<Entry> = found.into_iter().flatten().filter(|group| seen.insert(group.dn.key())).collect();
            level = new.iter().map(|group| group.dn.clone()).collect();
            indirect.extend(names(mapping, &new));
        }
        Ok(Groups { direct: names(mapping, &direct), indirect })
    }

    async fn groups_by(&self, mapping: &Mapping, filter: Filter) -> Result<Vec<Entry>, ScimError> {
        let groups = &mapping.groups;
        let filter = Filter::all([groups.visible(), filter]);
        let request = SearchRequest::below(&groups.base, filter, groups.naming_attributes());
        Ok(self.directory.search(&request).await.map_err(|e| error::refused(groups, e))?.entries)
    }
}

fn names(mapping: &Mapping, entries: &[Entry]) -> Vec<Name> {
    entries.iter().filter_map(|entry| mapping.groups.name(entry)).collect()
}
