//! What shadow mode did not write: counted, and as LDIF. For keys with the scope `admin`.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use super::{AdminState, text};
use crate::http::NotAdministrator;
use crate::service::Service;

/// What `/readyz` says of the mode.
pub(super) fn mode(service: &Service) -> &'static str {
    if service.shadow().is_some() { "shadow mode: nothing is written\n" } else { "" }
}

/// `GET /shadow` and `GET /shadow.ldif`.
pub(super) async fn answer<B>(request: &Request<B>, address: IpAddr, state: &AdminState) -> Response<Full<Bytes>> {
    let gateway = state.serving.gateway();
    match gateway.administrator(request.headers(), address).await {
        Ok(_) => {}
        Err(NotAdministrator::Unknown) => {
            let what = "send a key with the scope admin: Authorization: Bearer KEY\n";
            let mut answer = text(StatusCode::UNAUTHORIZED, what.to_owned());
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        Err(NotAdministrator::Scope) => {
            return text(StatusCode::FORBIDDEN, "this key lacks the scope admin, which must be named in its scopes\n".to_owned());
        }
        Err(NotAdministrator::TooMany) => {
            return text(StatusCode::TOO_MANY_REQUESTS, "too many wrong keys: try again in a minute\n".to_owned());
        }
    }
    let service = gateway.service();
    if request.uri().path() == "/shadow.ldif" {
        return service.shadow().map_or_else(off, |shadow| text(StatusCode::OK, shadow.ldif()));
    }
    service.shadow_report().map_or_else(off, |report| {
        let mut answer = text(StatusCode::OK, format!("{report:#}\n"));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    })
}

fn off() -> Response<Full<Bytes>> {
    text(StatusCode::NOT_FOUND, "this is no shadow mode: writes are made (provisioning.shadow)\n".to_owned())
}
