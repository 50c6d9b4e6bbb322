//! PATCH /Users/{id}, PATCH /Groups/{id}.

use std::sync::Arc;

use serde_json::Value;

use super::members::Members;
use super::rails::Act;
use super::{Context, Projected, Served, Service, error};
use crate::directory::{DirectoryError, Dn, Entry, Filter, Modification, ResultCode, SearchRequest};
use crate::mapping::{Mapping, MemberChange, Plan, ResourceMapping};
use crate::membership::Home;
use crate::scim::patch::{Operation, PatchRequest};
use crate::scim::precondition::changed_meanwhile;
use crate::scim::{Kind, Projection, ScimError};

impl Service {
    /// Applies the operations. One that enables a deleted user brings it back first.
    pub(super) async fn patch_resource(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        patch: &PatchRequest,
        answer: Projected<'_>,
    ) -> Result<Option<Served>, ScimError> {
        let mapping = self.mapping().await?;
        let side = mapping.of(kind);
        let revived = kind == Kind::User && sets_active(patch, true) && self.revive_if_gone(&mapping, side, id).await?;
        let done = self.patch_present(cx, (&mapping, side), id, patch, answer).await;
        if revived && done.is_err() {
            self.bury_again(side, id).await;
        }
        done
    }

    async fn patch_present(
        &self,
        cx: &mut Context,
        (mapping, side): (&Mapping, &ResourceMapping),
        id: &str,
        patch: &PatchRequest,
        answer: Projected<'_>,
    ) -> Result<Option<Served>, ScimError> {
        let kind = side.ty.kind;
        Self::check_groups(mapping, kind)?;
        let since = self.cache.reading();
        let nothing = Projection::Only(Vec::new());
        let projection = answer.projection().unwrap_or(&nothing);
        let repeats = || cx.derive_missing && patch.operations.iter().any(|one| side.may_be_made(&one.target.path));
        match side.plan(patch)? {
            Plan::Direct(_) if repeats() => {}
            // Whether it disables an account that was active tells the entry alone.
            Plan::Direct(_) if self.rails.watches(Act::DisableUser) && sets_active(patch, false) => {}
            Plan::Direct(changes) if !changes.is_empty() => {
                let entry = self.patch_directly(cx, mapping, side, id, &changes, &side.attributes(projection)).await?;
                let served = self.serve(cx, mapping, side, (&entry, since), projection).await?;
                return Ok(answer.projection().map(|_| served));
            }
            Plan::Members { change, name } => {
                let home = self.home(side, id, false).await?;
                if name.is_none_or(|name| side.is_named(&home.dn, &name)) {
                    let entry = self.patch_members(cx, mapping, side, id, &change, answer.projection()).await?;
                    return match entry {
                        Some(entry) => self.serve(cx, mapping, side, (&entry, since), projection).await.map(Some),
                        None => Ok(None),
                    };
                }
            }
            Plan::Direct(_) | Plan::ReadModifyWrite => {}
        }
        let served = self
            .update(cx, mapping, side, id, projection, |old, dialect| {
                let mut new = old.clone();
                patch.apply(&mut new, &side.ty, dialect)?;
                Ok(new)
            })
            .await?;
        Ok(answer.projection().map(|_| served))
    }

    /// Sets what needs no look at the entry. Where all of it is so already, nothing is written: clients repeat what they said, and
    /// `meta.lastModified` tells of changes.
    async fn patch_directly(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        changes: &[Modification],
        read_back: &[String],
    ) -> Result<Entry, ScimError> {
        let identity = cx.guard(side, id)?;
        let differs = Filter::all([identity.clone(), Filter::Or(changes.iter().map(to_be_done).collect())]);
        let (identity, differs) = (&identity, &differs);
        let write = |home: Arc<Home>| async move {
            if !home.owned {
                let changes: Vec<Modification> = changes.iter().cloned().chain(side.adoption_of(false)).collect();
                return self.modify(&home.dn, &changes, identity, read_back).await;
            }
            match self.modify(&home.dn, changes, differs, read_back).await {
                // Nothing is left to be done, or it is another entry. A filter may not tell values apart that differ in case.
                Err(error) if error.is(ResultCode::AssertionFailed) => {
                    let touched = changes.iter().map(|change| &change.attribute);
                    let attributes: Vec<String> = read_back.iter().chain(touched).cloned().collect();
                    let mut look = SearchRequest::entry(&home.dn, attributes);
                    look.filter = identity.clone();
                    let entry = self.directory.search(&look).await?.entries.into_iter().next().ok_or(error)?;
                    if changes.iter().all(|change| entry.values(&change.attribute) == change.values) {
                        return Ok(Some(entry));
                    }
                    self.modify(&home.dn, changes, identity, read_back).await
                }
                done => done,
            }
        };
        self.at_home(cx, mapping, side, id, write).await?.ok_or_else(|| error::not_found(side.ty.kind, id))
    }

