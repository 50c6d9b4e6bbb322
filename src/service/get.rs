//! GET /Users/{id}, GET /Groups/{id}.

use super::{Context, Served, Service, error};
use crate::directory::Source;
use crate::scim::{Kind, Projection, ScimError};

impl Service {
    /// One resource.
    pub async fn get(&self, cx: &mut Context, kind: Kind, id: &str, projection: &Projection) -> Result<Served, ScimError> {
        let mapping = self.mapping().await?;
        if kind == Kind::Group && !mapping.groups_sync {
            return Err(error::not_found(kind, id));
        }
        let side = mapping.of(kind);
        let entry = self.find_from(Source::Replica, side, id, side.attributes(projection)).await?;
        self.serve(cx, &mapping, side, &entry, projection).await
    }
}
