//! The endpoints of the authorization server. Their answers are OAuth's, not SCIM's.

use std::sync::Arc;
use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::body;
use super::gateway::{Gateway, Peer};
use super::response::{self, Answer};
use super::route::Endpoint;
use crate::auth::{AuthorizationServer, OAuthError, TokenRequest};
use crate::limit::Exhausted;
use crate::scim::ScimError;
use crate::telemetry::Refusal;

/// A request for a token is short.
const LARGEST_FORM: usize = 16 << 10;

impl Gateway {
    /// Answers at an endpoint of the authorization server; with the client's name, once it has proved it.
    pub(super) async fn authorization(&self, endpoint: Endpoint, request: Request<Incoming>, peer: &Peer) -> (Arc<str>, Answer) {
        let nobody = self.nobody.clone();
        let Some(server) = &self.authorization_server else {
            let detail = "There is no authorization server here: use an API key, or have the administrator configure auth.oauth.";
            return (nobody, response::error(&ScimError::not_found(detail)));
        };
        match endpoint {
            Endpoint::Metadata => (nobody, response::plain_json(StatusCode::OK, &server.metadata())),
            Endpoint::Keys => (nobody, response::plain_json(StatusCode::OK, &server.jwks())),
            Endpoint::Token => self.token(server, request, peer).await,
        }
    }

    async fn token(&self, server: &AuthorizationServer, request: Request<Incoming>, peer: &Peer) -> (Arc<str>, Answer) {
        let (head, incoming) = request.into_parts();
        let reading = body::form(&head.headers, incoming, LARGEST_FORM);
        let form = match tokio::time::timeout(self.request_timeout.min(Duration::from_secs(10)), reading).await {
            Ok(Ok(form)) => form,
            Ok(Err(what)) => return (self.nobody.clone(), refused(OAuthError::InvalidRequest(what))),
            Err(_) => return (self.nobody.clone(), refused(OAuthError::InvalidRequest("The form did not arrive in time."))),
        };
        let granted =
            TokenRequest::parse(&head.headers, &form).and_then(|request| server.grant(&request, peer.certificate.as_deref()));
        match granted {
            Ok(granted) => {
                let answer = match self.limiter.request(&granted.client) {
                    Ok(_) => response::plain_json(StatusCode::OK, &granted.to_body()),
                    Err(exhausted) => {
                        self.metrics.refused(Refusal::Rate);
                        slow_down(exhausted)
                    }
                };
                (granted.client, answer)
            }
            Err(error) => {
                self.metrics.refused(Refusal::Invalid);
                let waits = self.limiter.failure(peer.address.ip()).err();
                (self.nobody.clone(), waits.map_or_else(|| refused(error), slow_down))
            }
        }
    }
}

fn refused(error: OAuthError) -> Answer {
    let mut answer = response::plain_json(error.status(), &error.to_body());
    if let OAuthError::InvalidClient { basic: true } = error {
        response::set(&mut answer, WWW_AUTHENTICATE, "Basic realm=\"scimgate\", charset=\"UTF-8\"");
    }
    answer
}

fn slow_down(exhausted: Exhausted) -> Answer {
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "Too many requests or wrong secrets (limits.requests_per_second, limits.failures_per_minute). Wait as long as \
                              Retry-After says.",
    });
    let mut answer = response::plain_json(StatusCode::TOO_MANY_REQUESTS, &body);
    let seconds = match exhausted {
        Exhausted::Until { retry_after } => retry_after,
        Exhausted::Never { .. } => 1,
    };
    response::set(&mut answer, RETRY_AFTER, &seconds.to_string());
    answer
}
