//! Roles that are groups: between the service, for which a role is a value of an attribute, and the directory, in which it is a
//! membership.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use uuid::Uuid;

use crate::directory::profile::{MEMBER_OF, Profile};
use crate::directory::{
    Branch, Capabilities, Directory, DirectoryError, Dn, DnKey, Entry, FeedEvent, Filter, Modification, ModifyOp, Rdn, Reads,
    ResultCode, SearchRequest, SearchResult, Source, Written,
};
use crate::mapping::{Mapping, ROLE_ATTRIBUTE, Role, by_member_of};

/// Users whose groups are asked for in one search.
const BATCH: usize = 100;

/// A directory in which users have their roles as values of an attribute.
#[derive(Debug)]
pub struct RoleGroups {
    directory: Arc<dyn Directory>,
    mapping: watch::Receiver<Option<Arc<Mapping>>>,
}

/// Roles to take and to give.
#[derive(Debug, Default)]
struct RoleChange {
    add: Vec<String>,
    remove: Vec<String>,
    /// All that are not among those to give go.
    only: bool,
}

impl RoleChange {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && !self.only
    }

    /// Takes what is about roles out of the modifications.
    fn split(changes: &[Modification]) -> (Self, Vec<Modification>) {
        let mut roles = Self::default();
        let mut others = Vec::new();
        for change in changes {
            if !is_role(&change.attribute) {
                others.push(change.clone());
                continue;
            }
            let names = change.values.iter().map(|value| String::from_utf8_lossy(value).into_owned());
            match change.op {
                ModifyOp::Add => roles.add.extend(names),
                ModifyOp::Delete if change.values.is_empty() => roles.only = true,
                ModifyOp::Delete => roles.remove.extend(names),
                ModifyOp::Replace => {
                    roles.only = true;
                    roles.add.extend(names);
                }
            }
        }
        (roles, others)
    }

    /// Whether a role is to be had, where that is said.
    fn wants(&self, role: &Role) -> Option<bool> {
        let among = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(&role.name));
        if among(&self.add) { Some(true) } else { (self.only || among(&self.remove)).then_some(false) }
    }
}

fn is_role(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case(ROLE_ATTRIBUTE)
}

/// The attributes of the directory among these, and whether roles are among them too.
fn split(attributes: &[String]) -> (Vec<String>, bool) {
    let real: Vec<String> = attributes.iter().filter(|name| !is_role(name)).cloned().collect();
    let asked = real.len() < attributes.len();
    // Nothing at all would mean everything.
    (if real.is_empty() && asked { vec!["1.1".to_owned()] } else { real }, asked)
}

/// Gives an entry the roles whose groups it is in.
fn give(mapping: &Mapping, groups: &HashSet<DnKey>, entry: &mut Entry) {
    let roles = mapping.roles.iter().filter(|role| groups.contains(&role.group.key()));
    let roles: Vec<Vec<u8>> = roles.map(|role| role.name.clone().into_bytes()).collect();
    if !roles.is_empty() {
        entry.push(ROLE_ATTRIBUTE, roles);
    }
}

/// A search as the directory understands it, and whether it asks for roles.
fn translated(mapping: &Mapping, request: &SearchRequest) -> (SearchRequest, bool) {
    let (mut attributes, asked) = split(&request.attributes);
    if asked && mapping.users.relies_on_member_of() && !attributes.iter().any(|name| name.eq_ignore_ascii_case(MEMBER_OF)) {
        attributes.push(MEMBER_OF.to_owned());
    }
    let filter = by_member_of(request.filter.clone(), &mapping.roles);
    (SearchRequest { filter, attributes: attributes.into(), ..request.clone() }, asked)
}

impl RoleGroups {
    /// Over a directory.
    pub fn new(directory: Arc<dyn Directory>, mapping: watch::Receiver<Option<Arc<Mapping>>>) -> Self {
        Self { directory, mapping }
    }

    fn mapping(&self) -> Option<Arc<Mapping>> {
        self.mapping.borrow().clone().filter(|mapping| !mapping.roles.is_empty())
    }

    /// Gives entries the roles they have.
    async fn tell(&self, mapping: &Mapping, source: Source, entries: &mut [Entry]) -> Result<(), DirectoryError> {
        let has = if mapping.users.relies_on_member_of() {
            None
        } else {
            let names: Vec<Dn> = entries.iter().map(|entry| entry.dn.clone()).collect();
            Some(self.members(mapping, source, &names).await?)
        };
        for entry in entries {
            let key = entry.dn.key();
            let of: HashSet<DnKey> = match &has {
                Some(has) => has.get(&key).cloned().unwrap_or_default(),
                None => entry.texts(MEMBER_OF).filter_map(|text| text.parse::<Dn>().ok()).map(|dn| dn.key()).collect(),
            };
            give(mapping, &of, entry);
        }
        Ok(())
    }

