//! Read, work out the difference, write it: for what the operations alone do not say. Guarded by the entry's change mark, so
//! that a change made in between is not overwritten but taken into account.

use super::rails::{Act, may_be_made};
use super::{Context, Served, Service, error};
use crate::directory::profile::PasswordForm;
use crate::directory::{DirectoryError, Entry, Filter, ResultCode};
use crate::mapping::{Change, Linked, Mapping, Names, ReadContext, ResourceMapping, Targets};
use crate::scim::{Dialect, Kind, Projection, Resource, ScimError, ScimType};

/// How often it starts over when others change the same entry.
const ATTEMPTS: usize = 10;

impl Service {
    /// Turns a resource into what `next` makes of it.
    pub(super) async fn update(
        &self,
        cx: &mut Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        projection: &Projection,
        next: impl Fn(&Resource, &mut Dialect) -> Result<Resource, ScimError>,
    ) -> Result<Served, ScimError> {
        let (mut adopting, mut password_set, mut permit) = (false, None, None);
        for _ in 0..ATTEMPTS {
            let since = self.cache.reading();
            let entry = self.find(side, id, side.all_attributes()).await?;
            self.check_protected(mapping, side, &entry.dn).await?;
            adopting = !side.adoption(&entry).is_empty();
            cx.check_version(side, &entry)?;
            let names = self.names(mapping, &side.references(&entry)).await?;
            let context = ReadContext { base_url: &cx.base_url, linked: Linked::Names(&names), groups: None };
            let old = side.read(&entry, context);
            let mut new = next(&old, &mut cx.dialect)?;
            if side.ty.kind == Kind::User {
                mapping.check_roles(&new)?;
            }
            if cx.derive_missing {
                new = side.without_repeated(&old, new);
            }
            match password_set {
                // The operation is one of its own, so it goes first: it is what is likely to be refused. The entry is another
                // after it, and may have been unlocked by it.
                None if side.profile.password == PasswordForm::Operation && side.password(&new).is_some() => {
                    let password = side.password(&new).unwrap_or_default();
                    self.directory.set_password(&entry.dn, password).await.map_err(|e| error::refused(side, e))?;
                    password_set = Some(new.map().get("active").cloned());
                    cx.if_match = None;
                    continue;
                }
                Some(Some(ref active)) => {
                    new.map_mut().insert("active".to_owned(), active.clone());
                }
                None | Some(None) => {}
            }
            let targets = self.both_targets(cx, mapping, side, (&entry, &names), (&old, &new)).await?;
            let change = side.change(&entry, &old, &new, &targets)?;
            if change.is_empty() {
                return self.serve(cx, mapping, side, (&entry, since), projection).await;
            }
            let name = side.unique_filter(&new).filter(|name| side.unique_filter(&old).as_ref() != Some(name));
            if let Some((name, identity)) = name.zip(side.by_id(id)) {
                self.check_unique(side, Filter::all([name, identity.negated()])).await?;
            }
            if permit.is_none() && disables(&old, &new) {
                permit = self.rail(cx, mapping, Act::DisableUser).await?;
            }
            let applied = self.apply(mapping, side, id, &entry, &change, projection).await;
            if applied.as_ref().map_or_else(may_be_made, Option::is_some)
                && let Some(permit) = permit.take()
            {
                permit.made();
            }
            let applied = match applied {
                Err(error) if error.scim_type == Some(ScimType::Uniqueness) => {
                    Err(if self.is_name_of_deleted(side, &new).await { error::deleted_other() } else { error })
                }
                applied => applied,
            };
            match applied? {
                Some(after) => {
                    return self.serve(cx, mapping, side, (&after, since), projection).await;
                }
                None => self.cache.forget(id),
            }
        }
        Err(if adopting { error::mark_taken() } else { error::contended() })
    }

    /// The entries that the resource refers to before and after.
    pub(super) async fn both_targets(
        &self,
        cx: &mut Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        (entry, names): (&Entry, &Names),
        (old, new): (&Resource, &Resource),
    ) -> Result<Targets, ScimError> {
        let mut targets = Targets::new();
        for dn in side.references(entry) {
            if let Some(name) = names.get(&dn.key()) {
                targets.entry(name.id.to_string()).or_insert(dn);
            }
        }
        debug_assert!(side.referenced_ids(old).iter().all(|id| targets.contains_key(id)), "every reference was just read");
        let ids = side.referenced_ids(new);
        let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !targets.contains_key(*id)).collect();
        let unknown = self.targets(cx, mapping, side, unknown, []).await?;
        targets.extend(unknown);
        Ok(targets)
    }

    /// Carries a change out; `None` if the entry was changed meanwhile.
    pub(super) async fn apply(
        &self,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        entry: &Entry,
        change: &Change,
        projection: &Projection,
    ) -> Result<Option<Entry>, ScimError> {
        let read_back = side.attributes(projection);
        let identity = side.by_id(id).ok_or_else(|| error::not_found(side.ty.kind, id))?;
        let unchanged = Filter::all([identity.clone(), side.unchanged(entry)]);
        let Some(rdn) = &change.rename else {
            return match self.modify(&entry.dn, &change.modifications, &unchanged, &read_back).await {
                Ok(after) => Ok(after),
                Err(error) if meanwhile(side, &error) => Ok(None),
                Err(error) => Err(error::refused(side, error)),
            };
        };
        // The rename comes first: it is what is likely to be refused, and then nothing has been changed.
        match self.rename(&entry.dn, rdn, &unchanged, &identity).await {
            Ok(()) => {}
            Err(error) if meanwhile(side, &error) && !error::is_taken(&error) => return Ok(None),
            Err(error) => return Err(error::refused(side, error)),
        }
        self.cache.forget(id);
        let dn = entry.dn.renamed(rdn.clone());
        if !change.modifications.is_empty()
            && let Err(error) = self.modify(&dn, &change.modifications, &identity, &[]).await
        {
            if let Some(old) = entry.dn.rdn()
                && let Err(back) = self.rename(&dn, old, &identity, &identity).await
            {
                tracing::error!(id, "a rename could not be taken back after its changes were refused: {back}");
            }
            return Err(error::refused(side, error));
        }
        self.follow_rename(mapping, &entry.dn, &dn).await?;
        self.find(side, id, read_back).await.map(Some)
    }
}

/// Whether a change of a resource disables an account.
fn disables(old: &Resource, new: &Resource) -> bool {
    let active = |resource: &Resource| resource.map().get("active").and_then(serde_json::Value::as_bool).unwrap_or(true);
    active(old) && !active(new)
}

/// Whether the refusal means that the entry, or one it refers to, is no longer as it was read.
fn meanwhile(side: &ResourceMapping, error: &DirectoryError) -> bool {
    let members = || side.profile.says_present(error) || side.profile.says_absent(error);
    error.is(ResultCode::AssertionFailed)
        || error.is(ResultCode::NoSuchObject)
        || error.is(ResultCode::NoSuchAttribute)
        || error.is(ResultCode::AttributeOrValueExists)
        || side.ty.kind == Kind::Group && members()
}
