//! From an admitted request to the service, and from its result to an answer.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::GroupPatchAnswer;
use super::gateway::{Admitted, Gateway};
use super::response::{self, Answer};
use super::route::Call;
use crate::auth::{Scope, Scopes};
use crate::scim::discovery::{self, AuthenticationScheme, Features, Pagination};
use crate::scim::patch::PatchRequest;
use crate::scim::{Json, Kind, ListQuery, Projection, Resource, ScimError, list_response, openapi};
use crate::service::{BulkPermission, Context, Got, Projected, Service};

impl Gateway {
    /// Carries a call out.
    pub(super) async fn call(self: Arc<Self>, mut admitted: Admitted) -> Answer {
        let result = self.dispatch(&self.service, &mut admitted).await;
        let Context { client, request_id, dialect, .. } = &admitted.context;
        for tolerance in dialect.used.iter() {
            self.metrics.tolerated(client, tolerance.name());
            tracing::debug!(request_id = &**request_id, client = &**client, tolerance = tolerance.name(), "tolerated");
        }
        result.unwrap_or_else(|error| response::error(&error))
    }

    /// The same by a service that need not be the one that is served; tells nobody.
    pub(super) async fn dispatch(&self, service: &Service, admitted: &mut Admitted) -> Result<Answer, ScimError> {
        let Admitted { call, query, body, scopes, policy, if_none_match, context } = admitted;
        let body = body.take().unwrap_or_default();
        let registry = service.registry();
        let base = context.base_url.clone();
        match call {
            Call::ServiceProviderConfig => Ok(found(Json::of(&discovery::service_provider_config(&self.features(), &base)))),
            // Answered before there is anybody to admit.
            Call::OAuth(_) => Err(ScimError::not_found("Nothing is served here.")),
            Call::OpenApi => Ok(found(Json::of(&openapi::document(&registry, &base)))),
            Call::ResourceTypes => {
                refuse_filter(query)?;
                Ok(found(all(discovery::resource_types(&registry, &base))))
            }
            Call::ResourceType(name) => discovery::resource_type(&registry, name, &base)
                .map(|body| found(Json::of(&body)))
                .ok_or_else(|| ScimError::not_found("There is no such resource type; there are User and Group.")),
            Call::Schemas => {
                refuse_filter(query)?;
                Ok(found(all(discovery::schemas(&registry, &base))))
            }
            Call::Schema(urn) => discovery::schema(&registry, urn, &base)
                .map(|body| found(Json::of(&body)))
                .ok_or_else(|| ScimError::not_found("There is no such schema; /Schemas lists them.")),
            Call::Me => Err(ScimError::new(
                StatusCode::NOT_IMPLEMENTED,
                "/Me is not served: the credential belongs to a provisioning client, which has no entry of its own.",
            )),
            Call::Bulk => {
                let permission = BulkPermission {
                    users: lacking(*scopes, Scope::UsersWrite),
                    groups: lacking(*scopes, Scope::GroupsWrite),
                    put_omitted: policy.put_omitted,
                };
                service.bulk(context, body, &permission).await.map(|body| found(Json::of(&body)))
            }
            Call::Search(None) => service.search_all(context, &body).await.map(found),
            Call::Search(Some(kind)) => {
                let query = ListQuery::from_search_request(&body, registry.get(*kind), service.budgets(), &mut context.dialect)?;
                service.list(context, *kind, &query).await.map(found)
            }
            Call::List(kind) => {
                let query = ListQuery::from_query(query, registry.get(*kind), service.budgets(), &mut context.dialect)?;
                service.list(context, *kind, &query).await.map(found)
            }
            Call::Create(kind) => {
                let ty = registry.get(*kind);
                let projection = Projection::from_query(query, ty)?;
                let resource = Resource::accept(body, ty, &mut context.dialect)?;
                let served = service.create(context, *kind, resource, &projection).await?;
                Ok(response::resource(StatusCode::CREATED, served))
            }
            Call::Get(kind, id) => {
                let projection = Projection::from_query(query, registry.get(*kind))?;
                Ok(match service.get(context, *kind, id, &projection, if_none_match.as_ref()).await? {
                    Got::Resource(served) => response::resource(StatusCode::OK, served),
                    Got::NotModified(version) => response::not_modified(&version),
                })
            }
            Call::Replace(kind, id) => {
                let ty = registry.get(*kind);
                let projection = Projection::from_query(query, ty)?;
                let omitted = context.omitted(*kind, &body, policy.put_omitted);
                let resource = Resource::accept(body, ty, &mut context.dialect)?;
                let served = service.replace(context, *kind, id, resource, omitted, &projection).await?;
                Ok(response::resource(StatusCode::OK, served))
            }
            Call::Patch(kind, id) => {
                let ty = registry.get(*kind);
                let projection = Projection::from_query(query, ty)?;
                let patch = PatchRequest::parse(body, ty, service.budgets(), &mut context.dialect)?;
                let silent = *kind == Kind::Group && !projection.explicit() && policy.group_patch == GroupPatchAnswer::Nothing;
                let answer = if silent { Projected::Nothing } else { Projected::Resource(&projection) };
                let served = service.patch(context, *kind, id, &patch, answer).await?;
                Ok(served.map_or_else(response::no_content, |served| response::resource(StatusCode::OK, served)))
            }
            Call::Delete(kind, id) => {
                service.delete(context, *kind, id).await?;
                Ok(response::no_content())
            }
        }
    }

