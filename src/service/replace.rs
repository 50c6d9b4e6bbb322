//! PUT /Users/{id}, PUT /Groups/{id}.

use super::{Context, Served, Service};
use crate::scim::{Kind, Projection, Resource, ScimError};

impl Service {
    /// Makes a resource what the client sent. `active` and, where `keep_members`, a group's members stay as they are when they
    /// were left out.
    pub async fn replace(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        resource: Resource,
        keep_members: bool,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let mapping = self.mapping().await?;
        Self::check_groups(&mapping, kind)?;
        let side = mapping.of(kind);
        side.check_user_name(&resource)?;
        let kept: &[&str] = match kind {
            Kind::User => &["active"],
            Kind::Group if keep_members => &["members"],
            Kind::Group => &[],
        };
        self.update(cx, &mapping, side, id, projection, |old, _| {
            let mut new = resource.clone();
            for name in kept {
                if let (None, Some(value)) = (new.map().get(*name), old.map().get(*name)) {
                    new.map_mut().insert((*name).to_owned(), value.clone());
                }
            }
            Ok(new)
        })
        .await
    }
}
