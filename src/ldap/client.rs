//! The directory port over the pool.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use ldap3::controls::{Assertion, MatchedValues, PagedResults, PostRead, PreRead, RawControl};
use ldap3::exop::PasswordModify;
use ldap3::{Ldap, LdapResult, ResultEntry, SearchOptions, SearchStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::config::LdapConfig;
use super::convert::Rest;
use super::inspection::{NO_OP, NO_OPERATION};
use super::operation::{Found, Operation, SLACK, too_late};
use super::pool::{Contact, Pool};
use super::turns::Turns;
use super::{convert, tls};
use crate::directory::profile::{OldName, Profile};
use crate::directory::{
    Branch, Capabilities, ChangeRecord, Directory, DirectoryError, Dn, Entry, FeedEvent, Filter, Modification, ModifyOp, Rdn,
    Reads, ResultCode, Scope, SearchRequest, SearchResult, Source, Vendor, Written,
};
use crate::secret::Secret;
use crate::telemetry::{DirectoryMetrics, Metrics};

/// A directory reached over LDAP.
#[derive(Debug)]
pub struct LdapDirectory {
    pub(super) pool: Pool,
    pub(super) metrics: DirectoryMetrics,
    pub(super) timeout: Duration,
    turns: Turns,
    capabilities: watch::Receiver<Option<Arc<Capabilities>>>,
}

impl LdapDirectory {
    /// Starts connecting in the background.
    ///
    /// # Errors
    /// The certificates named in the configuration cannot be read.
    pub fn start(config: LdapConfig, metrics: &Metrics) -> Result<Self, String> {
        let tls = tls::client_config(&config)?;
        let timeout = config.timeout;
        let metrics = metrics.directory();
        let pool = Pool::start(config, tls, &metrics);
        Ok(Self { capabilities: pool.capabilities(), pool, metrics, turns: Turns::new(), timeout })
    }

    /// What the directory offers, as it becomes known and when it changes.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Capabilities>>> {
        self.capabilities.clone()
    }

    /// Waits until each server was tried once, and tells what came of it.
    pub async fn contacts(&self) -> Vec<Contact> {
        self.pool.contacts().await
    }

    /// Unbinds. Operations under way are lost, so this comes last.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether some entry of a branch has this attribute, so that a write of it may be tried by the No-Op control.
    ///
    /// slapd's mdb numbers each attribute when it is first stored. For a write that is only tried it does so too, and afterwards
    /// forgets the number in one of its two tables: the next new attribute gets the same one, and from then on the values of one
    /// are stored as the other's, or entries cannot be read at all (OpenLDAP 2.5.13).
    ///
    /// # Errors
    /// It could not be asked.
    pub async fn holds(&self, branch: &Dn, attribute: &str) -> Result<bool, DirectoryError> {
        let wanted = vec![attribute.to_owned()];
        let filter = Filter::Present(attribute.to_owned());
        let request = SearchRequest { size_limit: 1, ..SearchRequest::below(branch, filter, wanted) };
        // By its own name: a subtype and an attribute with an option have numbers of their own.
        let own = |entry: &Entry| entry.attributes().any(|(name, _)| name.eq_ignore_ascii_case(attribute));
        Ok(self.search(&request).await?.entries.iter().any(own))
    }

    fn has(&self, control: &str) -> bool {
        self.capabilities.borrow().as_deref().is_some_and(|known| known.has_control(control))
    }

    /// A search, page by page where the directory gives no more at once. What is not kept of an entry is let go as it comes.
    async fn search_once<T: Send>(
        &self,
        request: &SearchRequest,
        keep: impl Fn(Entry) -> Option<T> + Copy + Send + Sync + 'static,
    ) -> Result<(Found<T>, Source), DirectoryError> {
        let scope = match request.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::Subtree => ldap3::Scope::Subtree,
        };
        let limit = i32::try_from(request.size_limit).unwrap_or(i32::MAX);
        let page = self.profile().page.filter(|page| scope == ldap3::Scope::Subtree && (limit == 0 || limit > *page));
        let parts = Arc::new((request.base.to_string(), request.filter.to_string(), request.attributes.clone()));
        let only = !request.only_values.is_empty() && self.has(Capabilities::MATCHED_VALUES);
        let only = only.then(|| MatchedValues::new(Filter::list(&request.only_values)));
        self.perform(Operation::Search, request.source, move |ldap, deadline| {
            let (parts, only) = (parts.clone(), only.clone());
            Box::pin(async move {
                let (base, filter, attributes) = &*parts;
                let mut found = Found::default();
                let mut cookie = Vec::new();
                loop {
                    ldap.with_timeout(deadline.saturating_duration_since(Instant::now()))
                        .with_search_options(SearchOptions::new().sizelimit(limit));
                    let pages = page.map(|size| PagedResults { size, cookie: std::mem::take(&mut cookie) });
                    let controls: Vec<RawControl> = pages.map(RawControl::from).into_iter().chain(only.clone()).collect();
                    if !controls.is_empty() {
                        ldap.with_controls(controls);
                    }
                    let mut stream = ldap.streaming_search(base, scope, filter, &**attributes).await.map_err(convert::failure)?;
                    while let Some(item) = next(&mut stream, deadline).await? {
                        // A referral to another server is passed over: our credentials are not for it.
                        if !item.is_ref() && !item.is_intermediate() {
                            let (entry, rest) = convert::ranged_entry(item.0)?;
                            if let Some(kept) = keep(entry) {
                                found.missing.extend(rest.into_iter().map(|rest| (found.kept.len(), rest)));
                                found.kept.push(kept);
                            }
                        }
                    }
                    match convert::result(stream.finish().await) {
                        Ok(controls) => match convert::next_page(&controls) {
                            Some(next) if page.is_some() => cookie = next,
                            Some(_) | None => return Ok(found),
                        },
                        Err(error) if error.is(ResultCode::NoSuchObject) => return Ok(found),
                        Err(error) if limit > 0 && error.is(ResultCode::SizeLimitExceeded) => {
                            found.truncated = true;
                            return Ok(found);
                        }
                        Err(error) => return Err(error),
                    }
                }
            })
        })
        .await
    }

    /// The same, and once more where a replica's answer does not settle it: it may not have what was made just now, and another one
    /// may give the rest of a list in another order.
    async fn search_surely<T: Send>(
        &self,
        request: &SearchRequest,
        keep: impl Fn(Entry) -> Option<T> + Copy + Send + Sync + 'static,
    ) -> Result<Found<T>, DirectoryError> {
        let (found, source) = self.search_once(request, keep).await?;
        if source == Source::Replica && (found.kept.is_empty() || !found.missing.is_empty()) {
            let request = SearchRequest { source: Source::Provider, ..request.clone() };
            return Ok(self.search_once(&request, keep).await?.0);
        }
        Ok(found)
    }

    /// Reads the values of a long attribute that did not come with the first ones.
    async fn complete(&self, entry: &mut Entry, mut rest: Rest) -> Result<(), DirectoryError> {
        loop {
            let Rest { attribute, from } = &rest;
            let request = SearchRequest::entry(&entry.dn, vec![format!("{attribute};range={from}-*")]);
            let (Found { kept, missing, .. }, _) = self.search_once(&request, Some).await?;
            // An entry that is gone by now has no more values.
            let Some(more) = kept.first() else { return Ok(()) };
            entry.push(attribute, more.values(attribute).iter().cloned());
            let next = missing.into_iter().map(|(_, next)| next).find(|next| next.attribute.eq_ignore_ascii_case(attribute));
            match next {
                Some(next) if next.from > rest.from => rest = next,
                Some(_) => return Err(DirectoryError::Malformed(format!("the values of {attribute} are sent over and over"))),
                None => return Ok(()),
            }
        }
    }

    fn profile(&self) -> &'static Profile {
        self.capabilities.borrow().as_deref().map_or(Profile::of_unknown(), Profile::of)
    }

    /// A write with its controls; `send` makes the request once they are set. What the directory does not read by a control is
    /// looked at before the write, or left to `after`.
    async fn write(
        &self,
        operation: Operation,
        dn: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
        send: impl for<'a> Fn(&'a mut Ldap) -> BoxFuture<'a, Result<LdapResult, ldap3::LdapError>> + Send + Sync,
    ) -> Result<Written, DirectoryError> {
        let mut controls: Vec<RawControl> = Vec::new();
        let to_look_for = assertion.filter(|_| !self.has(Capabilities::ASSERTION));
        if let Some(filter) = assertion.filter(|_| to_look_for.is_none()) {
            controls.push(self.asserted(dn, filter));
        }
        let before_by_control = self.has(Capabilities::PRE_READ);
        let to_look_at = if before_by_control { &[] } else { reads.before };
        if before_by_control && !reads.before.is_empty() {
            controls.push(PreRead::new(reads.before.to_vec()));
        }
        if !reads.after.is_empty() && self.has(Capabilities::POST_READ) {
            controls.push(PostRead::new(reads.after.to_vec()));
        }
        let (mut turn, mut before) = (None, None);
        if to_look_for.is_some() || !to_look_at.is_empty() {
            let waited = tokio::time::timeout(self.timeout, self.turns.of(dn)).await;
            turn = waited.map_err(|_| DirectoryError::NotSent("others kept writing the same entry".to_owned()))?;
            before = self.look_before(dn, to_look_for, to_look_at).await?;
        }
        let (done, _) = self
            .perform(operation, Source::Provider, |ldap, _| {
                ldap.with_controls(controls.clone());
                let answer = send(ldap);
                Box::pin(async move { answer.await.map_err(convert::failure).and_then(convert::result) })
            })
            .await?;
        drop(turn);
        // Without a control nothing is in the answer.
        let read = if controls.is_empty() { Written::default() } else { convert::read(&done)? };
        Ok(Written { before: read.before.or(before), after: read.after })
    }

    /// The control by which the entry of this name must match (RFC 4528).
    ///
    /// slapd's overlays write to other entries with the controls of the operation that they follow: memberof to the members of a group.
    /// Where the assertion does not hold there too, they leave such an entry as it was and say nothing; so it binds this entry alone
    /// (`entryDN`, RFC 5020).
    fn asserted(&self, dn: &Dn, filter: &Filter) -> RawControl {
        let is_slapd = self.capabilities.borrow().as_deref().is_some_and(|known| known.vendor == Vendor::OpenLdap);
        let mut control = if is_slapd {
            let another = Filter::Not(Box::new(Filter::equal("entryDN", dn.to_string())));
            Assertion::new(Filter::Or(vec![filter.clone(), another]).to_string())
        } else {
            Assertion::new(filter.to_string())
        };
        control.crit = true;
        control
    }

    /// Where the directory cannot decide or read by itself, we look first. A change that another program makes in between is not
    /// noticed.
    async fn look_before(
        &self,
        dn: &Dn,
        assertion: Option<&Filter>,
        attributes: &[String],
    ) -> Result<Option<Entry>, DirectoryError> {
        let nothing = || vec!["1.1".to_owned()];
        let mut look = SearchRequest::entry(dn, if attributes.is_empty() { nothing() } else { attributes.to_vec() });
        if let Some(filter) = assertion {
            look.filter = filter.clone();
        }
        if let Some(entry) = self.search(&look).await?.entries.into_iter().next() {
            return Ok(Some(entry));
        }
        let refused = |code| DirectoryError::Refused { code, diagnostic: "looked at before the write".to_owned() };
        if assertion.is_none() {
            return Err(refused(ResultCode::NoSuchObject));
        }
        let there = !self.search(&SearchRequest::entry(dn, nothing())).await?.entries.is_empty();
        Err(refused(if there { ResultCode::AssertionFailed } else { ResultCode::NoSuchObject }))
    }

    /// The entry after a write, by the control's answer or by a search of its own.
    async fn after(&self, dn: &Dn, attributes: &[String], done: Written) -> Result<Written, DirectoryError> {
        if done.after.is_some() || attributes.is_empty() {
            return Ok(done);
        }
        // The write was done, so whatever goes wrong now is no refusal of it.
        let found = self.search(&SearchRequest::entry(dn, attributes.to_vec())).await;
        let found = found.map_err(|error| DirectoryError::Unknown(format!("done, and not read afterwards: {error}")))?;
        Ok(Written { after: found.entries.into_iter().next(), ..done })
    }
}

