//! Who is let to the console at all: by the name it was asked by, and by the page that asks.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Answer, whole};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nothing but our own files, and nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Refuses a name that is not ours: another site's name may be made to lead here, and its pages would count as ours (DNS
/// rebinding). Addresses cannot.
pub(super) fn check_host(headers: &HeaderMap, hosts: &[String]) -> Result<(), Refused> {
    let authority = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let is_ours = authority.is_some_and(|authority| {
        let host = authority.host();
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok();
        is_address || host.eq_ignore_ascii_case("localhost") || hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    });
    let what = "The console is opened by localhost, by an address, or by a name that admin.hosts lists.";
    if is_ours { Ok(()) } else { Err(Refused(StatusCode::MISDIRECTED_REQUEST, what)) }
}

/// Refuses a form that a page of another site sends.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Refused> {
    let by_site = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let by_origin = headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.as_bytes();
        let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    });
    let what = "This form was sent by a page of another site.";
    if by_site && by_origin { Ok(()) } else { Err(Refused(StatusCode::FORBIDDEN, what)) }
}

/// Why a request goes no further.
#[derive(Debug)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) &'static str);

impl From<Refused> for Answer {
    fn from(Refused(status, what): Refused) -> Self {
        refused(status, what)
    }
}

/// A refusal in plain text.
pub(super) fn refused(status: StatusCode, what: &str) -> Answer {
    let mut answer = whole(status, format!("{what}\n"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// What every answer says of how it may be used.
pub(super) fn harden(answer: &mut Answer) {
    let headers = answer.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_name_that_is_not_ours_is_no_way_in() {
        let known = ["scim-admin.example.com".to_owned()];
        let let_in = |host| check_host(&headers(&[(HOST, host)]), &known).is_ok();
        for ours in ["localhost:9090", "LOCALHOST", "127.0.0.1:9090", "[::1]:9090", "10.1.2.3", "scim-admin.example.com:1"] {
            assert!(let_in(ours), "{ours}");
        }
        for foreign in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:9090", "", "[::1", "a b"] {
            assert!(!let_in(foreign), "{foreign}");
        }
        assert!(check_host(&HeaderMap::new(), &known).is_err());
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        let sent = |more: &[(HeaderName, &'static str)]| {
            let mut all = vec![(HOST, "localhost:9090")];
            all.extend_from_slice(more);
            check_origin(&headers(&all)).is_ok()
        };
        assert!(sent(&[]) && sent(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "http://localhost:9090")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!sent(&[(SEC_FETCH_SITE, site)]), "{site}");
        }
        for origin in ["null", "http://localhost:9091", "http://evil.example", "localhost:9090"] {
            assert!(!sent(&[(ORIGIN, origin)]), "{origin}");
        }
    }
}
