//! The limits of deletions and deactivations: how the clients stand, and their release. For keys with the scope `admin`.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{AdminState, restricted, text};
use crate::service::{Act, RailState};

/// `GET /rails` and `POST /rails/release`, the latter for `client=NAME` and `act=ACT` of the query, or for all.
pub(super) async fn answer<B>(request: &Request<B>, address: IpAddr, state: &AdminState) -> Response<Full<Bytes>> {
    let gateway = state.serving.gateway();
    let by = match restricted::administrator(&gateway, request.headers(), address).await {
        Ok(by) => by,
        Err(refused) => return refused,
    };
    let service = gateway.service();
    if request.method() != Method::POST {
        let rails: Vec<Value> = service.rails().iter().map(shown).collect();
        return restricted::json(&json!({ "rails": rails }));
    }
    let (mut client, mut act) = (None, None);
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        match &*name {
            "client" => client = Some(value.into_owned()),
            "act" => match Act::ALL.into_iter().find(|act| act.name() == value) {
                Some(known) => act = Some(known),
                None => return text(StatusCode::BAD_REQUEST, "act is delete-user, delete-group or disable-user\n".to_owned()),
            },
            _ => return text(StatusCode::BAD_REQUEST, "there are the parameters client and act\n".to_owned()),
        }
    }
    let released = service.release_rails(client.as_deref(), act, &by);
    let released: Vec<Value> = released.iter().map(|(client, act)| json!({ "client": **client, "act": act.name() })).collect();
    restricted::json(&json!({ "released": released }))
}

fn shown(state: &RailState) -> Value {
    json!({
        "client": *state.client,
        "act": state.act.name(),
        "done": state.done,
        "limit": state.limit,
        "reached": state.reached,
        "until": state.until.map(|until| until.to_string()),
    })
}
