//! DELETE /Users/{id}, DELETE /Groups/{id}.

use uuid::Uuid;

use super::{Context, Service, error};
use crate::directory::ResultCode;
use crate::scim::{Kind, ScimError};

impl Service {
    /// Removes a resource, its memberships first: a directory without referential integrity would keep a name of nobody, and one
    /// with it cannot empty a group that must have a member.
    pub async fn delete(&self, _cx: &mut Context, kind: Kind, id: &str) -> Result<(), ScimError> {
        let mapping = self.mapping().await?;
        Self::check_groups(&mapping, kind)?;
        let side = mapping.of(kind);
        let identity = side.by_id(id).ok_or_else(|| error::not_found(kind, id))?;
        for fresh in [false, true] {
            let home = self.home(side, id, fresh).await?;
            self.leave_groups(&mapping, &home.dn).await?;
            match self.remove(&home.dn, &identity).await {
                Ok(()) => {
                    self.cache.forget(kind, id);
                    if let Ok(id) = Uuid::try_parse(id) {
                        self.orders.removed(kind, id);
                    }
                    return Ok(());
                }
                // It was elsewhere than remembered.
                Err(error) if error.is(ResultCode::NoSuchObject) || error.is(ResultCode::AssertionFailed) => {
                    self.cache.forget(kind, id);
                }
                Err(error) => return Err(error::refused(side, error)),
            }
        }
        Err(error::not_found(kind, id))
    }
}
