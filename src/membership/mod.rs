//! Which entry is which resource: remembered where being wrong for a moment does no harm, asked anew where it would.

mod config;

use std::sync::Arc;

use futures_util::future::try_join_all;
use moka::sync::Cache;

pub use config::CacheConfig;

use crate::directory::{Directory, DirectoryError, Dn, DnKey, Entry, Filter, SearchRequest};
use crate::mapping::{Mapping, Name, Names, ResourceMapping, Targets};
use crate::scim::Kind;

/// How many names one search asks for: a filter of that many parts is quick to test and far from any server's limit.
const BATCH: usize = 200;

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

/// The remembered names.
#[derive(Debug)]
pub struct MembershipCache {
    names: Cache<DnKey, Name>,
    homes: Cache<(Kind, String), Arc<Home>>,
}

impl MembershipCache {
    /// An empty one.
    pub fn new(config: CacheConfig) -> Self {
        let cache = || Cache::builder().max_capacity(config.capacity).time_to_live(config.ttl);
        Self { names: cache().build(), homes: Cache::builder().max_capacity(config.capacity).time_to_live(config.ttl).build() }
    }

    /// Notes an entry that was just read.
    pub fn note(&self, mapping: &ResourceMapping, entry: &Entry) {
        if let Some(name) = mapping.name(entry) {
            self.homes.insert((name.kind, name.id.to_string()), Arc::new(Home::of(mapping, entry)));
            self.names.insert(entry.dn.key(), name);
        }
    }

    /// Where a resource was last seen.
    pub fn home(&self, kind: Kind, id: &str) -> Option<Arc<Home>> {
        self.homes.get(&(kind, id.to_owned()))
    }

    /// Forgets a resource that was removed, renamed or not found where it was believed to be.
    pub fn forget(&self, kind: Kind, id: &str) {
        if let Some(home) = self.homes.remove(&(kind, id.to_owned())) {
            self.names.invalidate(&home.dn.key());
        }
    }

    /// What these entries are as resources; those that are none, or not visible, are left out.
    pub async fn names(&self, directory: &dyn Directory, mapping: &Mapping, entries: &[Dn]) -> Result<Names, DirectoryError> {
        let mut known = Names::new();
        let mut unknown: Vec<(DnKey, &Dn)> = Vec::new();
        for dn in entries {
            let key = dn.key();
            match self.names.get(&key) {
                Some(name) => {
                    known.insert(key, name);
                }
                None => unknown.push((key, dn)),
            }
        }
        for side in [&mapping.users, &mapping.groups] {
            unknown.retain(|(key, _)| !known.contains_key(key));
            let here: Vec<Filter> =
                unknown.iter().filter(|(_, dn)| dn.is_under(&side.base)).map(|(_, dn)| side.by_name(dn)).collect();
            for entry in self.find(directory, side, here).await? {
                let called = side.called(&entry.dn).into_iter();
                for (key, name) in called.zip(std::iter::repeat(side.name(&entry))) {
                    if let Some(name) = name {
                        self.names.insert(key.clone(), name.clone());
                        known.insert(key, name);
                    }
                }
            }
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
        let mut wanted: Vec<&str> = ids.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Targets::new();
        for side in kinds.iter().map(|kind| mapping.of(*kind)) {
            let filters = wanted.iter().filter(|id| !found.contains_key(**id)).filter_map(|id| side.by_id(id)).collect();
            for entry in self.find(directory, side, filters).await? {
                if let Some(name) = side.name(&entry) {
                    self.names.insert(entry.dn.key(), name.clone());
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
