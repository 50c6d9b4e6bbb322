//! Refusals of the token endpoint (RFC 6749 section 5.2).

use serde_json::{Value, json};

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthError {
    /// A parameter is missing, there twice, or not understood.
    InvalidRequest(&'static str),
    /// The client is not known, or its secret is another. With `basic`, it came in the Authorization header, and is asked for there.
    InvalidClient {
        /// Whether the header was used.
        basic: bool,
    },
    /// None of what was asked for may be given to this client.
    InvalidScope,
    /// Another grant than this server knows.
    UnsupportedGrantType,
    /// Something is wrong on this side.
    ServerError,
}

impl OAuthError {
    /// The status of the answer.
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::InvalidRequest(_) | Self::InvalidScope | Self::UnsupportedGrantType => http::StatusCode::BAD_REQUEST,
            Self::InvalidClient { .. } => http::StatusCode::UNAUTHORIZED,
            Self::ServerError => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body of the answer.
    pub fn to_body(self) -> Value {
        let (error, description) = match self {
            Self::InvalidRequest(what) => ("invalid_request", what),
            Self::InvalidClient { .. } => (
                "invalid_client",
                "The client id or secret is not known here. Check that both were pasted whole; `scimgate key new --client` makes others.",
            ),
            Self::InvalidScope => {
                ("invalid_scope", "This client may have none of these scopes. Leave scope out to get all that it may have.")
            }
            Self::UnsupportedGrantType => ("unsupported_grant_type", "The grant served here is client_credentials."),
            Self::ServerError => ("server_error", "No token could be made; scimgate's log has the reason."),
        };
        json!({ "error": error, "error_description": description })
    }
}
