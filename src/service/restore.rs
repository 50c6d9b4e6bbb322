//! Users that a DELETE leaves in the directory (`users.on_delete`), and their return.
//!
//! A deleted user is disabled, in no group, and seen by nobody: it is not found, not listed and no member. It comes back under its
//! old `id` when the same person is created again, or when a client that remembers the `id` sets `active`.

use uuid::Uuid;

use super::delete::was_refused;
use super::{Context, Service, error};
use crate::directory::profile::PasswordForm;
use crate::directory::{DirectoryError, Dn, Entry, Filter, Rdn, ResultCode, SearchRequest};
use crate::mapping::{Change, Linked, Mapping, Names, ReadContext, ResourceMapping, has_same_name, is_same_person};
use crate::scim::{Kind, Projection, Resource, ScimError};

impl Service {
    /// Puts a user out of sight instead of removing it. It is in no group any more.
    pub(super) async fn bury(
        &self,
        side: &ResourceMapping,
        entry: &Entry,
        guard: &Filter,
        identity: &Filter,
    ) -> Result<(), DirectoryError> {
        let active = side.active.read(entry);
        let mut changes = if active { side.active.changes(entry, false) } else { Vec::new() };
        changes.extend(side.burial(entry));
        if !changes.is_empty() {
            self.modify(&entry.dn, &changes, guard, &[]).await?;
        }
        let Some(base) = side.recycle_base() else { return Ok(()) };
        let moved = self.relocate(&entry.dn, base, identity, identity).await;
        if active && moved.as_ref().is_err_and(was_refused) {
            self.enable(side, &entry.dn, identity).await;
        }
        moved
    }

    /// Enables an account again whose removal was refused.
    async fn enable(&self, side: &ResourceMapping, dn: &Dn, identity: &Filter) {
        let attributes = side.attributes(&Projection::Only(Vec::new()));
        let enabled = async {
            let found = self.directory.search(&SearchRequest::entry(dn, attributes)).await?.entries.into_iter().next();
            match found.map(|entry| side.active.changes(&entry, true)).filter(|changes| !changes.is_empty()) {
                Some(changes) => self.modify(dn, &changes, identity, &[]).await.map(|_| ()),
                None => Ok(()),
            }
        };
        if let Err(error) = enabled.await {
            tracing::error!(%dn, "a user whose removal was refused could not be enabled again: {error}");
        }
    }

    /// Deleted users that satisfy this as well.
    async fn deleted(&self, side: &ResourceMapping, filter: Filter) -> Result<Vec<Entry>, ScimError> {
        let Some((base, deleted)) = side.deleted() else { return Ok(Vec::new()) };
        let request = SearchRequest::below(base, Filter::all([deleted, filter]), side.all_attributes());
        Ok(self.directory.search(&request).await.map_err(|e| error::refused(side, e))?.entries)
    }

    /// Whether a name is taken by a deleted user that stayed in its place.
    pub(super) async fn is_name_of_deleted(&self, side: &ResourceMapping, resource: &Resource) -> bool {
        let Some(like) = side.like(resource).filter(|_| side.keeps_deleted() && side.recycle_base().is_none()) else {
            return false;
        };
        let nobody = Names::new();
        let context = ReadContext { base_url: "", linked: Linked::Names(&nobody), groups: None };
        let found = self.deleted(side, like).await.unwrap_or_default();
        found.iter().any(|entry| has_same_name(&side.read(entry, context), resource))
    }

    /// Brings a deleted user back as what the client sent, if it is the same person. `None`: there is none.
    pub(super) async fn restore(
        &self,
        cx: &mut Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        resource: &Resource,
        projection: &Projection,
    ) -> Result<Option<Entry>, ScimError> {
        let Some(like) = side.like(resource).filter(|_| side.keeps_deleted()) else { return Ok(None) };
        let read = |entry: &Entry, names: &Names| {
            side.read(entry, ReadContext { base_url: "", linked: Linked::Names(names), groups: None })
        };
        let nobody = Names::new();
        let found = self.deleted(side, like).await?;
        let Some(entry) = found.iter().find(|entry| is_same_person(&read(entry, &nobody), resource)) else {
            // One that stayed in its place keeps its name from others.
            let in_the_way = |entry: &&Entry| side.recycle_base().is_none() && has_same_name(&read(entry, &nobody), resource);
            return if found.iter().any(|entry| in_the_way(&entry)) { Err(error::deleted_other()) } else { Ok(None) };
        };
        let Some(id) = side.id(entry) else { return Ok(None) };
        self.check_protected(mapping, side, &entry.dn).await?;
        let identity = side.by_uuid(id);
        let entry = self.back_in_place(side, entry, &identity).await?;
        let done = async {
            let names = self.names(mapping, &side.references(&entry)).await?;
            let old = read(&entry, &names);
            let mut new = resource.clone();
            new.map_mut().entry("active").or_insert(true.into());
            let targets = self.both_targets(cx, mapping, side, (&entry, &names), (&old, &new)).await?;
            let Change { rename, mut modifications } = side.change(&entry, &old, &new, &targets)?;
            // The marks come and go together.
            let revival = side.revival(&entry);
            modifications.retain(|change| !revival.contains(change));
            let change = Change { rename, modifications: [revival, modifications].concat() };
            let name = side.unique_filter(&new).filter(|name| side.unique_filter(&old).as_ref() != Some(name));
            if let Some(name) = name {
                self.check_unique(side, Filter::all([name, identity.clone().negated()])).await?;
            }
            let mut entry = entry.clone();
            if let Some(password) = side.password(&new).filter(|_| side.profile.password == PasswordForm::Operation) {
                self.directory.set_password(&entry.dn, password).await.map_err(|e| error::refused(side, e))?;
                // It is another version after that, and may be unlocked; the password is not set a second time.
                let again = self.directory.search(&SearchRequest::entry(&entry.dn, side.all_attributes())).await;
                entry = again.map_err(|e| error::refused(side, e))?.entries.into_iter().next().ok_or_else(error::contended)?;
            }
            self.apply(mapping, side, &id.to_string(), &entry, &change, projection).await?.ok_or_else(error::contended)
        };
        match done.await {
            Ok(restored) => {
                self.cache.created(Kind::User, id);
                Ok(Some(restored))
            }
            Err(error) => {
                self.back_to_rest(side, &entry, &identity).await;
                Err(error)
            }
        }
    }

