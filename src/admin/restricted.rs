//! Who is let to what only administrators may see, as the pages for programs answer it.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::text;
use crate::http::{Gateway, NotAdministrator};

/// The client whose key has the scope `admin`.
///
/// # Errors
/// The answer to everybody else.
pub(super) async fn administrator(
    gateway: &Gateway,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Arc<str>, Response<Full<Bytes>>> {
    gateway.administrator(headers, address).await.map_err(|refused| match refused {
        NotAdministrator::Unknown => {
            let what = "send a key with the scope admin: Authorization: Bearer KEY\n";
            let mut answer = text(StatusCode::UNAUTHORIZED, what.to_owned());
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
        NotAdministrator::Scope => {
            text(StatusCode::FORBIDDEN, "this key lacks the scope admin, which must be named in its scopes\n".to_owned())
        }
        NotAdministrator::TooMany => {
            text(StatusCode::TOO_MANY_REQUESTS, "too many wrong keys: try again in a minute\n".to_owned())
        }
    })
}

/// An answer for programs.
pub(super) fn json(value: &Value) -> Response<Full<Bytes>> {
    let mut answer = text(StatusCode::OK, format!("{value:#}\n"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
