//! The endpoints of the authorization server. Their answers are OAuth's, not SCIM's.

mod authorize;
mod page;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::body;
use super::gateway::{Gateway, HELD, Peer};
use super::response::{self, Answer};
use super::route::Endpoint;
use crate::auth::{AuthorizationServer, OAuthError, RevocationRequest, TokenRequest};
use crate::limit::Exhausted;
use crate::scim::ScimError;
use crate::telemetry::{Limit, Refusal};

/// A request for a token is short.
const LARGEST_FORM: usize = 16 << 10;

impl Gateway {
    /// Answers at an endpoint of the authorization server; with the client's name, once it has proved it.
    pub(super) async fn authorization(&self, endpoint: Endpoint, request: Request<Incoming>, peer: &Peer) -> (Arc<str>, Answer) {
        let address = peer.client;
        let nobody = self.nobody.clone();
        let Some(server) = &self.authorization_server else {
            let detail = "There is no authorization server here: use an API key, or have the administrator configure auth.oauth.";
            return (nobody, response::error(&ScimError::not_found(detail)));
        };
        match endpoint {
            Endpoint::Metadata => (nobody, response::plain_json(StatusCode::OK, &server.metadata())),
            Endpoint::Keys => (nobody, response::plain_json(StatusCode::OK, &server.jwks())),
            Endpoint::Authorize if *request.method() == Method::POST => self.sign_in(server, request, address).await,
            Endpoint::Authorize => (nobody, authorize::sign_in_page(server, &request)),
            Endpoint::Token => self.token(server, request, peer).await,
            Endpoint::Revoke => self.revoke(server, request, address).await,
        }
    }

    /// A form, within a time.
    async fn form(&self, headers: &HeaderMap, incoming: Incoming, most: usize) -> Result<Bytes, &'static str> {
        let reading = body::form(headers, incoming, most);
        let read = tokio::time::timeout(self.request_timeout.min(Duration::from_secs(10)), reading).await;
        read.unwrap_or(Err("The form did not arrive in time."))
    }

    async fn token(&self, server: &AuthorizationServer, request: Request<Incoming>, peer: &Peer) -> (Arc<str>, Answer) {
        let (head, incoming) = request.into_parts();
        let form = self.form(&head.headers, incoming, LARGEST_FORM).await.map_err(OAuthError::InvalidRequest);
        let granted = match form.and_then(|form| TokenRequest::parse(&head.headers, &form)) {
            Ok(request) => server.grant(&request, peer.certificate.as_deref()).await,
            Err(error) => Err(error),
        };
        match granted {
            Ok(granted) => self.within_budget(granted.client.clone(), || no_store(StatusCode::OK, &granted.to_body())).await,
            Err(error) => self.not_granted(error, peer.client).await,
        }
    }

    /// RFC 7009 section 2.2: it is the same whether there was anything to revoke.
    async fn revoke(&self, server: &AuthorizationServer, request: Request<Incoming>, address: IpAddr) -> (Arc<str>, Answer) {
        let (head, incoming) = request.into_parts();
        let form = self.form(&head.headers, incoming, LARGEST_FORM).await.map_err(OAuthError::InvalidRequest);
        let revoked = match form.and_then(|form| RevocationRequest::parse(&head.headers, &form)) {
            Ok(request) => server.revoke(&request).await,
            Err(error) => Err(error),
        };
        match revoked {
            Ok(client) => {
                let nothing = || {
                    let mut answer = Response::new(Full::default());
                    response::set(&mut answer, http::header::CACHE_CONTROL, "no-store");
                    answer
                };
                self.within_budget(client, nothing).await
            }
            Err(error) => self.not_granted(error, address).await,
        }
    }

    async fn within_budget(&self, client: Arc<str>, answer: impl FnOnce() -> Answer) -> (Arc<str>, Answer) {
        let answer = match self.limiter.request(&client).await {
            Ok(_) => answer(),
            Err(exhausted) => {
                self.note_limit(exhausted, Limit::Requests, &client);
                slow_down(exhausted)
            }
        };
        (client, answer)
    }

    async fn not_granted(&self, error: OAuthError, address: IpAddr) -> (Arc<str>, Answer) {
        let nobody = self.nobody.clone();
        // It is not the client's fault.
        if error.status().is_server_error() {
            return (nobody, refused(error));
        }
        self.metrics.refused(Refusal::Invalid);
        let waits = self.limiter.failure(address).err();
        if waits.is_some() {
            self.metrics.limited(Limit::Failures, &nobody);
            tokio::time::sleep(HELD).await;
        }
        (nobody, waits.map_or_else(|| refused(error), slow_down))
    }
}

/// RFC 6749 section 5.1 wants both headers.
fn no_store(status: StatusCode, body: &Value) -> Answer {
    let mut answer = response::plain_json(status, body);
    response::set(&mut answer, PRAGMA, "no-cache");
    answer
}

fn refused(error: OAuthError) -> Answer {
    let mut answer = no_store(error.status(), &error.to_body());
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        response::set(&mut answer, RETRY_AFTER, "5");
    }
    if let OAuthError::InvalidClient { basic: true } = error {
        response::set(&mut answer, WWW_AUTHENTICATE, "Basic realm=\"scimgate\", charset=\"UTF-8\"");
    }
    answer
}

fn slow_down(exhausted: Exhausted) -> Answer {
    let what = match exhausted {
        Exhausted::Until { .. } | Exhausted::Never { .. } => {
            "Too many requests or wrong secrets (limits.requests_per_second, limits.failures_per_minute). Wait as long as Retry-After says."
        }
        Exhausted::Unknown => "The store of shared limits is away (limits.shared). Try again.",
    };
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": what,
    });
    let status = match exhausted {
        Exhausted::Until { .. } | Exhausted::Never { .. } => StatusCode::TOO_MANY_REQUESTS,
        Exhausted::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = no_store(status, &body);
    let seconds = match exhausted {
        Exhausted::Until { retry_after } => retry_after,
        Exhausted::Never { .. } | Exhausted::Unknown => 1,
    };
    response::set(&mut answer, RETRY_AFTER, &seconds.to_string());
    answer
}
