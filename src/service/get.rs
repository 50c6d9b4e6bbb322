//! GET /Users/{id}, GET /Groups/{id}.

use super::{Context, Served, Service, error};
use crate::directory::Source;
use crate::mapping::{Linked, Mapping, ResourceMapping};
use crate::scim::precondition::IfNoneMatch;
use crate::scim::{Kind, Projection, ScimError};

/// What a read is answered by.
#[derive(Debug)]
pub enum Got {
    /// The resource.
    Resource(Served),
    /// The client has this version already.
    NotModified(String),
}

impl Service {
    /// One resource. A version that the client has is not read again where it is certain to be the present one.
    pub async fn get(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        projection: &Projection,
        if_none_match: Option<&IfNoneMatch>,
    ) -> Result<Got, ScimError> {
        let mapping = self.mapping().await?;
        if kind == Kind::Group && !mapping.groups_sync {
            return Err(error::not_found(kind, id));
        }
        let seen =
            |version: &String| if_none_match.is_some_and(|seen| version.parse().is_ok_and(|version| !seen.allows(&version)));
        if if_none_match.is_some()
            && let Some(version) = self.cache.version(id).filter(seen)
        {
            return Ok(Got::NotModified(version));
        }
        let served = self.read(cx, &mapping, mapping.of(kind), id, projection).await?;
        Ok(match served.version.clone().filter(seen) {
            Some(version) => Got::NotModified(version),
            None => Got::Resource(served),
        })
    }

    async fn read(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        id: &str,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let known = side.members_path().filter(|path| projection.wants(path)).and_then(|_| self.cache.members(id));
        if let Some(known) = known {
            let since = self.cache.reading();
            let entry = self.find_from(Source::Replica, side, id, side.attributes_without_members(projection)).await?;
            if side.version(&entry).as_ref() == Some(&known.version) && self.cache.members_hold(&known) {
                self.cache.note(side, &entry, since);
                return self.answer(cx, mapping, side, (&entry, Linked::Members(&known.names)), projection).await;
            }
        }
        let since = self.cache.reading();
        let entry = self.find_from(Source::Replica, side, id, side.attributes(projection)).await?;
        self.serve(cx, mapping, side, (&entry, since), projection).await
    }
}
