//! What of a message's header is for the next hop alone, and what a proxy adds of its own (RFC 9110 section 7.6, RFC 7239).

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::http::proxies::{Way, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, is_host};

/// Those of RFC 9110 section 7.6.1, and those that are between two neighbours only (section 11.7).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
];

/// By which frameworks let a header say what the path is: past our look at the path.
const PATHS: [&str; 4] = ["x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri"];
/// Further ones that tell of a client, which a client could make up.
const TELLING: [&str; 5] = ["x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-host"];

/// The one protocol that a connection may be changed to. Others, HTTP/2 in clear above all, would carry requests that nobody looks at.
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Takes out what is for this hop alone, what `Connection` names among it.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let named: Vec<HeaderName> = lines.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a request asks to go on by the WebSocket protocol (RFC 6455 section 4.1).
pub(super) fn is_websocket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && has_token(headers, &CONNECTION, b"upgrade")
        && is_to_websocket(headers)
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
}

/// Whether this names the WebSocket protocol and no other.
pub(super) fn is_to_websocket(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(UPGRADE).iter();
    given.next().is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket")) && given.next().is_none()
}

/// Says that the next hop is to go on by it.
pub(super) fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Whether the client waits for a word before it sends the body (RFC 9110 section 10.1.1).
pub(super) fn expects_continue(headers: &HeaderMap) -> bool {
    has_token(headers, &EXPECT, b"100-continue")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let mut tokens = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
}

/// `Max-Forwards`, which binds requests that ask about the way itself (RFC 9110 section 7.6.2). What is no number is not there.
pub(super) fn forwards_left(method: &Method, headers: &HeaderMap) -> Option<u64> {
    if !matches!(*method, Method::OPTIONS | Method::TRACE) {
        return None;
    }
    headers.get(MAX_FORWARDS)?.to_str().ok()?.trim().parse().ok()
}

/// Whom a request is for: of its target, else of the one `Host` that it has (RFC 9112 section 3.2).
///
/// # Errors
/// What is wrong.
pub(super) fn authority(uri: &Uri, headers: &HeaderMap) -> Result<String, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("it has more than one Host");
    }
    let from_header = || host.and_then(|host| host.to_str().ok());
    let text = uri.authority().map(http::uri::Authority::as_str).or_else(from_header);
    text.filter(|text| is_host(text)).map(str::to_owned).ok_or("it has no Host, or one that is none")
}

/// Puts what we say of a request in the place of what others said of it.
pub(super) fn forward(headers: &mut HeaderMap, way: &Way, secure: bool, host: &str) {
    let made_up = |name: &HeaderName| {
        // What gateways of CGI's kind hand on cannot be told apart: X_Forwarded_For is X-Forwarded-For there.
        let name = name.as_str().replace('_', "-");
        let ours = name == "forwarded" || ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].contains(&name.as_str());
        let telling = name.starts_with("x-forwarded") || TELLING.contains(&name.as_str());
        ours || PATHS.contains(&name.as_str()) || (telling && !way.trusted)
    };
    let names: Vec<HeaderName> = headers.keys().filter(|name| made_up(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    let host = way.host.as_deref().unwrap_or(host);
    let proto = if way.secure.unwrap_or(secure) { "https" } else { "http" };
    let hops: Vec<String> = way.hops.iter().map(ToString::to_string).collect();
    set(headers, X_FORWARDED_FOR, &hops.join(", "));
    set(headers, X_FORWARDED_PROTO, proto);
    set(headers, X_FORWARDED_HOST, host);
    let elements: Vec<String> = way.hops.iter().map(|hop| format!("for={}", node(*hop))).collect();
    let (first, others) = elements.split_first().map_or(("", &[][..]), |(first, others)| (first.as_str(), others));
    let told = format!("{first};host=\"{host}\";proto={proto}");
    set(
        headers,
        FORWARDED,
        &std::iter::once(told.as_str()).chain(others.iter().map(String::as_str)).collect::<Vec<_>>().join(", "),
    );
}

/// An address as RFC 7239 section 6 writes it.
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

/// HTTP/2 may divide cookies among several lines, HTTP/1.1 may not (RFC 9113 section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(mut joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..]))
    {
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    }
}

/// Adds us to those a message came through (RFC 9110 section 7.6.3).
pub(super) fn via(headers: &mut HeaderMap, version: Version, name: &str) {
    let version = match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    if let Ok(value) = HeaderValue::from_str(&format!("{version} {name}")) {
        headers.append(VIA, value);
    }
}

/// Whether a message came through the one of this name already.
pub(super) fn came_through(headers: &HeaderMap, name: &str) -> bool {
    let lines = headers.get_all(VIA).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split([',', ' '])).any(|word| word == name)
}

pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn text(headers: &HeaderMap, name: &str) -> String {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn what_is_for_one_hop_stays_there() {
        let mut given = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", "te"),
            ("te", "trailers"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("authorization", "Bearer x"),
            ("trailer", "x-sum"),
        ]);
        remove_hop_by_hop(&mut given);
        let mut left: Vec<&str> = given.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "trailer"]);
    }

    #[test]
    fn only_websockets_are_gone_on_by() {
        let asks = |method: Method, lines: &[(&'static str, &'static str)]| {
            let mut request = Request::builder().method(method).body(()).unwrap();
            *request.headers_mut() = headers(lines);
            is_websocket(&request)
        };
        assert!(asks(Method::GET, &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]));
        for lines in [
            &[("connection", "upgrade"), ("upgrade", "h2c")][..],
            &[("connection", "upgrade"), ("upgrade", "websocket, h2c")],
            &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")],
            &[("connection", "close"), ("upgrade", "websocket")],
            &[("connection", "upgrade"), ("upgrade", "websocket"), ("content-length", "5")],
            &[("connection", "upgrade"), ("upgrade", "websocket"), ("transfer-encoding", "chunked")],
        ] {
            assert!(!asks(Method::GET, lines), "{lines:?}");
        }
        assert!(!asks(Method::POST, &[("connection", "upgrade"), ("upgrade", "websocket")]));
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_handed_on() {
        let lines = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
        ];
        let direct = Way { hops: vec!["2001:db8::1".parse().unwrap()], trusted: false, secure: None, host: None };
        let mut given = headers(&lines);
        forward(&mut given, &direct, false, "app.example:8443");
        let mut left: Vec<String> = given.keys().map(|name| format!("{name}: {}", text(&given, name.as_str()))).collect();
        left.sort_unstable();
        let expected = [
            "forwarded: for=\"[2001:db8::1]\";host=\"app.example:8443\";proto=http",
            "x-forwarded-for: 2001:db8::1",
            "x-forwarded-host: app.example:8443",
            "x-forwarded-proto: http",
        ];
        assert_eq!(left, expected);

        let hops = vec!["198.51.100.7".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        let behind = Way { hops, trusted: true, secure: Some(true), host: Some("public.example".to_owned()) };
        let mut given = headers(&lines);
        forward(&mut given, &behind, false, "inside:8443");
        assert_eq!(text(&given, "x-forwarded-for"), "198.51.100.7, 10.0.0.1");
        assert_eq!(text(&given, "forwarded"), "for=198.51.100.7;host=\"public.example\";proto=https, for=10.0.0.1");
        assert_eq!(text(&given, "x-forwarded-prefix"), "/evil", "its own affair");
        assert!(!given.contains_key("x-original-url") && !given.contains_key("x_forwarded_for"));
    }

    #[test]
    fn one_host_is_needed() {
        let of = |uri: &str, lines: &[(&'static str, &'static str)]| authority(&uri.parse().unwrap(), &headers(lines));
        assert_eq!(of("/x", &[("host", "a.example:8443")]), Ok("a.example:8443".to_owned()));
        assert_eq!(of("http://b.example/x", &[("host", "a.example")]), Ok("b.example".to_owned()));
        for (uri, lines) in [
            ("/x", &[][..]),
            ("/x", &[("host", "a"), ("host", "b")]),
            ("/x", &[("host", "a/b")]),
            ("/x", &[("host", "a@b")]),
            ("/x", &[("host", "")]),
            ("http://u@b.example/x", &[]),
        ] {
            assert!(of(uri, lines).is_err(), "{uri} {lines:?}");
        }
    }

    #[test]
    fn cookies_come_in_one_line_and_the_way_is_told() {
        let mut given = headers(&[("cookie", "a=1"), ("cookie", "b=2"), ("via", "1.1 other, 2.0 scimgate-0a")]);
        join_cookies(&mut given);
        assert_eq!(text(&given, "cookie"), "a=1; b=2");
        assert!(came_through(&given, "scimgate-0a") && !came_through(&given, "scimgate"));
        via(&mut given, Version::HTTP_2, "scimgate-0b");
        assert_eq!(text(&given, "via"), "1.1 other, 2.0 scimgate-0a | 2.0 scimgate-0b");
    }

    #[test]
    fn forwards_are_counted_where_they_count() {
        let given = headers(&[("max-forwards", "3")]);
        assert_eq!(forwards_left(&Method::OPTIONS, &given), Some(3));
        assert_eq!(forwards_left(&Method::TRACE, &given), Some(3));
        assert_eq!(forwards_left(&Method::GET, &given), None);
        assert_eq!(forwards_left(&Method::OPTIONS, &headers(&[("max-forwards", "-1")])), None);
    }
}
