//! Results of operations (RFC 7644 section 3.7.3).

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::scim::filter::shown;
use crate::scim::{Kind, ScimError, urn};

/// What a successful operation is answered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The status a single request would have had.
    pub status: StatusCode,
    /// The resource's id.
    pub id: String,
    /// Its version afterwards, as an entity tag.
    pub version: Option<String>,
}

/// One entry of the response's `Operations`, by its members.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) method: Option<&'static str>,
    pub(super) bulk_id: Option<&'a str>,
    pub(super) location: Option<String>,
    pub(super) outcome: Result<&'a Applied, &'a ScimError>,
}

impl Entry<'_> {
    /// The entry as JSON. That of a success has no body: the client has the location (section 3.7.3 leaves it open).
    pub(super) fn to_json(&self) -> Value {
        let (status, version, response) = match self.outcome {
            Ok(applied) => (applied.status, applied.version.as_deref(), None),
            Err(error) => (error.status, None, Some(error.to_body())),
        };
        let members = [
            ("method", self.method.map(Value::from)),
            ("bulkId", self.bulk_id.map(Value::from)),
            ("location", self.location.as_deref().map(Value::from)),
            ("version", version.map(Value::from)),
            ("status", Some(status.as_str().into())),
            ("response", response),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<String, Value>>())
    }
}

/// The body of the response.
pub(super) fn response(entries: Vec<Value>) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([urn::BULK_RESPONSE]));
    body.insert("Operations".to_owned(), entries.into());
    body.into()
}

/// The URL of a resource. The id may be the client's own text.
pub(super) fn location(base_url: &str, kind: Kind, id: &str) -> String {
    let mut location = format!("{base_url}{}/", kind.endpoint());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            location.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(location, "%{byte:02X}");
        }
    }
    location
}

/// The operation that would have created what this one refers to failed.
pub(super) fn not_created(bulk_id: &str) -> ScimError {
    let detail = format!("Not attempted: it refers to the bulkId {}, whose own operation failed.", shown(bulk_id));
    ScimError::new(StatusCode::CONFLICT, detail)
}

/// The resource exists, without a reference to one that does not.
pub(super) fn incomplete(bulk_id: &str) -> ScimError {
    let detail = format!("Created, but without its references: the operation with the bulkId {} failed.", shown(bulk_id));
    ScimError::new(StatusCode::CONFLICT, detail)
}

/// The plan was given up while the operation was under way.
pub(super) fn uncertain() -> ScimError {
    ScimError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The request ended while this was under way: it may have been done or not. Look, then repeat it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_urls_whatever_the_id() {
        assert_eq!(location("https://x/scim/v2", Kind::User, "0f-1"), "https://x/scim/v2/Users/0f-1");
        assert_eq!(location("", Kind::Group, "a b/ü"), "/Groups/a%20b%2F%C3%BC");
    }
}
