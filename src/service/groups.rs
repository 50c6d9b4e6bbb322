//! The groups a user is in: those that name it, and with nested groups those that name these, and so on.

use std::collections::HashSet;

use futures_util::future::{try_join, try_join_all};

use super::{Service, error};
use crate::directory::{Dn, DnKey, Entry, Filter, SearchRequest};
use crate::mapping::{Groups, Mapping, Name};
use crate::scim::ScimError;

/// Groups that are asked for in one search.
const BATCH: usize = 100;
/// Groups within groups within groups: no organisation has more levels.
const LEVELS: usize = 32;

impl Service {
    /// The groups an entry is a member of.
    pub(super) async fn groups_of(&self, mapping: &Mapping, dn: &Dn) -> Result<Groups, ScimError> {
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