    /// Which role groups have which of these entries as members.
    async fn members(
        &self,
        mapping: &Mapping,
        source: Source,
        entries: &[Dn],
    ) -> Result<HashMap<DnKey, HashSet<DnKey>>, DirectoryError> {
        let groups = &mapping.groups;
        let mut has: HashMap<DnKey, HashSet<DnKey>> = HashMap::new();
        let Some(member) = groups.member_attribute() else { return Ok(has) };
        for some in entries.chunks(BATCH) {
            let naming: Vec<Filter> =
                some.iter().filter_map(|dn| groups.member_value(dn)).map(|value| Filter::equal(member, value)).collect();
            let look = |role: &Role| {
                let mut look = SearchRequest::entry(&role.group, vec![member.to_owned()]);
                (look.filter, look.only_values, look.source) = (Filter::Or(naming.clone()), naming.clone(), source);
                look
            };
            let looks: Vec<SearchRequest> = mapping.roles.iter().map(look).collect();
            let found = try_join_all(looks.iter().map(|look| self.directory.search(look))).await?;
            let called: HashMap<DnKey, DnKey> =
                some.iter().flat_map(|dn| mapping.users.called(dn).into_iter().map(|name| (name, dn.key()))).collect();
            for (role, found) in mapping.roles.iter().zip(found) {
                let members =
                    found.entries.iter().flat_map(|group| group.texts(member)).filter_map(|text| groups.member_name(text));
                for key in members.filter_map(|dn| called.get(&dn.key()).cloned()) {
                    has.entry(key).or_default().insert(role.group.key());
                }
            }
        }
        Ok(has)
    }

    /// Puts a user into the groups of roles and takes it out of them.
    async fn change(&self, mapping: &Mapping, user: &Dn, change: &RoleChange) -> Result<(), DirectoryError> {
        for role in &mapping.roles {
            let done = match change.wants(role) {
                Some(true) => self.join(mapping, role, user).await,
                Some(false) => self.leave(mapping, role, user).await,
                None => Ok(()),
            };
            done.map_err(|error| {
                tracing::error!(role = role.name, group = %role.group, "a role's group cannot be changed: {error}");
                match error {
                    // Of the group, not of the user.
                    DirectoryError::Refused { code: ResultCode::NoSuchObject, diagnostic } => {
                        DirectoryError::Refused { code: ResultCode::InsufficientAccessRights, diagnostic }
                    }
                    other => other,
                }
            })?;
        }
        Ok(())
    }

    async fn join(&self, mapping: &Mapping, role: &Role, user: &Dn) -> Result<(), DirectoryError> {
        let groups = &mapping.groups;
        let Some((member, value)) = groups.member_attribute().zip(groups.member_value(user)) else { return Ok(()) };
        let join = Modification::new(ModifyOp::Add, member, vec![value.into_bytes()]);
        match self.directory.modify(&role.group, &[join], None, Reads::NOTHING).await {
            Err(error) if mapping.profile.says_present(&error) => Ok(()),
            done => done.map(|_| ()),
        }
    }

    async fn leave(&self, mapping: &Mapping, role: &Role, user: &Dn) -> Result<(), DirectoryError> {
        let groups = &mapping.groups;
        let Some((member, value)) = groups.member_attribute().zip(groups.member_value(user)) else { return Ok(()) };
        let leave = Modification::new(ModifyOp::Delete, member, vec![value.into_bytes()]);
        match self.directory.modify(&role.group, std::slice::from_ref(&leave), None, Reads::NOTHING).await {
            Err(error) if mapping.profile.says_absent(&error) => Ok(()),
            // It was the last one, and the group's class demands one.
            Err(error) if error.is(ResultCode::ObjectClassViolation) => {
                let changes = [groups.placeholder_change(member), leave];
                self.directory.modify(&role.group, &changes, None, Reads::NOTHING).await.map(|_| ())
            }
            done => done.map(|_| ()),
        }
    }

    /// Adds the roles to what a write brought.
    async fn finish(&self, mapping: &Mapping, asked: bool, mut written: Written) -> Result<Written, DirectoryError> {
        if let Some(after) = written.after.as_mut().filter(|_| asked) {
            let told = self.tell_written(mapping, after).await;
            // The write was done, so whatever goes wrong now is no refusal of it.
            told.map_err(|error| DirectoryError::Unknown(format!("done, and its roles were not read afterwards: {error}")))?;
        }
        Ok(written)
    }

