//! The endpoints of the authorization server. Their answers are OAuth's, not SCIM's.

use std::sync::Arc;
use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::body;
use super::gateway::Gateway;
use super::response::{self, Answer};
use super::route::Endpoint;
use crate::auth::{AuthorizationServer, OAuthError, TokenRequest};
use crate::scim::ScimError;
use crate::telemetry::Refusal;

/// A request for a token is short.
const LARGEST_FORM: usize = 16 << 10;

impl Gateway {
    /// Answers at an endpoint of the authorization server; with the client's name, once it has proved it.
    pub(super) async fn authorization(&self, endpoint: Endpoint, request: Request<Incoming>) -> (Arc<str>, Answer) {
        let nobody = self.nobody.clone();
        let Some(server) = &self.authorization_server else {
            let detail = "There is no authorization server here: use an API key, or have the administrator configure auth.oauth.";
            return (nobody, response::error(&ScimError::not_found(detail)));
        };
        match endpoint {
            Endpoint::Metadata => (nobody, response::plain_json(StatusCode::OK, &server.metadata())),
            Endpoint::Keys => (nobody, response::plain_json(StatusCode::OK, &server.jwks())),
            Endpoint::Token => self.token(server, request).await,
        }
    }

    async fn token(&self, server: &AuthorizationServer, request: Request<Incoming>) -> (Arc<str>, Answer) {
        let (head, incoming) = request.into_parts();
        let reading = body::form(&head.headers, incoming, LARGEST_FORM);
        let form = match tokio::time::timeout(self.request_timeout.min(Duration::from_secs(10)), reading).await {
            Ok(Ok(form)) => form,
            Ok(Err(what)) => return (self.nobody.clone(), refused(OAuthError::InvalidRequest(what))),
            Err(_) => return (self.nobody.clone(), refused(OAuthError::InvalidRequest("The form did not arrive in time."))),
        };
        let granted = TokenRequest::parse(&head.headers, &form).and_then(|request| server.grant(&request));
        let client = granted.as_ref().map_or(&self.nobody, |granted| &granted.client).clone();
        if let Err(exhausted) = self.limiter.check(&client) {
            self.metrics.refused(Refusal::Rate);
            return (client, slow_down(exhausted.retry_after));
        }
        let answer = match granted {
            Ok(granted) => response::plain_json(StatusCode::OK, &granted.to_body()),
            Err(error) => {
                self.metrics.refused(Refusal::Invalid);
                refused(error)
            }
        };
        (client, answer)
    }
}

fn refused(error: OAuthError) -> Answer {
    let mut answer = response::plain_json(error.status(), &error.to_body());
    if let OAuthError::InvalidClient { basic: true } = error {
        response::set(&mut answer, WWW_AUTHENTICATE, "Basic realm=\"scimgate\", charset=\"UTF-8\"");
    }
    answer
}

fn slow_down(seconds: u32) -> Answer {
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "This client asks for too much at once (limits.requests_per_second). Wait as long as Retry-After says.",
    });
    let mut answer = response::plain_json(StatusCode::TOO_MANY_REQUESTS, &body);
    response::set(&mut answer, RETRY_AFTER, &seconds.to_string());
    answer
}
