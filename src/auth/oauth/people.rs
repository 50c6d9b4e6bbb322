//! The people who may let a client in: administrators, by a group of the directory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::AdministratorsConfig;
use super::attempts::{Account, Attempts, WINDOW};
use crate::directory::profile::Lock;
use crate::directory::{Directory, DirectoryError, Dn, DnKey, Entry, Filter, SearchRequest};
use crate::mapping::Mapping;

/// Sign-ins that the directory is asked about at once: each takes a connection of its own.
const AT_ONCE: usize = 8;
/// What is typed is no longer.
const LONGEST_NAME: usize = 256;
const LONGEST_PASSWORD: usize = 1024;
/// A refusal takes at least so long, whatever its reason, so that its time tells none.
const LEAST: Duration = Duration::from_millis(700);
/// How far groups in groups are followed, and how many of them.
const DEEPEST: usize = 8;
const MOST_GROUPS: usize = 200;

/// Somebody who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person(pub(super) Uuid);

/// Why somebody did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSignedIn {
    /// The name or the password was left empty.
    Incomplete,
    /// No such person, another password, no administrator, disabled: it is not told which.
    Refused,
    /// It was tried too often; so many seconds have to pass at most.
    TooOften(u64),
    /// The directory cannot be asked.
    Unavailable,
}

/// The administrators of a directory.
#[derive(Debug)]
pub struct Administrators {
    directory: Arc<dyn Directory>,
    mapping: watch::Receiver<Option<Arc<Mapping>>>,
    group: Dn,
    base: Dn,
    attempts: Attempts,
    at_once: Semaphore,
}

impl Administrators {
    /// As configured.
    pub fn new(
        directory: Arc<dyn Directory>,
        mapping: watch::Receiver<Option<Arc<Mapping>>>,
        AdministratorsConfig { group, base }: AdministratorsConfig,
    ) -> Self {
        Self { directory, mapping, group, base, attempts: Attempts::new(), at_once: Semaphore::new(AT_ONCE) }
    }

