//! What the rest of the program asks of a directory. The `ldap` module answers over a connection.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::profile::Profile;
use super::{ChangeRecord, DirectoryError, Dn, Entry, Filter, Modification, Rdn, Subschema};

/// How deep a search goes (RFC 4511 section 4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The base entry alone.
    Base,
    /// The base entry and all below it.
    Subtree,
}

/// Who may answer a search, where a directory has several servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The server that takes the writes: all that was written is seen.
    #[default]
    Provider,
    /// One that follows it at a distance as well: what others wrote just now may be missing.
    Replica,
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Where it starts.
    pub base: Dn,
    /// How deep it goes.
    pub scope: Scope,
    /// What it looks for.
    pub filter: Filter,
    /// What it brings of each entry; `1.1` for nothing but the name.
    pub attributes: Arc<[String]>,
    /// Entries it brings at most; 0 for no limit of ours.
    pub size_limit: u32,
    /// Who may answer it.
    pub source: Source,
    /// Brings only values that one of these items matches (RFC 3876); all if there are none, or the directory lacks the control.
    pub only_values: Vec<Filter>,
}

impl SearchRequest {
    /// A search below a base without a limit.
    pub fn below(base: &Dn, filter: Filter, attributes: impl Into<Arc<[String]>>) -> Self {
        let (base, source, attributes) = (base.clone(), Source::Provider, attributes.into());
        Self { base, scope: Scope::Subtree, filter, attributes, size_limit: 0, source, only_values: Vec::new() }
    }

    /// A look at one entry.
    pub fn entry(dn: &Dn, attributes: impl Into<Arc<[String]>>) -> Self {
        Self { scope: Scope::Base, ..Self::below(dn, Filter::everything(), attributes) }
    }

    /// The same, which a replica may answer: nothing will be written on the strength of it.
    #[must_use]
    pub fn from_replica(self) -> Self {
        Self { source: Source::Replica, ..self }
    }
}

/// What a search brought.
#[derive(Debug, Clone, Default)]
pub struct SearchResult {
    /// In the directory's order.
    pub entries: Vec<Entry>,
    /// There are more than `size_limit` entries.
    pub truncated: bool,
}

/// Whose directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// OpenLDAP's slapd.
    OpenLdap,
    /// 389 Directory Server and what is built on it.
    Ds389,
    /// Active Directory or a Samba domain controller.
    ActiveDirectory,
    /// Any other.
    Unknown,
}

/// What a directory offers, read from its rootDSE and subschema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Whose it is.
    pub vendor: Vendor,
    /// What it calls itself, version and all; empty if it does not say.
    pub product: String,
    /// Whether it numbers its changes, where that is a matter of choice.
    pub usn: bool,
    /// OIDs of controls.
    pub controls: HashSet<String>,
    /// Suffixes it serves.
    pub naming_contexts: Vec<String>,
    /// Its schema.
    pub schema: Subschema,
}

impl Capabilities {
    /// The assertion control (RFC 4528).
    pub const ASSERTION: &str = "1.3.6.1.1.12";
    /// The pre-read control (RFC 4527 section 3.1).
    pub const PRE_READ: &str = "1.3.6.1.1.13.1";
    /// The matched values control (RFC 3876).
    pub const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3";
    /// The post-read control (RFC 4527 section 3.2).
    pub const POST_READ: &str = "1.3.6.1.1.13.2";

    /// Whether it knows a control.
    pub fn has_control(&self, oid: &str) -> bool {
        self.controls.contains(oid)
    }
}

/// Which attributes a write brings, as they were and as they are (RFC 4527). Where none is named, nothing is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reads<'a> {
    /// From the moment before.
    pub before: &'a [String],
    /// From the moment after.
    pub after: &'a [String],
}

impl<'a> Reads<'a> {
    /// Nothing is read.
    pub const NOTHING: Self = Self { before: &[], after: &[] };

    /// What the entry is like afterwards.
    pub fn after(attributes: &'a [String]) -> Self {
        Self { before: &[], after: attributes }
    }

    /// The same, and what it was like.
    #[must_use]
    pub fn and_before(self, attributes: &'a [String]) -> Self {
        Self { before: attributes, ..self }
    }
}

/// What a write brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The entry before it.
    pub before: Option<Entry>,
    /// The entry after it.
    pub after: Option<Entry>,
}

/// A part of the directory whose changes are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Where it begins.
    pub base: Dn,
    /// Which of the entries below count.
    pub filter: Filter,
}

/// What a change feed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// From now on every change is told.
    Following {
        /// So was every change since it last was so.
        seamless: bool,
    },
    /// For now no change is told, for this reason.
    Lost(String),
    /// This directory tells no changes.
    Unavailable,
    /// An entry was added, changed or renamed.
    Changed {
        /// In which of the branches.
        branch: usize,
        /// What identifies it for ever.
        id: Uuid,
        /// Its name.
        dn: Dn,
        /// Its change mark.
        mark: Option<String>,
    },
    /// An entry was removed, or no longer counts.
    Gone {
        /// From which of the branches.
        branch: usize,
        /// What identified it.
        id: Uuid,
    },
    /// Changes were made, and it is not known which.
    Untold,
}

/// A directory. Each call is one operation; writes are not repeated by themselves.
///
/// An `assertion` is a filter the entry must match at the moment of the write, else the write is refused with
/// `assertionFailed` and nothing has changed (RFC 4528).
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// What the directory offers; `None` until one has been reached.
    fn capabilities(&self) -> Option<Arc<Capabilities>>;

    /// Looks for entries. An absent base is no error: nothing was found.
    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError>;

    /// The identifiers of what a search finds, where they may be many: the entries themselves are not kept. The request asks for
    /// the attribute that holds them.
    async fn identifiers(&self, request: &SearchRequest, profile: &'static Profile) -> Result<Vec<Uuid>, DirectoryError> {
        let found = self.search(request).await?;
        Ok(found.entries.iter().filter_map(|entry| profile.identifier(entry)).collect())
    }

    /// Adds an entry.
    async fn add(&self, entry: &Entry, reads: Reads<'_>) -> Result<Written, DirectoryError>;

    /// Changes an entry, all modifications or none.
    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError>;

    /// Gives an entry another RDN in its place; the old value leaves the entry.
    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError>;

    /// Puts an entry below another one, under the same RDN.
    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError>;

    /// Sets the password of an entry by an operation of its own (RFC 3062).
    async fn set_password(&self, dn: &Dn, password: &str) -> Result<(), DirectoryError>;

    /// Whether an entry can sign in by this password, which must not be empty (RFC 4513 section 5.1.2). It is tried on a connection
    /// of its own, and counts with the directory as every other attempt.
    async fn check_password(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError>;

    /// Removes an entry.
    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError>;

    /// Asks what a write would come to, without its being made. `false`: this directory has no control by which that can be asked
    /// (draft-zeilenga-ldap-noop). The error is the refusal that the write would meet.
    async fn rehearse(&self, _record: &ChangeRecord, _assertion: Option<&Filter>) -> Result<bool, DirectoryError> {
        Ok(false)
    }

    /// Tells what changes in these branches, whoever changes it, for as long as it is polled. Of a change by several steps at once
    /// perhaps only the last is told. A feed that is lost is taken up again by itself.
    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync));
}