/// Sends a write as it is.
async fn send(ldap: &mut Ldap, record: &ChangeRecord) -> Result<LdapResult, ldap3::LdapError> {
    match record {
        ChangeRecord::Add(entry) => ldap.add(&entry.dn.to_string(), convert::attributes(entry)).await,
        ChangeRecord::Modify { dn, changes } => ldap.modify(&dn.to_string(), convert::modifications(changes)).await,
        ChangeRecord::Rename { dn, rdn, keep_old } => ldap.modifydn(&dn.to_string(), &rdn.to_string(), !keep_old, None).await,
        ChangeRecord::Move { dn, parent } => {
            let rdn = dn.rdn().map(Rdn::to_string).unwrap_or_default();
            ldap.modifydn(&dn.to_string(), &rdn, true, Some(&parent.to_string())).await
        }
        ChangeRecord::Delete(dn) => ldap.delete(&dn.to_string()).await,
    }
}

/// The next item of a search; none after the deadline, however fast they come. The server is told to stop then.
async fn next<'a>(
    stream: &mut SearchStream<'a, String, &'a [String]>,
    deadline: Instant,
) -> Result<Option<ResultEntry>, DirectoryError> {
    if Instant::now() < deadline
        && let Ok(item) = timeout_at(deadline, stream.next()).await
    {
        return item.map_err(convert::failure);
    }
    let ldap = stream.ldap_handle();
    let id = ldap.last_id();
    let _ = ldap.with_timeout(SLACK / 2).abandon(id).await;
    Err(too_late())
}