    /// Lets an administrator in by name and password.
    ///
    /// Whether somebody may come in at all is looked at before the password: the passwords of others cannot be tried here, nor can
    /// their accounts be locked by trying.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn sign_in(&self, name: &str, password: &str) -> Result<Person, NotSignedIn> {
        let name = name.trim();
        // A bind without a password is one of nobody, which directories let pass (RFC 4513 section 5.1.2).
        if name.is_empty() || password.is_empty() {
            return Err(NotSignedIn::Incomplete);
        }
        let answer_at = tokio::time::Instant::now() + LEAST;
        let outcome = self.judge(name, password).await;
        if outcome.is_err() {
            tokio::time::sleep_until(answer_at).await;
        }
        outcome
    }

    async fn judge(&self, name: &str, password: &str) -> Result<Person, NotSignedIn> {
        // NUL ends a password in some directories' eyes.
        if name.len() > LONGEST_NAME || password.len() > LONGEST_PASSWORD || password.contains('\0') {
            return Err(NotSignedIn::Refused);
        }
        let away = |error: DirectoryError| {
            tracing::warn!("an administrator cannot sign in: {error}");
            NotSignedIn::Unavailable
        };
        let Ok(Ok(_permit)) = tokio::time::timeout(Duration::from_secs(5), self.at_once.acquire()).await else {
            return Err(NotSignedIn::Unavailable);
        };
        let mapping = self.mapping().ok_or(NotSignedIn::Unavailable)?;
        let administrator = self.administrator(&mapping, name).await.map_err(away)?;
        let (account, dn) = match &administrator {
            Some((person, dn)) => (Account::Person(person.0), dn.clone()),
            // Nobody is called so, and the directory has about as much to do with it.
            None => (Account::nobody(name), self.nobody()),
        };
        if !self.attempts.begin(&account) {
            return Err(NotSignedIn::TooOften(WINDOW.as_secs()));
        }
        let right = match self.directory.check_password(&dn, password).await {
            Ok(right) => right,
            Err(error) => {
                self.attempts.came_to_nothing(&account);
                return Err(away(error));
            }
        };
        match administrator {
            Some((person, dn)) if right => {
                self.attempts.succeeded(&account);
                tracing::info!(%dn, "an administrator has signed in");
                Ok(person)
            }
            Some((_, dn)) => {
                tracing::warn!(%dn, "an administrator could not sign in: the directory does not take the password");
                Err(NotSignedIn::Refused)
            }
            // What was typed is not told: it may be a password in the wrong field.
            None => {
                tracing::warn!(group = %self.group, "somebody could not sign in who is no active member of auth.oauth.administrators");
                Err(NotSignedIn::Refused)
            }
        }
    }

    /// Whether somebody who signed in is still an administrator who is not disabled.
    ///
    /// # Errors
    /// The directory cannot be asked.
    pub(super) async fn has(&self, Person(id): Person) -> Result<bool, DirectoryError> {
        let unknown = || DirectoryError::NotSent("it is not known yet what it can hold".to_owned());
        let mapping = self.mapping().ok_or_else(unknown)?;
        let found = self.find(&mapping, mapping.users.by_uuid(id)).await?;
        match found {
            Some(entry) => Ok(is_active(&mapping, &entry) && self.group_has(&mapping, &entry.dn).await?),
            None => Ok(false),
        }
    }

    /// A name that no entry has.
    fn nobody(&self) -> Dn {
        format!("cn={},{}", Uuid::new_v4(), self.base).parse().unwrap_or_else(|_| self.base.clone())
    }

    fn mapping(&self) -> Option<Arc<Mapping>> {
        self.mapping.borrow().clone()
    }

    async fn administrator(&self, mapping: &Mapping, name: &str) -> Result<Option<(Person, Dn)>, DirectoryError> {
        let users = &mapping.users;
        let kept = ["userName", "emails"].map(|attribute| users.kept_in(attribute)).concat();
        let is_called = Filter::Or(kept.into_iter().map(|attribute| Filter::equal(attribute, name)).collect());
        let Some(entry) = self.find(mapping, is_called).await? else { return Ok(None) };
        let Some(id) = users.id(&entry).filter(|_| is_active(mapping, &entry)) else { return Ok(None) };
        Ok(self.group_has(mapping, &entry.dn).await?.then_some((Person(id), entry.dn)))
    }

    /// The one entry of a person that matches; of several none is meant.
    async fn find(&self, mapping: &Mapping, filter: Filter) -> Result<Option<Entry>, DirectoryError> {
        let users = &mapping.users;
        let lock = match users.profile.lock {
            Lock::Value { attribute, .. } | Lock::Bit { attribute, .. } => attribute,
        };
        let mut attributes = vec![users.profile.id.to_owned(), lock.to_owned()];
        attributes.extend(users.active.attribute().filter(|name| !name.eq_ignore_ascii_case(lock)).map(str::to_owned));
        let request =
            SearchRequest { size_limit: 2, ..SearchRequest::below(&self.base, Filter::all([users.class(), filter]), attributes) };
        let mut found = self.directory.search(&request).await?.entries;
        if found.len() > 1 {
            tracing::warn!(base = %self.base, "several people are called as somebody who signs in: none of them is let in");
            return Ok(None);
        }
        Ok(found.pop())
    }

    /// Whether the group has this member, as the directory itself says; through other groups where the directory follows them, or
    /// where groups in groups are switched on.
    async fn group_has(&self, mapping: &Mapping, member: &Dn) -> Result<bool, DirectoryError> {
        let name = member.to_string();
        let is_member = if mapping.profile.chain {
            Filter::InChain("member".to_owned(), name.into_bytes())
        } else {
            Filter::Or(["member", "uniqueMember"].map(|attribute| Filter::equal(attribute, &name)).to_vec())
        };
        if self.matches(&self.group, is_member).await? {
            return Ok(true);
        }
        if !mapping.groups_nested || mapping.profile.chain {
            return Ok(false);
        }
        self.above(mapping, member).await
    }

    /// Climbs from a member through the groups it is in.
    async fn above(&self, mapping: &Mapping, member: &Dn) -> Result<bool, DirectoryError> {
        let Some(attribute) = mapping.groups.member_attribute().filter(|_| mapping.groups.members_are_names()) else {
            return Ok(false);
        };
        let wanted = self.group.key();
        let mut seen: HashSet<DnKey> = HashSet::new();
        let mut members = vec![member.clone()];
        for _ in 0..DEEPEST {
            let of = members.iter().map(|dn| Filter::equal(attribute, dn.to_string())).collect();
            let filter = Filter::all([mapping.groups.class(), Filter::Or(of)]);
            let request = SearchRequest::below(&mapping.groups.base, filter, vec!["1.1".to_owned()]);
            let groups = self.directory.search(&request).await?.entries;
            if groups.iter().any(|group| group.dn.key() == wanted) {
                return Ok(true);
            }
            members = groups.into_iter().map(|group| group.dn).filter(|dn| seen.insert(dn.key())).collect();
            if members.is_empty() || seen.len() > MOST_GROUPS {
                return Ok(false);
            }
            // The group itself may be elsewhere.
            let direct = members.iter().map(|dn| Filter::equal("member", dn.to_string())).collect();
            if self.matches(&self.group, Filter::Or(direct)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn matches(&self, dn: &Dn, filter: Filter) -> Result<bool, DirectoryError> {
        let request = SearchRequest { filter, ..SearchRequest::entry(dn, vec!["1.1".to_owned()]) };
        Ok(!self.directory.search(&request).await?.entries.is_empty())
    }
}

/// Neither disabled through SCIM nor by the directory's own lock, which may be two attributes.
fn is_active(mapping: &Mapping, entry: &Entry) -> bool {
    let locked = match mapping.profile.lock {
        Lock::Value { attribute, locked } => entry.has(attribute, locked),
        Lock::Bit { attribute, bit, .. } => {
            entry.text(attribute).and_then(|text| text.parse::<i64>().ok()).is_some_and(|flags| flags & i64::from(bit) != 0)
        }
    };
    !locked && mapping.users.active.read(entry)
}
