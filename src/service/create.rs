//! POST /Users, POST /Groups.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Context, Served, Service, error};
use crate::directory::profile::PasswordForm;
use crate::directory::{DirectoryError, Dn, Entry, Filter, Modification, ModifyOp, Reads, ResultCode, SearchRequest};
use crate::mapping::{Mapping, ResourceMapping};
use crate::scim::{Kind, Projection, Resource, ScimError};

impl Service {
    /// Makes a new resource.
    pub(super) async fn create_resource(
        &self,
        cx: &mut Context,
        kind: Kind,
        resource: Resource,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let mapping = self.mapping().await?;
        Self::check_groups(&mapping, kind)?;
        let side = mapping.of(kind);
        side.check_user_name(&resource)?;
        let since = self.cache.reading();
        if kind == Kind::User {
            mapping.check_roles(&resource)?;
        }
        let ids = side.referenced_ids(&resource);
        let targets = self.targets(cx, &mapping, side, ids.iter().map(String::as_str), []).await?;
        let mut entry = side.new_entry(&resource, &targets)?;
        self.check_protected(&mapping, side, &entry.dn).await?;
        if kind == Kind::User && side.profile.needs_password && side.password(&resource).is_none() {
            let unknown = unknown_password()?;
            if let Some((attribute, value)) = side.profile.password.value(&unknown) {
                entry.push(attribute, [value]);
            }
        }
        if kind == Kind::User
            && let Some(restored) = self.restore(cx, &mapping, side, &resource, projection).await?
        {
            if let Err(error) = self.join_default_groups(&mapping, &restored.dn).await {
                let id = side.id(&restored).map(|id| id.to_string()).unwrap_or_default();
                let _ = self.leave_groups(&mapping, &restored.dn, true).await;
                self.bury_again(side, &id).await;
                return Err(error);
            }
            return self.serve(cx, &mapping, side, (&restored, since), projection).await;
        }
        if let Some(other) = side.unique_filter(&resource) {
            self.check_unique(side, other).await?;
        }
        let read_back = side.attributes(projection);
        let added = match self.add(side, &entry, &read_back).await {
            Err(error) if error.is(ResultCode::EntryAlreadyExists) => match side.without_generated(&entry) {
                // The name may be free, and another that the directory can make up be taken.
                Some(rest) if self.is_free(&entry).await => self.add(side, &rest, &read_back).await,
                Some(_) | None => Err(error),
            },
            done => done,
        };
        let added = match added {
            Ok(added) => added,
            Err(error) if error::is_taken(&error) => {
                return Err(self.conflict(side, SearchRequest::entry(&entry.dn, Vec::new())).await);
            }
            Err(error) => return Err(error::refused(side, error)),
        };
        let added = self.with_password(side, &resource, added, &read_back).await?;
        if let Some(id) = side.id(&added) {
            self.cache.created(kind, id);
        }
        if kind == Kind::User && !mapping.default_groups.is_empty() {
            if let Err(error) = self.join_default_groups(&mapping, &added.dn).await {
                // A half-made account must not be acknowledged.
                self.take_back(side, &added).await;
                return Err(error);
            }
            return self.serve(cx, &mapping, side, (&added, since), projection).await;
        }
        self.serve_new(cx, &mapping, side, (&added, since), projection).await
    }

    /// Where the entry's name is not what must be unique, nothing but a look tells whether it is taken.
    pub(super) async fn check_unique(&self, side: &ResourceMapping, filter: Filter) -> Result<(), ScimError> {
        let mut request = SearchRequest::below(&side.base, Filter::all([side.class(), filter]), vec!["1.1".to_owned()]);
        request.size_limit = 1;
        let found = self.directory.search(&request).await.map_err(|e| error::refused(side, e))?;
        if found.entries.is_empty() { Ok(()) } else { Err(self.conflict(side, request).await) }
    }

