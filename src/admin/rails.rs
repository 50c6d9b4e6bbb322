//! The limits of deletions and deactivations: how the clients stand, and their release. For keys with the scope `admin`.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{AdminState, text};
use crate::http::NotAdministrator;
use crate::service::{Act, RailState};

/// `GET /rails` and `POST /rails/release`, the latter for `client=NAME` and `act=ACT` of the query, or for all.
pub(super) async fn answer<B>(request: &Request<B>, address: IpAddr, state: &AdminState) -> Response<Full<Bytes>> {
    let gateway = state.serving.gateway();
    let by = match gateway.administrator(request.headers(), address).await {
        Ok(by) => by,
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
    };
    let service = gateway.service();
    if request.method() != Method::POST {
        let rails: Vec<Value> = service.rails().iter().map(shown).collect();
        return json_of(&json!({ "rails": rails }));
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
    json_of(&json!({ "released": released }))
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

fn json_of(value: &Value) -> Response<Full<Bytes>> {
    let mut answer = text(StatusCode::OK, format!("{value:#}\n"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
