//! The one error type of the protocol (RFC 7644 section 3.12).

use http::StatusCode;
use serde_json::{Value, json};

use super::urn;

/// The `scimType` keywords of RFC 7644 table 9 and of RFC 9865 section 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter is not of the grammar, or uses what is not supported here.
    InvalidFilter,
    /// More results than the service provider is willing to compute.
    TooMany,
    /// One or more values are already in use.
    Uniqueness,
    /// A change of what cannot be changed.
    Mutability,
    /// The body is not of the expected structure.
    InvalidSyntax,
    /// A PATCH path that does not exist or is malformed.
    InvalidPath,
    /// A PATCH path with a value filter that matched nothing.
    NoTarget,
    /// A value is missing, or does not fit the attribute.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// Sensitive information in a URI.
    Sensitive,
    /// A cursor that was not given out here, or not to this client for this query.
    InvalidCursor,
    /// A cursor kept for too long.
    ExpiredCursor,
    /// A page size with a cursor that no page has.
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in an error body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal, as the client reads it: the detail names the attribute and the remedy, for an administrator is its reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The keyword, where RFC 7644 table 9 has one.
    pub scim_type: Option<ScimType>,
    /// One or two sentences: what is wrong, and what to do.
    pub detail: String,
    /// Seconds after which the client may try again (429 and 503).
    pub retry_after: Option<u32>,
}

impl ScimError {
    /// An error of any status without a keyword.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), retry_after: None }
    }

    /// 400 with a keyword.
    pub fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self { scim_type: Some(ScimType::Uniqueness), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// 503 with Retry-After in seconds.
    pub fn unavailable(retry_after: u32, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// The body of RFC 7644 section 3.12; `status` is a string there.
    pub fn to_body(&self) -> Value {
        let mut body = json!({ "schemas": [urn::ERROR], "status": self.status.as_str(), "detail": self.detail });
        if let (Some(keyword), Some(map)) = (self.scim_type, body.as_object_mut()) {
            map.insert("scimType".into(), keyword.as_str().into());
        }
        body
    }
}
