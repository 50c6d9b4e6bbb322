//! Answers. Every error is a SCIM error body, whatever its status.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::auth::{Offers, Rejection, Scope};
use crate::limit::{Exhausted, Standing};
use crate::scim::{Json, ScimError};
use crate::service::Served;

/// What goes back to the client.
pub(super) type Answer = Response<Full<Bytes>>;

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A body.
pub(super) fn json(status: StatusCode, body: Json) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.into_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
    answer.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    answer
}

/// A body that is not SCIM's.
pub(super) fn plain_json(status: StatusCode, body: &Value) -> Answer {
    let mut answer = json(status, Json::of(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// 204.
pub(super) fn no_content() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    answer
}

/// 304 (RFC 9110 section 15.4.5).
pub(super) fn not_modified(version: &str) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut answer, ETAG, version);
    answer
}

/// A resource with its URL and version.
pub(super) fn resource(status: StatusCode, served: Served) -> Answer {
    let mut answer = json(status, served.resource);
    if status == StatusCode::CREATED {
        set(&mut answer, LOCATION, &served.location);
    }
    if let Some(version) = &served.version {
        set(&mut answer, ETAG, version);
    }
    answer
}

/// An error body.
pub(super) fn error(error: &ScimError) -> Answer {
    let mut answer = json(error.status, Json::of(&error.to_body()));
    if let Some(seconds) = error.retry_after {
        set(&mut answer, RETRY_AFTER, &seconds.to_string());
    }
    answer
}

/// 401 with what is on offer (RFC 6750 section 3, RFC 7617 section 2); 503 where the credential may be good.
pub(super) fn unauthorized(rejection: Rejection, offers: Offers) -> Answer {
    let Offers { bearer, basic } = offers;
    let (detail, error_parameters) = match rejection {
        Rejection::Missing if !bearer => {
            ("Show a client certificate that scimgate's configuration names (auth.certificates).", "")
        }
        Rejection::Missing => {
            ("Sign in with an API key or an access token: Authorization: Bearer <key>. In Ping choose OAuth 2 Bearer Token.", "")
        }
        Rejection::Malformed if basic => (
            "The Authorization header is not of the form: Bearer <key>, or Basic <name:key in Base64>.",
            "error=\"invalid_request\", error_description=\"expected: Bearer <key>, or Basic\"",
        ),
        Rejection::Malformed => (
            "The Authorization header is not of the form: Bearer <key>.",
            "error=\"invalid_request\", error_description=\"expected: Bearer <key>\"",
        ),
        Rejection::Unknown => (
            "This key or token is not known here. Check that it was pasted whole; `scimgate key new` makes another.",
            "error=\"invalid_token\", error_description=\"the key or token is not known\"",
        ),
        Rejection::Expired => (
            "This key or token has expired. A client gets another token by itself; `scimgate key new` makes another key, and both can be \
             live while the client is changed over.",
            "error=\"invalid_token\", error_description=\"the key or token has expired\"",
        ),
        Rejection::OtherCertificate => (
            "This token is bound to a client certificate, which the connection that it came by does not have (RFC 8705). Have the client \
             show the certificate that it got the token with.",
            "error=\"invalid_token\", error_description=\"the token is bound to another certificate\"",
        ),
        Rejection::NotYetValid => (
            "This token is not valid yet. Set the clocks of this machine and of the issuer (auth.issuers.leeway).",
            "error=\"invalid_token\", error_description=\"the token is not valid yet\"",
        ),
        Rejection::OtherAudience => (
            "This token is for another service: its `aud` is not what auth.issuers.audience says. Have the issuer make tokens for this one.",
            "error=\"invalid_token\", error_description=\"the token is for another audience\"",
        ),
        Rejection::NotAllowed => (
            "This token is not one of those that are accepted of its issuer: it lacks a claim that auth.issuers.claims asks for, or names \
             no client (auth.issuers.client_claim) by letters, digits, `-`, `_` and `.`.",
            "error=\"invalid_token\", error_description=\"the token is not one of those that are accepted of its issuer\"",
        ),
        Rejection::Unavailable => return unavailable(),
    };
    let mut answer = error(&ScimError::new(StatusCode::UNAUTHORIZED, detail));
    let mut challenge = |scheme: &str, parameters: &str| {
        let separator = if parameters.is_empty() { "" } else { ", " };
        if let Ok(value) = HeaderValue::from_str(&format!("{scheme} realm=\"scimgate\"{separator}{parameters}")) {
            answer.headers_mut().append(WWW_AUTHENTICATE, value);
        }
    };
    if bearer {
        challenge("Bearer", error_parameters);
    }
    if basic {
        challenge("Basic", "charset=\"UTF-8\"");
    }
    // A 401 has a challenge (RFC 9110 section 15.5.2), and the registry has none for certificates.
    if !bearer && !basic {
        challenge("ClientCertificate", "");
    }
    answer
}