    async fn patch_members(
        &self,
        cx: &mut Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        change: &MemberChange,
        answer: Option<&Projection>,
    ) -> Result<Option<Entry>, ScimError> {
        let identity = cx.guard(side, id)?;
        let read_back = answer.map(|projection| side.attributes(projection)).unwrap_or_default();
        let (identity, read_back) = (&identity, &read_back);
        if let Some(members) = self.believed_leavers(mapping, change) {
            let members = &members;
            let write = |home: Arc<Home>| async move {
                let adoption: Vec<Modification> = side.adoption_of(home.owned).collect();
                match self.change_members(side, &home, identity, members, &adoption, read_back).await {
                    Err(error) if side.profile.says_absent(&error) => Ok(None),
                    done => done.map(Some),
                }
            };
            if let Some(done) = self.at_home(cx, mapping, side, id, write).await? {
                return Ok(done);
            }
            // Somebody is no member, or is one by another name by now: that is looked at.
        }
        let (coming, going) = (change.add.iter().map(String::as_str), change.remove.iter().map(String::as_str));
        let targets = self.targets(cx, mapping, side, coming, going).await?;
        let names = |ids: &[String]| ids.iter().filter_map(|id| targets.get(id)).cloned().collect();
        let members = &Members { add: names(&change.add), remove: names(&change.remove), believed: false };
        let write = |home: Arc<Home>| async move {
            let adoption: Vec<Modification> = side.adoption_of(home.owned).collect();
            self.change_members(side, &home, identity, members, &adoption, read_back).await
        };
        self.at_home(cx, mapping, side, id, write).await
    }

    /// A change that only takes members away, by the names that they have as far as the directory has told. Under another name one of
    /// them would not be found, and nobody else is taken away in its place. (Whoever is added is looked at: under a name that is no
    /// longer its own it would be no member, and nothing would tell.)
    fn believed_leavers(&self, mapping: &Mapping, change: &MemberChange) -> Option<Members> {
        let kinds = mapping.member_kinds();
        let name = |id: &String| kinds.iter().find_map(|kind| self.cache.certain_name(mapping.of(*kind), id));
        let remove: Vec<Dn> = change.remove.iter().map(name).collect::<Option<_>>()?;
        (change.add.is_empty() && !remove.is_empty()).then(|| Members { add: Vec::new(), remove, believed: true })
    }

    /// Runs a write where the resource was last seen, and once more where the directory says it is, if it was not there.
    async fn at_home<T, F: Future<Output = Result<T, DirectoryError>>>(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        write: impl Fn(Arc<Home>) -> F,
    ) -> Result<T, ScimError> {
        let mut fresh = false;
        loop {
            let home = self.home(side, id, fresh).await?;
            self.check_protected(mapping, side, &home.dn).await?;
            match write(home.clone()).await {
                Ok(done) => {
                    if !home.owned {
                        self.cache.forget(id);
                    }
                    return Ok(done);
                }
                Err(error) if !fresh && elsewhere(&error, &home) => {
                    self.cache.forget(id);
                    fresh = true;
                }
                // It was just there; a member that is to be added may be gone instead.
                Err(error) if error.is(ResultCode::NoSuchObject) && side.profile.linked_members => return Err(error::contended()),
                Err(error) if error.is(ResultCode::NoSuchObject) => return Err(error::not_found(side.ty.kind, id)),
                Err(error) if error.is(ResultCode::AttributeOrValueExists) && !home.owned => return Err(error::mark_taken()),
                Err(error) if error.is(ResultCode::AssertionFailed) && cx.if_match.is_some() => return Err(changed_meanwhile()),
                Err(error) => return Err(error::refused(side, error)),
            }
        }
    }
}

/// Whether the operations enable an account, or disable it.
fn sets_active(patch: &PatchRequest, active: bool) -> bool {
    let sets = |operation: &Operation| {
        operation.target.path.is_core("active", None) && operation.value.as_ref().and_then(Value::as_bool) == Some(active)
    };
    patch.operations.iter().any(sets)
}

/// Matches an entry that does not have the values yet.
fn to_be_done(change: &Modification) -> Filter {
    if change.values.is_empty() {
        return Filter::Present(change.attribute.clone());
    }
    Filter::all(change.values.iter().map(|value| Filter::Equal(change.attribute.clone(), value.clone()))).negated()
}

/// Whether the entry is not, or not as, it was remembered.
fn elsewhere(error: &DirectoryError, home: &Home) -> bool {
    error.is(ResultCode::NoSuchObject)
        || error.is(ResultCode::AssertionFailed)
        || (!home.owned && error.is(ResultCode::AttributeOrValueExists))
}
