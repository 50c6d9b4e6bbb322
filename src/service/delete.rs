//! DELETE /Users/{id}, DELETE /Groups/{id}.

use uuid::Uuid;

use super::rails::Act;
use super::{Context, Service, error};
use crate::directory::{DirectoryError, ResultCode};
use crate::scim::precondition::changed_meanwhile;
use crate::scim::{Kind, Projection, ScimError};

/// How often it is looked for anew when others rename it at the same time.
const ATTEMPTS: usize = 2;

impl Service {
    /// Removes a resource, its memberships first.
    pub(super) async fn delete_resource(&self, cx: &mut Context, kind: Kind, id: &str) -> Result<(), ScimError> {
        let mapping = self.mapping().await?;
        Self::check_groups(&mapping, kind)?;
        let side = mapping.of(kind);
        let identity = side.by_id(id).ok_or_else(|| error::not_found(kind, id))?;
        let guard = cx.guard(side, id)?;
        let buries = kind == Kind::User && side.keeps_deleted();
        let mut permit = None;
        for _ in 0..ATTEMPTS {
            // Memberships are given up by name, so the name must be today's, and not for a version that is known to be old.
            let entry = self.find(side, id, side.attributes(&Projection::Only(Vec::new()))).await?;
            self.check_protected(&mapping, side, &entry.dn).await?;
            cx.check_version(side, &entry)?;
            if permit.is_none() {
                permit = self.rail(cx, &mapping, Act::delete(kind)).await?;
            }
            let left = self.leave_groups(&mapping, &entry.dn, buries).await?;
            let removed = if buries {
                self.bury(side, &entry, &guard, &identity).await
            } else {
                self.remove(&entry.dn, &guard, &identity).await
            };
            if removed.as_ref().map_or_else(may_be_done, |()| true)
                && let Some(permit) = permit.take()
            {
                permit.made();
            }
            if removed.as_ref().is_err_and(was_refused) {
                self.rejoin_groups(&mapping, &entry.dn, &left).await;
            }
            match removed {
                Ok(()) => {
                    self.cache.forget(id);
                    if let Ok(id) = Uuid::try_parse(id) {
                        self.cache.removed(kind, id);
                    }
                    return Ok(());
                }
                // It was renamed or changed meanwhile.
                Err(error) if error.is(ResultCode::NoSuchObject) || error.is(ResultCode::AssertionFailed) => {
                    self.cache.forget(id);
                }
                Err(error) if buries && error.is(ResultCode::EntryAlreadyExists) => return Err(error::recycled_twice(side)),
                Err(error) => return Err(error::refused(side, error)),
            }
        }
        Err(if cx.if_match.is_some() { changed_meanwhile() } else { error::not_found(kind, id) })
    }
}

/// Whether it may have been removed all the same.
fn may_be_done(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Unknown(_) | DirectoryError::Malformed(_) => true,
        DirectoryError::Refused { .. } | DirectoryError::NotSent(_) => false,
    }
}

/// Whether the entry is certainly there still, under this name.
pub(super) fn was_refused(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Refused { code, .. } => *code != ResultCode::NoSuchObject,
        DirectoryError::NotSent(_) => true,
        DirectoryError::Unknown(_) | DirectoryError::Malformed(_) => false,
    }
}