    /// The same for a request that enables a user, which may be one that is there.
    pub(super) async fn revive_if_gone(&self, mapping: &Mapping, side: &ResourceMapping, id: &str) -> Result<bool, ScimError> {
        if !side.keeps_deleted() {
            return Ok(false);
        }
        // What is remembered may be from before.
        match self.find(side, id, side.attributes(&Projection::Only(Vec::new()))).await {
            Err(error) if error.status == http::StatusCode::NOT_FOUND => self.revive(mapping, side, id).await,
            Err(_) | Ok(_) => Ok(false),
        }
    }

    /// Enables a deleted user of this id, and says whether there was one.
    async fn revive(&self, mapping: &Mapping, side: &ResourceMapping, id: &str) -> Result<bool, ScimError> {
        let Some(identity) = side.by_id(id).filter(|_| side.keeps_deleted()) else { return Ok(false) };
        let Some(entry) = self.deleted(side, identity.clone()).await?.into_iter().next() else { return Ok(false) };
        self.check_protected(mapping, side, &entry.dn).await?;
        let entry = self.back_in_place(side, &entry, &identity).await?;
        let mut changes = side.revival(&entry);
        if !side.active.read(&entry) {
            changes.extend(side.active.changes(&entry, true));
        }
        if !changes.is_empty()
            && let Err(error) = self.modify(&entry.dn, &changes, &identity, &[]).await
        {
            self.back_to_rest(side, &entry, &identity).await;
            return Err(error::refused(side, error));
        }
        self.cache.forget(id);
        if let Ok(id) = Uuid::try_parse(id) {
            self.cache.created(Kind::User, id);
        }
        Ok(true)
    }

    /// Puts a user that was brought back out of sight again, for what it was brought back for was refused.
    pub(super) async fn bury_again(&self, side: &ResourceMapping, id: &str) {
        let buried = async {
            let identity = side.by_id(id).ok_or_else(|| error::not_found(Kind::User, id))?;
            let entry = self.find(side, id, side.attributes(&Projection::Only(Vec::new()))).await?;
            self.bury(side, &entry, &identity, &identity).await.map_err(|e| error::refused(side, e))
        };
        match buried.await {
            Ok(()) => {
                if let Ok(id) = Uuid::try_parse(id) {
                    self.cache.removed(Kind::User, id);
                }
            }
            Err(error) => tracing::error!(id, "a user that could not be restored stays restored: {}", error.detail),
        }
        self.cache.forget(id);
    }

    /// Moves an entry from the branch of the deleted to that of the users, where it was moved at all.
    async fn back_in_place(&self, side: &ResourceMapping, entry: &Entry, identity: &Filter) -> Result<Entry, ScimError> {
        if side.recycle_base().is_none() {
            return Ok(entry.clone());
        }
        let unchanged = Filter::all([identity.clone(), side.unchanged(entry)]);
        match self.relocate(&entry.dn, &side.base, &unchanged, identity).await {
            Ok(()) => {}
            Err(error) if error.is(ResultCode::AssertionFailed) || error.is(ResultCode::NoSuchObject) => {
                return Err(error::contended());
            }
            Err(error) => return Err(error::refused(side, error)),
        }
        let dn = placed(&side.base, entry.dn.rdn());
        let found = self.directory.search(&SearchRequest::entry(&dn, side.all_attributes())).await;
        found.map_err(|e| error::refused(side, e))?.entries.into_iter().next().ok_or_else(error::contended)
    }

    /// Moves it back, for it could not be restored.
    async fn back_to_rest(&self, side: &ResourceMapping, entry: &Entry, identity: &Filter) {
        if let Some(base) = side.recycle_base()
            && let Err(error) = self.relocate(&entry.dn, base, identity, identity).await
        {
            tracing::error!(dn = %entry.dn, "a user that could not be restored could not be moved back: {error}");
        }
    }
}

fn placed(base: &Dn, rdn: Option<&Rdn>) -> Dn {
    rdn.map_or_else(|| base.clone(), |rdn| base.child(rdn.clone()))
}