    fn schemes(&self) -> Vec<AuthenticationScheme> {
        let key = AuthenticationScheme {
            kind: "oauthbearertoken",
            name: "API key",
            description: "An API key as a bearer token: Authorization: Bearer <key>",
        };
        let token = AuthenticationScheme {
            kind: "oauth2",
            name: "OAuth 2.0 client credentials",
            description: "An access token of /oauth2/token as a bearer token; /.well-known/oauth-authorization-server has the rest",
        };
        let basic = AuthenticationScheme {
            kind: "httpbasic",
            name: "HTTP Basic",
            description: "The name of an API key and the key, or a client's id and secret, as user name and password",
        };
        let offers = self.authenticator.offers();
        let schemes = [(offers.bearer, key), (self.authorization_server.is_some(), token), (offers.basic, basic)];
        schemes.into_iter().filter_map(|(offered, scheme)| offered.then_some(scheme)).collect()
    }

    fn features(&self) -> Features {
        Features {
            bulk_max_operations: self.service.budgets().bulk_operations,
            bulk_max_payload: self.service.budgets().bulk_payload,
            filter_max_results: self.service.budgets().max_results,
            sort: true,
            etag: true,
            change_password: false,
            pagination: Some(Pagination {
                default_page_size: self.service.budgets().default_results,
                max_page_size: self.service.budgets().max_results,
                cursor_timeout: self.service.cursor_lifetime().as_secs(),
            }),
            authentication_schemes: self.schemes(),
        }
    }
}

/// The refusal of an operation whose scope the credential lacks.
fn lacking(scopes: Scopes, scope: Scope) -> Option<ScimError> {
    (!scopes.contains(scope)).then(|| response::insufficient_scope(scope))
}

fn found(body: Json) -> Answer {
    response::json(StatusCode::OK, body)
}

/// The whole of a short list.
fn all(resources: Vec<Value>) -> Json {
    list_response(resources.len(), 1, &resources.into_iter().collect())
}

/// RFC 7644 section 4: a filter on a discovery endpoint is answered by 403.
fn refuse_filter(query: &str) -> Result<(), ScimError> {
    let filtered = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "filter");
    if filtered {
        return Err(ScimError::new(
            StatusCode::FORBIDDEN,
            "This endpoint takes no filter (RFC 7644 section 4); read the whole list.",
        ));
    }
    Ok(())
}
