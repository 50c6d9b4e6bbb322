//! PUT /Users/{id}, PUT /Groups/{id}.

use serde_json::Value;

use super::{Context, Served, Service};
use crate::scim::{Kind, Projection, Resource, ScimError};

/// What a PUT does to what it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Omitted {
    /// It is cleared (RFC 7644 section 3.5.1), as far as the attribute map reaches.
    #[default]
    Clear,
    /// It stays.
    Keep,
}

impl Service {
    /// Makes a resource what the client sent.
    pub(super) async fn replace_resource(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        resource: Resource,
        omitted: Omitted,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let mapping = self.mapping().await?;
        Self::check_groups(&mapping, kind)?;
        let side = mapping.of(kind);
        side.check_user_name(&resource)?;
        let enables = kind == Kind::User && resource.map().get("active").and_then(Value::as_bool) == Some(true);
        let revived = enables && self.revive_if_gone(&mapping, side, id).await?;
        let done = self.update(cx, &mapping, side, id, projection, |old, _| {
            let mut new = resource.clone();
            for path in side.ty.attributes() {
                let stays = omitted == Omitted::Keep || (path.extension.is_none() && path.attribute.name == "active");
                if let (true, None, Some(value)) = (stays, new.attribute(&path), old.attribute(&path)) {
                    new.set(&path, value.clone());
                }
            }
            Ok(new)
        });
        let done = done.await;
        if revived && done.is_err() {
            self.bury_again(side, id).await;
        }
        done
    }
}
