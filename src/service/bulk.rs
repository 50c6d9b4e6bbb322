//! POST /Bulk: the plan hands out operations, and those that do not wait for one another run side by side.

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::StatusCode;
use serde_json::Value;

use super::{Context, Omitted, Projected, Served, Service};
use crate::scim::bulk::{Action, Applied, BulkRequest, Ready, Ticket};
use crate::scim::patch::PatchRequest;
use crate::scim::{Kind, Projection, Resource, ScimError, ToleranceSet};

/// Operations under way at once.
const SIDE_BY_SIDE: usize = 8;

/// What one client may do in a bulk request, and how what it leaves out is treated.
#[derive(Debug, Clone)]
pub struct BulkPermission {
    /// Why it may not write users, if it may not.
    pub users: Option<ScimError>,
    /// The same for groups.
    pub groups: Option<ScimError>,
    /// What a PUT of a user does to what it leaves out.
    pub put_omitted: Omitted,
}

impl Service {
    /// Carries out the operations of a bulk request (RFC 7644 section 3.7), and answers with their results.
    pub async fn bulk(&self, cx: &mut Context, body: Value, permission: &BulkPermission) -> Result<Value, ScimError> {
        let request = BulkRequest::parse(body, &self.budgets, &mut cx.dialect)?;
        let mut plan = request.plan(&cx.base_url);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < SIDE_BY_SIDE
                && let Some(ready) = plan.ready()
            {
                running.push(self.operation(cx.single(ready.ticket.operation()), ready, permission));
            }
            let Some((ticket, outcome, used)) = running.next().await else { return Ok(plan.finish()) };
            cx.dialect.used.extend(used);
            plan.done(ticket, outcome);
        }
    }

    async fn operation(
        &self,
        mut cx: Context,
        ready: Ready,
        permission: &BulkPermission,
    ) -> (Ticket, Result<Applied, ScimError>, ToleranceSet) {
        let Ready { ticket, kind, action, version } = ready;
        cx.if_match = version;
        let refusal = match kind {
            Kind::User => &permission.users,
            Kind::Group => &permission.groups,
        };
        let outcome = match refusal {
            None => self.action(&mut cx, kind, action, permission.put_omitted).await,
            Some(error) => Err(error.clone()),
        };
        (ticket, outcome, cx.dialect.used)
    }

    async fn action(&self, cx: &mut Context, kind: Kind, action: Action, put_omitted: Omitted) -> Result<Applied, ScimError> {
        let registry = self.registry();
        let ty = registry.get(kind);
        // The response holds no resources, so none is read.
        let nothing = Projection::Only(Vec::new());
        let applied = |status: StatusCode, id: String, served: Option<Served>| {
            let version = served.and_then(|served| served.version);
            Applied { status, id, version }
        };
        match action {
            Action::Create(data) => {
                let resource = Resource::accept(data, ty, &mut cx.dialect)?;
                let served = self.create(cx, kind, resource, &nothing).await?;
                Ok(applied(StatusCode::CREATED, served.id.clone(), Some(served)))
            }
            Action::Replace(id, data) => {
                let omitted = cx.omitted(kind, &data, put_omitted);
                let resource = Resource::accept(data, ty, &mut cx.dialect)?;
                let served = self.replace(cx, kind, &id, resource, omitted, &nothing).await?;
                Ok(applied(StatusCode::OK, id, Some(served)))
            }
            Action::Patch(id, data) => {
                let patch = PatchRequest::parse(data, ty, &self.budgets, &mut cx.dialect)?;
                let (status, answer) = match kind {
                    Kind::User => (StatusCode::OK, Projected::Resource(&nothing)),
                    Kind::Group => (StatusCode::NO_CONTENT, Projected::Nothing),
                };
                let served = self.patch(cx, kind, &id, &patch, answer).await?;
                Ok(applied(status, id, served))
            }
            Action::Delete(id) => {
                self.delete(cx, kind, &id).await?;
                Ok(applied(StatusCode::NO_CONTENT, id, None))
            }
        }
    }
}