#[async_trait]
impl Directory for LdapDirectory {
    fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.capabilities.borrow().clone()
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        let Found { kept: mut entries, missing, truncated } = self.search_surely(request, Some).await?;
        for (n, rest) in missing {
            if let Some(entry) = entries.get_mut(n) {
                self.complete(entry, rest).await?;
            }
        }
        Ok(SearchResult { entries, truncated })
    }

    async fn identifiers(&self, request: &SearchRequest, profile: &'static Profile) -> Result<Vec<Uuid>, DirectoryError> {
        Ok(self.search_surely(request, move |entry| profile.identifier(&entry)).await?.kept)
    }

    async fn add(&self, entry: &Entry, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let parts = Arc::new((entry.dn.to_string(), entry.clone()));
        // There is nothing before it.
        let done = self
            .write(Operation::Add, &entry.dn, None, Reads::after(reads.after), |ldap| {
                let parts = parts.clone();
                Box::pin(async move { ldap.add(&parts.0, convert::attributes(&parts.1)).await })
            })
            .await?;
        self.after(&entry.dn, reads.after, done).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let parts = Arc::new((dn.to_string(), changes.to_vec()));
        let done = self
            .write(Operation::Modify, dn, assertion, reads, |ldap| {
                let parts = parts.clone();
                Box::pin(async move { ldap.modify(&parts.0, convert::modifications(&parts.1)).await })
            })
            .await?;
        self.after(dn, reads.after, done).await
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let (name, new) = (dn.to_string(), rdn.to_string());
        let rename = async |without_old: bool| {
            self.write(Operation::Rename, dn, assertion, reads, |ldap| {
                let (name, new) = (name.clone(), new.clone());
                Box::pin(async move { ldap.modifydn(&name, &new, without_old, None).await })
            })
            .await
        };
        let renamed = dn.renamed(rdn.clone());
        match rename(true).await {
            Err(error) if error.is(ResultCode::OperationsError) && self.profile().old_name == OldName::MayStick => {
                let done = rename(false).await?;
                let old = dn.rdn().map(Rdn::avas).unwrap_or_default().iter().filter(|ava| !rdn.avas().contains(ava));
                let gone = old.filter_map(|ava| {
                    Some(Modification::new(ModifyOp::Delete, ava.attribute.as_str(), vec![ava.text()?.as_bytes().to_vec()]))
                });
                let after = match gone.collect::<Vec<_>>().as_slice() {
                    [] => self.after(&renamed, reads.after, Written::default()).await?,
                    gone => {
                        let modified = self.modify(&renamed, gone, None, Reads::after(reads.after)).await;
                        // It has its new name, whatever becomes of the old one.
                        modified.map_err(|error| DirectoryError::Unknown(format!("renamed, and the old name stays: {error}")))?
                    }
                };
                Ok(Written { before: done.before, ..after })
            }
            done => self.after(&renamed, reads.after, done?).await,
        }
    }

    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let rdn = dn.rdn().map(Rdn::to_string).unwrap_or_default();
        let (name, place) = (dn.to_string(), parent.to_string());
        // Active Directory wants the old RDN to go, though it is the new one.
        let done = self
            .write(Operation::Rename, dn, assertion, reads, |ldap| {
                let (name, rdn, place) = (name.clone(), rdn.clone(), place.clone());
                Box::pin(async move { ldap.modifydn(&name, &rdn, true, Some(&place)).await })
            })
            .await?;
        let moved = dn.rdn().map_or_else(|| parent.clone(), |rdn| parent.child(rdn.clone()));
        self.after(&moved, reads.after, done).await
    }

    async fn set_password(&self, dn: &Dn, password: &str) -> Result<(), DirectoryError> {
        let parts = Arc::new((dn.to_string(), Secret::new(password.to_owned())));
        self.perform(Operation::Password, Source::Provider, |ldap, _| {
            let parts = parts.clone();
            Box::pin(async move {
                let request = PasswordModify { user_id: Some(&parts.0), old_pass: None, new_pass: Some(parts.1.expose()) };
                let answer = ldap.extended(request).await.map_err(convert::failure)?;
                convert::result(answer.1)
            })
        })
        .await
        .map(|_| ())
    }

    async fn check_password(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        self.bind_check(dn, password).await
    }

    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let name = dn.to_string();
        // There is nothing after it.
        let reads = Reads { after: &[], ..reads };
        self.write(Operation::Delete, dn, assertion, reads, |ldap| {
            let name = name.clone();
            Box::pin(async move { ldap.delete(&name).await })
        })
        .await
    }

    async fn rehearse(&self, record: &ChangeRecord, assertion: Option<&Filter>) -> Result<bool, DirectoryError> {
        // Others may know a control of this number by another meaning; a server that does not know it refuses, for it is critical.
        if self.capabilities.borrow().as_deref().is_none_or(|known| known.vendor != Vendor::OpenLdap) {
            return Ok(false);
        }
        let branch = record.dn().parent().unwrap_or_else(Dn::root);
        for name in record.stored() {
            if !self.holds(&branch, name).await? {
                return Ok(false);
            }
        }
        let mut controls = vec![RawControl { ctype: NO_OP.to_owned(), crit: true, val: None }];
        if let Some(filter) = assertion.filter(|_| self.has(Capabilities::ASSERTION)) {
            controls.push(self.asserted(record.dn(), filter));
        }
        let operation = match record {
            ChangeRecord::Add(_) => Operation::Add,
            ChangeRecord::Modify { .. } => Operation::Modify,
            ChangeRecord::Rename { .. } | ChangeRecord::Move { .. } => Operation::Rename,
            ChangeRecord::Delete(_) => Operation::Delete,
        };
        let record = Arc::new(record.clone());
        let tried = self.perform(operation, Source::Provider, move |ldap, _| {
            let record = record.clone();
            ldap.with_controls(controls.clone());
            Box::pin(async move { send(ldap, &record).await.map_err(convert::failure).and_then(convert::result) })
        });
        match tried.await {
            Ok(_) => Err(DirectoryError::Unknown("the directory has made a change that it was asked only to try".to_owned())),
            Err(error) if error.is(NO_OPERATION) => Ok(true),
            Err(error) if error.is(ResultCode::UnavailableCriticalExtension) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        self.follow_changes(branches, tell).await;
    }
}
