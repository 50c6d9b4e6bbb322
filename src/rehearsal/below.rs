//! The directory below a rehearsal: what can be asked of it, none of which changes anything there. The rest of the module holds the
//! directory by nothing else, so what is not here cannot be sent.

use std::sync::Arc;

use crate::directory::{
    Branch, Capabilities, ChangeRecord, Directory, DirectoryError, FeedEvent, Filter, SearchRequest, SearchResult,
};

/// A directory that can be read.
#[derive(Debug)]
pub(super) struct Below {
    directory: Arc<dyn Directory>,
    /// Whether it is asked to try writes.
    tries: bool,
}

impl Below {
    /// `tries`: it is asked what a write would come to where it has a control for that. Without, nothing that looks like a write is
    /// ever sent.
    pub(super) fn new(directory: Arc<dyn Directory>, tries: bool) -> Self {
        Self { directory, tries }
    }

    pub(super) fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.directory.capabilities()
    }

    pub(super) async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        self.directory.search(request).await
    }

    /// Has a write tried without its being made. `false`: it was not asked, or cannot be.
    pub(super) async fn rehearse(&self, record: &ChangeRecord, assertion: Option<&Filter>) -> Result<bool, DirectoryError> {
        if self.tries { self.directory.rehearse(record, assertion).await } else { Ok(false) }
    }

    pub(super) async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        self.directory.follow(branches, tell).await;
    }
}