    /// Sets the password of a new account where there is an operation for that. It may take the lock from the account, which is put
    /// back. An account whose password is refused is taken back out.
    async fn with_password(
        &self,
        side: &ResourceMapping,
        resource: &Resource,
        added: Entry,
        read_back: &[String],
    ) -> Result<Entry, ScimError> {
        let password = side.password(resource).filter(|_| side.profile.password == PasswordForm::Operation);
        let (Some(password), Some(identity)) = (password, side.id(&added).map(|id| side.by_uuid(id))) else { return Ok(added) };
        let set = async {
            self.directory.set_password(&added.dn, password).await?;
            let lock: Vec<Modification> = if side.active.read(&added) { Vec::new() } else { side.active.changes(&added, false) };
            if lock.is_empty() {
                let found = self.directory.search(&SearchRequest::entry(&added.dn, read_back.to_vec())).await?;
                return Ok(found.entries.into_iter().next());
            }
            self.modify(&added.dn, &lock, &identity, read_back).await
        };
        match set.await {
            Ok(after) => Ok(after.unwrap_or(added)),
            Err(error) => {
                self.take_back(side, &added).await;
                Err(error::refused(side, error))
            }
        }
    }

    /// Whether there is certainly no entry of this name.
    async fn is_free(&self, entry: &Entry) -> bool {
        let look = SearchRequest::entry(&entry.dn, vec!["1.1".to_owned()]);
        self.directory.search(&look).await.is_ok_and(|found| found.entries.is_empty())
    }

    /// Says whether the name is taken by a managed entry or by one that SCIM does not see: one of those that this search finds.
    async fn conflict(&self, side: &ResourceMapping, all: SearchRequest) -> ScimError {
        let all = SearchRequest { attributes: Arc::new(["1.1".to_owned()]), ..all };
        let deleted = side.deleted().filter(|_| side.recycle_base().is_none());
        let deleted =
            deleted.map(|(_, filter)| SearchRequest { filter: Filter::all([filter, all.filter.clone()]), ..all.clone() });
        let visible = SearchRequest { filter: Filter::all([side.visible(), all.filter.clone()]), ..all.clone() };
        let finds = async |look: &SearchRequest| self.directory.search(look).await.is_ok_and(|found| !found.entries.is_empty());
        if let Some(deleted) = deleted
            && finds(&deleted).await
        {
            return error::deleted_other();
        }
        if !finds(&visible).await && finds(&all).await { error::unmanaged(side.ty.kind) } else { error::taken(side) }
    }

    /// Puts a new user into the groups every user joins.
    async fn join_default_groups(&self, mapping: &Mapping, user: &Dn) -> Result<(), ScimError> {
        let groups = &mapping.groups;
        let Some((member, value)) = groups.member_attribute().zip(groups.member_value(user)) else { return Ok(()) };
        let value = value.into_bytes();
        for group in &mapping.default_groups {
            let join = Modification::new(ModifyOp::Add, member, vec![value.clone()]);
            let joined = self.directory.modify(group, &[join], None, Reads::NOTHING).await;
            if let Err(error) = joined
                && !mapping.profile.says_present(&error)
            {
                tracing::error!(%group, "a default group cannot be joined: {error}");
                let missing = error.is(ResultCode::NoSuchObject) || error.is(ResultCode::InsufficientAccessRights);
                return Err(if missing { error::no_default_group(group) } else { error::refused(&mapping.groups, error) });
            }
        }
        Ok(())
    }

    async fn take_back(&self, side: &ResourceMapping, user: &Entry) {
        let Some(id) = side.id(user).map(|id| side.by_uuid(id)) else { return };
        if let Err(error) = self.remove(&user.dn, &id, &id).await
            && !matches!(error, DirectoryError::Refused { code: ResultCode::NoSuchObject, .. })
        {
            tracing::error!("a user that could not be made whole could not be removed again: {error}");
        }
    }
}

/// A password that nobody knows.
fn unknown_password() -> Result<String, ScimError> {
    let mut random = [0; 36];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| error::no_randomness())?;
    // One character of each kind that a policy may demand.
    Ok(format!("aA1!{}", URL_SAFE_NO_PAD.encode(random)))
}
