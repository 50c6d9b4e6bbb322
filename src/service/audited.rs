//! The operations that write, each with its line in the audit, or in shadow mode in the plan.

use std::sync::Arc;

use super::shadow::Told;
use super::{Context, Omitted, Projected, Served, Service, Shadow, error};
use crate::audit::{Activity, Audit, Journal, Journalled, Request};
use crate::directory::Directory;
use crate::scim::patch::PatchRequest;
use crate::scim::{Kind, Projection, Resource, ScimError};
use http::StatusCode;
use jiff::Timestamp;

impl Service {
    /// The same service, whose writes are audited.
    #[must_use]
    pub fn audited(self, audit: Arc<Audit>) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// The same service, whose writes are told to who looks on.
    #[must_use]
    pub fn told_to(self, activity: Arc<Activity>) -> Self {
        Self { activity: Some(activity), ..self }
    }

    /// A new resource.
    pub async fn create(
        &self,
        cx: &mut Context,
        kind: Kind,
        resource: Resource,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let Some(line) = self.line(cx, "POST", kind, None)? else {
            return self.create_resource(cx, kind, resource, projection).await;
        };
        let done = line.service.create_resource(cx, kind, resource, projection).await;
        line.write(done, |served| (StatusCode::CREATED, Some(served.id.clone()))).await
    }

    /// Makes a resource what the client sent; what it left out is treated as `omitted` says. `active` stays as it is in any case.
    pub async fn replace(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        resource: Resource,
        omitted: Omitted,
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let Some(line) = self.line(cx, "PUT", kind, Some(id))? else {
            return self.replace_resource(cx, kind, id, resource, omitted, projection).await;
        };
        let done = line.service.replace_resource(cx, kind, id, resource, omitted, projection).await;
        line.write(done, |_| (StatusCode::OK, None)).await
    }

    /// Applies the operations, all or none.
    pub async fn patch(
        &self,
        cx: &mut Context,
        kind: Kind,
        id: &str,
        patch: &PatchRequest,
        answer: Projected<'_>,
    ) -> Result<Option<Served>, ScimError> {
        let Some(line) = self.line(cx, "PATCH", kind, Some(id))? else {
            return self.patch_resource(cx, kind, id, patch, answer).await;
        };
        let done = line.service.patch_resource(cx, kind, id, patch, answer).await;
        line.write(done, |served| (if served.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT }, None)).await
    }

    /// Removes a resource, its memberships first: a directory without referential integrity would keep a name of nobody, which
    /// the next entry of that name would inherit, and one with it cannot empty a group that must have a member.
    pub async fn delete(&self, cx: &mut Context, kind: Kind, id: &str) -> Result<(), ScimError> {
        let Some(line) = self.line(cx, "DELETE", kind, Some(id))? else {
            return self.delete_resource(cx, kind, id).await;
        };
        let done = line.service.delete_resource(cx, kind, id).await;
        line.write(done, |()| (StatusCode::NO_CONTENT, None)).await
    }

    /// Begins the line of a write. `None`: it is told to nobody.
    fn line(&self, cx: &Context, method: &'static str, kind: Kind, id: Option<&str>) -> Result<Option<Line>, ScimError> {
        if self.audit.is_none() && self.activity.is_none() && self.shadow.is_none() {
            return Ok(None);
        }
        self.check_room(cx)?;
        if self.audit.as_ref().is_some_and(|audit| !audit.admits()) {
            return Err(error::unaudited_before());
        }
        let audited = self.audit.as_ref().map(|audit| audit.config().mask.clone());
        let mask = audited.or(self.shadow.as_ref().map(|(_, config)| config.mask.clone())).unwrap_or_default();
        let journal = Arc::new(Journal::default());
        let directory: Arc<dyn Directory> =
            Arc::new(Journalled::new(self.plain.clone(), journal.clone(), mask, self.audit.is_some()));
        Ok(Some(Line {
            service: self.over(directory),
            audit: self.audit.clone(),
            activity: self.activity.clone(),
            shadow: self.shadow.as_ref().map(|(shadow, _)| shadow.clone()),
            journal,
            request_id: cx.request_id.clone(),
            client: cx.client.clone(),
            address: cx.address,
            method,
            kind,
            id: id.map(str::to_owned),
            bulk: cx.bulk,
            written: false,
        }))
    }
}

/// The line of a write that is under way.
#[derive(Debug)]
struct Line {
    /// The service as this write sees it.
    service: Service,
    audit: Option<Arc<Audit>>,
    activity: Option<Arc<Activity>>,
    shadow: Option<Arc<Shadow>>,
    journal: Arc<Journal>,
    request_id: Arc<str>,
    client: Arc<str>,
    address: Option<std::net::IpAddr>,
    method: &'static str,
    kind: Kind,
    id: Option<String>,
    bulk: Option<usize>,
    written: bool,
}

impl Line {
    /// Writes the line, and only then lets the outcome be answered.
    async fn write<T>(
        mut self,
        done: Result<T, ScimError>,
        success: impl Fn(&T) -> (StatusCode, Option<String>),
    ) -> Result<T, ScimError> {
        let (status, id) = match &done {
            Ok(done) => success(done),
            Err(error) => (error.status, None),
        };
        self.id = id.or(self.id.take());
        self.written = true;
        if let Some(shadow) = &self.shadow {
            shadow.note(&self.told(), done.as_ref().map(|_| status), &self.journal, Timestamp::now());
        }
        let changed_nothing = self.journal.is_empty();
        let entry = self.entry(Some(status.as_u16()));
        if let Some(activity) = &self.activity {
            activity.note(&entry);
        }
        let Some(audit) = &self.audit else { return done };
        match audit.write(entry).await {
            Ok(()) => done,
            // Nothing was done that could be unknown to the audit.
            Err(_) if changed_nothing => done,
            Err(_) => Err(error::unaudited_after()),
        }
    }

    fn told(&self) -> Told<'_> {
        let Self { client, request_id, method, kind, id, .. } = self;
        Told { client, request_id, method, kind: *kind, id: id.as_deref() }
    }

    fn entry(&self, status: Option<u16>) -> crate::audit::Entry {
        let request = Request {
            request_id: &self.request_id,
            client: &self.client,
            address: self.address,
            method: self.method,
            resource_type: self.kind.name(),
            id: self.id.as_deref(),
            bulk: self.bulk,
            undoes: None,
        };
        self.journal.entry(request, status)
    }
}

impl Drop for Line {
    /// What was cut off in the middle is told too.
    fn drop(&mut self) {
        if self.written || self.journal.is_empty() {
            return;
        }
        if let Some(shadow) = &self.shadow {
            shadow.note(&self.told(), Err(&error::uncertain()), &self.journal, Timestamp::now());
        }
        let entry = self.entry(None);
        if let Some(activity) = &self.activity {
            activity.note(&entry);
        }
        if let Some(audit) = &self.audit {
            audit.note(entry);
        }
    }
}
