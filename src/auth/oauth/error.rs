//! Refusals of the token endpoint (RFC 6749 section 5.2) and of the revocation endpoint (RFC 7009 section 2.2.1).

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
    /// The code or refresh token is not good, or not this client's.
    InvalidGrant(&'static str),
    /// The client may not use this grant.
    UnauthorizedClient(&'static str),
    /// None of what was asked for may be given to this client.
    InvalidScope,
    /// Another grant than this server knows.
    UnsupportedGrantType,
    /// Something is wrong on this side.
    ServerError,
    /// The directory, or the file of revocations, is away. RFC 6749 has this word for the authorization endpoint alone, and RFC 7009
    /// section 2.2.1 the status.
    TemporarilyUnavailable,
}

impl OAuthError {
    /// The status of the answer.
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::InvalidRequest(_)
            | Self::InvalidGrant(_)
            | Self::UnauthorizedClient(_)
            | Self::InvalidScope
            | Self::UnsupportedGrantType => http::StatusCode::BAD_REQUEST,
            Self::InvalidClient { .. } => http::StatusCode::UNAUTHORIZED,
            Self::ServerError => http::StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body of the answer.
    pub fn to_body(self) -> Value {
        let (error, description) = match self {
            Self::InvalidRequest(what) => ("invalid_request", what),
            Self::InvalidGrant(what) => ("invalid_grant", what),
            Self::UnauthorizedClient(what) => ("unauthorized_client", what),
            Self::InvalidClient { .. } => (
                "invalid_client",
                "The client id or secret is not known here. Check that both were pasted whole; `scimgate key new --client` makes others.",
            ),
            Self::InvalidScope => {
                ("invalid_scope", "This client may have none of these scopes. Leave scope out to get all that it may have.")
            }
            Self::UnsupportedGrantType => {
                ("unsupported_grant_type", "The grants served here are client_credentials, authorization_code and refresh_token.")
            }
            Self::ServerError => ("server_error", "No token could be made; scimgate's log has the reason."),
            Self::TemporarilyUnavailable => (
                "temporarily_unavailable",
                "The directory, or what scimgate keeps, is away; its log has the reason. Try again soon.",
            ),
        };
        json!({ "error": error, "error_description": description })
    }
}
