//! What shadow mode did not write: counted, and as LDIF. For keys with the scope `admin`.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;

use super::{AdminState, restricted, text};
use crate::service::Service;

/// What `/readyz` says of the mode.
pub(super) fn mode(service: &Service) -> &'static str {
    if service.shadow().is_some() { "shadow mode: nothing is written\n" } else { "" }
}

/// `GET /shadow` and `GET /shadow.ldif`.
pub(super) async fn answer<B>(request: &Request<B>, address: IpAddr, state: &AdminState) -> Response<Full<Bytes>> {
    let gateway = state.serving.gateway();
    if let Err(refused) = restricted::administrator(&gateway, request.headers(), address).await {
        return refused;
    }
    let service = gateway.service();
    if request.uri().path() == "/shadow.ldif" {
        return service.shadow().map_or_else(off, |shadow| text(StatusCode::OK, shadow.ldif()));
    }
    service.shadow_report().map_or_else(off, |report| restricted::json(&report))
}

fn off() -> Response<Full<Bytes>> {
    text(StatusCode::NOT_FOUND, "this is no shadow mode: writes are made (provisioning.shadow)\n".to_owned())
}
