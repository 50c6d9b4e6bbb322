//! GET /Users/{id}, GET /Groups/{id}.

use std::sync::Arc;

use uuid::Uuid;

use super::{Context, Served, Service, error};
use crate::directory::{Entry, Source};
use crate::mapping::{Linked, Mapping, ResourceMapping};
use crate::membership::Members;
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
        let wanted = Wanted::of(side, projection);
        if let Some(Remembered { entry, members }) =
            ResourceMapping::parse_id(id).and_then(|id| self.remembered(side, id, &wanted))
        {
            if let Some(members) = &members {
                return self.answer(cx, mapping, side, (&entry, Linked::Members(&members.names)), projection).await;
            }
            let names = self.names(mapping, &side.references(&entry)).await?;
            return self.answer(cx, mapping, side, (&entry, Linked::Names(&names)), projection).await;
        }
        let since = self.cache.reading();
        if let Some(known) = wanted.members.then(|| self.cache.members(id)).flatten() {
            let entry = self.find_from(Source::Replica, side, id, wanted.attributes.clone()).await?;
            if side.version(&entry).as_ref() == Some(&known.version) && self.cache.members_hold(&known) {
                self.cache.note(side, &entry, since);
                self.cache.note_entry(side, &entry, &wanted.attributes, since);
                return self.answer(cx, mapping, side, (&entry, Linked::Members(&known.names)), projection).await;
            }
        }
        let since = self.cache.reading();
        let entry = self.find_from(Source::Replica, side, id, side.attributes(projection)).await?;
        self.serve(cx, mapping, side, (&entry, since), projection).await
    }

    /// What a search for the entry of a resource would bring now, where that is certain without one.
    fn remembered(&self, side: &ResourceMapping, id: Uuid, wanted: &Wanted) -> Option<Remembered> {
        self.with_members(side, id, self.cache.entry(side, id, &wanted.attributes)?, wanted)
    }

    /// The same of many.
    pub(super) fn all_remembered(&self, side: &ResourceMapping, ids: &[Uuid], wanted: &Wanted) -> Vec<Option<Remembered>> {
        let entries = self.cache.entries(side, ids, &wanted.attributes);
        ids.iter().zip(entries).map(|(id, entry)| self.with_members(side, *id, entry?, wanted)).collect()
    }

    fn with_members(&self, side: &ResourceMapping, id: Uuid, entry: Entry, wanted: &Wanted) -> Option<Remembered> {
        if !wanted.members {
            return Some(Remembered { entry, members: None });
        }
        let members =
            self.cache.members(&id.to_string()).filter(|members| side.version(&entry).as_ref() == Some(&members.version));
        members.map(|members| Remembered { entry, members: Some(members) })
    }
}

/// What is wanted of entries so that they can be shown.
pub(super) struct Wanted {
    /// Of a group whose members are to be shown, without them.
    pub(super) attributes: Arc<[String]>,
    /// Whether they are.
    members: bool,
}

impl Wanted {
    pub(super) fn of(side: &ResourceMapping, projection: &Projection) -> Self {
        Self { attributes: side.attributes_without_members(projection), members: shows_members(side, projection) }
    }
}

/// An entry that is remembered.
pub(super) struct Remembered {
    /// As it is; of a group whose members are to be shown, without them.
    pub(super) entry: Entry,
    /// Those members.
    pub(super) members: Option<Arc<Members>>,
}

fn shows_members(side: &ResourceMapping, projection: &Projection) -> bool {
    side.members_path().is_some_and(|path| projection.wants(&path))
}