/// 503: whether a token is good cannot be told now.
fn unavailable() -> Answer {
    let detail = "The issuer of this token cannot be asked about it; scimgate's log has the reason. Try again.";
    error(&ScimError::unavailable(5, detail))
}

/// The refusal, for lack of a scope, of one operation among others.
pub(super) fn insufficient_scope(scope: Scope) -> ScimError {
    let detail = format!(
        "This key or token does not allow it: it lacks the scope {scope}. Add the scope to the client in scimgate's configuration."
    );
    ScimError::new(StatusCode::FORBIDDEN, detail)
}

/// 403: the credential does not allow it (RFC 6750 section 3.1).
pub(super) fn forbidden(scope: Scope) -> Answer {
    let mut answer = error(&insufficient_scope(scope));
    set(&mut answer, WWW_AUTHENTICATE, &format!("Bearer realm=\"scimgate\", error=\"insufficient_scope\", scope=\"{scope}\""));
    answer
}

/// 405.
pub(super) fn method_not_allowed(allow: &'static str) -> Answer {
    let detail = format!("This method is not served here; served are: {allow}.");
    let mut answer = error(&ScimError::new(StatusCode::METHOD_NOT_ALLOWED, detail));
    set(&mut answer, ALLOW, allow);
    answer
}

/// 406: of what the client accepts there is nothing.
pub(super) fn not_acceptable() -> Answer {
    let detail = "Accept-Encoding leaves neither gzip nor identity; allow one of them.";
    error(&ScimError::new(StatusCode::NOT_ACCEPTABLE, detail))
}

/// 415 for a coded body, whatever is in it; the header tells it from other reasons (RFC 9110 section 12.5.3).
pub(super) fn coded_body() -> Answer {
    let detail = "Compressed bodies are not read. Send the body without Content-Encoding.";
    let mut answer = error(&ScimError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    set(&mut answer, ACCEPT_ENCODING, "identity");
    answer
}

/// 429.
pub(super) fn too_many_requests(exhausted: Exhausted) -> Answer {
    wait(exhausted, "This client sends more requests than it may (limits.requests_per_second).")
}

/// The same of changes.
pub(super) fn too_many_writes(exhausted: Exhausted) -> Answer {
    wait(exhausted, "This client changes more than it may (limits.writes_per_second).")
}

/// The same of attempts to sign in.
pub(super) fn too_many_failures(exhausted: Exhausted) -> Answer {
    wait(exhausted, "Too many wrong keys or tokens came from this address (limits.failures_per_minute).")
}

fn wait(exhausted: Exhausted, what: &str) -> Answer {
    let (status, detail, retry_after) = match exhausted {
        Exhausted::Until { retry_after } => {
            (StatusCode::TOO_MANY_REQUESTS, format!("{what} Wait as long as Retry-After says."), Some(retry_after))
        }
        Exhausted::Never { most } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("{what} It may have {most} at once; send fewer operations in one request."),
            None,
        ),
        Exhausted::Unknown => {
            let detail = "Whether this client may go on cannot be told: the store of shared limits is away (limits.shared), and scimgate is \
                          set to refuse then. Try again.";
            (StatusCode::SERVICE_UNAVAILABLE, detail.to_owned(), Some(1))
        }
    };
    error(&ScimError { retry_after, ..ScimError::new(status, detail) })
}

/// How much of a budget is left (draft-ietf-httpapi-ratelimit-headers-10 sections 3 and 4).
pub(super) fn rate_limit(answer: &mut Answer, standing: Standing) {
    let Standing { name, quota, window, remaining, reset } = standing;
    for (header, value) in [
        ("ratelimit-policy", format!("\"{name}\";q={quota};w={window}")),
        ("ratelimit", format!("\"{name}\";r={remaining};t={reset}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().append(HeaderName::from_static(header), value);
        }
    }
}

/// What browsers and caches are told with every answer, unless it says something else itself: to store nothing, to guess no type,
/// to run and show nothing, and to come over TLS only (RFC 6797).
pub(super) fn harden(answer: &mut Answer, over_tls: bool) {
    const PLAIN: [(HeaderName, HeaderValue); 4] = [
        (CACHE_CONTROL, NO_STORE),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let headers = answer.headers_mut();
    for (name, value) in PLAIN {
        headers.entry(name).or_insert(value);
    }
    if over_tls {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=31536000"));
    }
}

/// Sets a header. A value that cannot be one is left out: it holds what a client or a directory made up.
pub(super) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