    async fn tell_written(&self, mapping: &Mapping, after: &mut Entry) -> Result<(), DirectoryError> {
        let has = self.members(mapping, Source::Provider, std::slice::from_ref(&after.dn)).await?;
        if let Some(of) = has.get(&after.dn.key()) {
            give(mapping, of, after);
        }
        Ok(())
    }
}

#[async_trait]
impl Directory for RoleGroups {
    fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.directory.capabilities()
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchResult, DirectoryError> {
        let Some(mapping) = self.mapping() else { return self.directory.search(request).await };
        let (request, asked) = translated(&mapping, request);
        let mut found = self.directory.search(&request).await?;
        if asked {
            self.tell(&mapping, request.source, &mut found.entries).await?;
        }
        Ok(found)
    }

    async fn identifiers(&self, request: &SearchRequest, profile: &'static Profile) -> Result<Vec<Uuid>, DirectoryError> {
        let Some(mapping) = self.mapping() else { return self.directory.identifiers(request, profile).await };
        self.directory.identifiers(&translated(&mapping, request).0, profile).await
    }

    async fn add(&self, entry: &Entry, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        let Some(mapping) = self.mapping() else { return self.directory.add(entry, reads).await };
        let mut plain = Entry::new(entry.dn.clone());
        for (name, values) in entry.attributes().filter(|(name, _)| !is_role(name)) {
            plain.push(name, values.to_vec());
        }
        let (after, asked) = split(reads.after);
        let written = self.directory.add(&plain, Reads { after: &after, ..reads }).await?;
        let roles = RoleChange { add: entry.texts(ROLE_ATTRIBUTE).map(str::to_owned).collect(), ..RoleChange::default() };
        if !roles.is_empty()
            && let Err(error) = self.change(&mapping, &entry.dn, &roles).await
        {
            // A half-made account must not be acknowledged.
            for role in mapping.roles.iter().filter(|role| roles.wants(role) == Some(true)) {
                if let Err(error) = self.leave(&mapping, role, &entry.dn).await {
                    tracing::warn!(group = %role.group, "a user that could not be made whole may be a member still: {error}");
                }
            }
            if let Err(error) = self.directory.delete(&entry.dn, None, Reads::NOTHING).await {
                tracing::error!(dn = %entry.dn, "a user that could not be made whole could not be removed again: {error}");
            }
            return Err(error);
        }
        self.finish(&mapping, asked, written).await
    }

    async fn modify(
        &self,
        dn: &Dn,
        changes: &[Modification],
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        let Some(mapping) = self.mapping() else { return self.directory.modify(dn, changes, assertion, reads).await };
        let (roles, others) = RoleChange::split(changes);
        let (after, asked) = split(reads.after);
        if roles.is_empty() {
            let written = self.directory.modify(dn, &others, assertion, Reads { after: &after, ..reads }).await?;
            return self.finish(&mapping, asked, written).await;
        }
        if others.is_empty() {
            // Nothing of the entry itself changes, but it must be the one that was meant.
            let mut look = SearchRequest::entry(dn, after);
            if let Some(assertion) = assertion {
                look.filter = assertion.clone();
            }
            let entry = self.directory.search(&look).await?.entries.into_iter().next();
            let Some(entry) = entry else {
                let diagnostic = "looked at before a change of its roles".to_owned();
                return Err(DirectoryError::Refused { code: ResultCode::AssertionFailed, diagnostic });
            };
            self.change(&mapping, dn, &roles).await?;
            let after = (!reads.after.is_empty()).then_some(entry);
            return self.finish(&mapping, asked, Written { before: None, after }).await;
        }
        let written = self.directory.modify(dn, &others, assertion, Reads { after: &after, ..reads }).await?;
        self.change(&mapping, dn, &roles).await?;
        self.finish(&mapping, asked, written).await
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        self.directory.rename(dn, rdn, assertion, reads).await
    }

    async fn relocate(
        &self,
        dn: &Dn,
        parent: &Dn,
        assertion: Option<&Filter>,
        reads: Reads<'_>,
    ) -> Result<Written, DirectoryError> {
        self.directory.relocate(dn, parent, assertion, reads).await
    }

    async fn set_password(&self, dn: &Dn, password: &str) -> Result<(), DirectoryError> {
        self.directory.set_password(dn, password).await
    }

    async fn check_password(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        self.directory.check_password(dn, password).await
    }

    async fn delete(&self, dn: &Dn, assertion: Option<&Filter>, reads: Reads<'_>) -> Result<Written, DirectoryError> {
        self.directory.delete(dn, assertion, reads).await
    }

    async fn follow(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        self.directory.follow(branches, tell).await;
    }
}
