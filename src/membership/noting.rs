//! Our own writes put an end to what they make untrue, at once, whatever comes of them.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::MembershipCache;
use super::freshness::Row;
use crate::directory::profile::Profile;
use crate::directory::{
    Branch, Capabilities, ChangeRecord, Directory, DirectoryError, Dn, Entry, FeedEvent, Filter, Modification, Rdn, Reads,
    SearchRequest, SearchResult, Written,
};

/// A directory whose writes the cache learns of.
#[derive(Debug)]
pub struct Noting {
    directory: Arc<dyn Directory>,
    cache: Arc<MembershipCache>,
    users: Dn,
    groups: Dn,
}

impl Noting {
    /// Over a directory; with the branches of users and groups.
    pub fn new(directory: Arc<dyn Directory>, cache: Arc<MembershipCache>, users: Dn, groups: Dn) -> Self {
        Self { directory, cache, users, groups }
    }

    fn write(&self, dn: &Dn) -> UnderWay<'_> {
        let (is_user, is_group) = (dn.is_under(&self.users), dn.is_under(&self.groups));
        let write = Write { row: Row::of(&dn.key()), is_user, is_group };
        self.cache.written(&write);
        UnderWay { cache: &self.cache, write }
    }
}

/// What a write may make untrue.
pub(super) struct Write {
    pub(super) row: Row,
    pub(super) is_user: bool,
    pub(super) is_group: bool,
}

/// A write under way. What is read while it is may be older than it: so it counts when it begins and when it ends, or is given up.
struct UnderWay<'a> {
    cache: &'a MembershipCache,
    write: Write,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.cache.written(&self.write);
    }
}

#[async_trait]
impl Directory for Noting {
    fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.directory.capabilities()
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        self.directory.search(request).await
    }

    async fn identifiers(&self, request: &SearchRequest, profile: &'static Profile) -> Result<Vec<Uuid>, DirectoryError> {
        self.directory.identifiers(request, profile).await
    }

    async fn add(&self, entry: &Entry, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let _write = self.write(&entry.dn);
        self.directory.add(entry, reads).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let _write = self.write(dn);
        self.directory.modify(dn, changes, assertion, reads).await
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let renamed = dn.renamed(rdn.clone());
        let _writes = (self.write(dn), self.write(&renamed));
        self.directory.rename(dn, rdn, assertion, reads).await
    }

    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let moved = dn.rdn().map_or_else(|| parent.clone(), |rdn| parent.child(rdn.clone()));
        let _writes = (self.write(dn), self.write(&moved));
        self.directory.relocate(dn, parent, assertion, reads).await
    }

    async fn check_password(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        self.directory.check_password(dn, password).await
    }

    async fn set_password(&self, dn: &Dn, password: &str) -> Result<(), DirectoryError> {
        let _write = self.write(dn);
        self.directory.set_password(dn, password).await
    }

    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let _write = self.write(dn);
        self.directory.delete(dn, assertion, reads).await
    }

    async fn rehearse(&self, record: &ChangeRecord, assertion: Option<&Filter>) -> Result<bool, DirectoryError> {
        self.directory.rehearse(record, assertion).await
    }

    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        self.directory.follow(branches, tell).await;
    }
}
