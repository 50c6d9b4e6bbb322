//! POST /Users, POST /Groups.

use super::{Context, Served, Service, check_known, error, uuid};
use crate::directory::{DirectoryError, Entry, Filter, Modification, ModifyOp, ResultCode, SearchRequest};
use crate::mapping::{Mapping, ResourceMapping};
use crate::scim::{Kind, Projection, Resource, ScimError};

impl Service {
    /// A new resource.
    pub async fn create(
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
        let ids = side.referenced_ids(&resource);
        let targets = self.cache.targets(&*self.directory, &mapping, ids.iter().map(String::as_str)).await;
        let targets = targets.map_err(|e| error::refused(side, e))?;
        check_known(cx, ids.iter().map(String::as_str), &targets)?;
        let entry = side.new_entry(&resource, &targets)?;
        if let Some(other) = side.unique_filter(&resource) {
            self.check_unique(side, other).await?;
        }
        let added = match self.add(&entry, &side.attributes(projection)).await {
            Ok(added) => added,
            Err(error) if error.is(ResultCode::EntryAlreadyExists) => return Err(self.conflict(side, &entry).await),
            Err(error) => return Err(error::refused(side, error)),
        };
        if let Some(id) = uuid(side, &added) {
            self.orders.created(kind, id);
        }
        if kind == Kind::User && !mapping.default_groups.is_empty() {
            self.join_default_groups(&mapping, side, &added).await?;
        }
        self.serve(cx, &mapping, side, &added, projection).await
    }

    /// Where the entry's name is not what must be unique, nothing but a look tells whether it is taken.
    pub(super) async fn check_unique(&self, side: &ResourceMapping, filter: Filter) -> Result<(), ScimError> {
        let mut request = SearchRequest::below(&side.base, Filter::all([side.class(), filter]), vec!["1.1".to_owned()]);
        request.size_limit = 1;
        let found = self.directory.search(&request).await.map_err(|e| error::refused(side, e))?;
        if found.entries.is_empty() { Ok(()) } else { Err(error::taken(side)) }
    }

    /// Says whether the name is taken by a managed entry or by one that SCIM does not see.
    async fn conflict(&self, side: &ResourceMapping, entry: &Entry) -> ScimError {
        let mut look = SearchRequest::entry(&entry.dn, vec!["1.1".to_owned()]);
        look.filter = side.visible();
        match self.directory.search(&look).await {
            Ok(found) if found.entries.is_empty() => error::unmanaged(side.ty.kind),
            Ok(_) | Err(_) => error::taken(side),
        }
    }

    /// Puts a new user into the groups every user joins. One that cannot be joined takes the user back out: a half-made account
    /// must not be acknowledged.
    async fn join_default_groups(&self, mapping: &Mapping, side: &ResourceMapping, user: &Entry) -> Result<(), ScimError> {
        let Some(member) = mapping.groups.member_attribute() else { return Ok(()) };
        let value = user.dn.to_string().into_bytes();
        for group in &mapping.default_groups {
            let join = Modification::new(ModifyOp::Add, member, vec![value.clone()]);
            let joined = self.directory.modify(group, &[join], None, &[]).await;
            if let Err(error) = joined
                && !error.is(ResultCode::AttributeOrValueExists)
            {
                tracing::error!(%group, "a default group cannot be joined: {error}");
                self.take_back(side, user).await;
                let missing = error.is(ResultCode::NoSuchObject);
                return Err(if missing { error::no_default_group(group) } else { error::refused(&mapping.groups, error) });
            }
        }
        Ok(())
    }

    async fn take_back(&self, side: &ResourceMapping, user: &Entry) {
        let Some(id) = side.id(user).and_then(|id| side.by_id(id)) else { return };
        if let Err(error) = self.remove(&user.dn, &id, &id).await
            && !matches!(error, DirectoryError::Refused { code: ResultCode::NoSuchObject, .. })
        {
            tracing::error!("a user that could not join its groups could not be removed again: {error}");
        }
    }
}
