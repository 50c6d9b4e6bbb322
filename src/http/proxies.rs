//! Who the client is where proxies stand before us: a header is believed as far as those who wrote it are.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Proxies in a row, at most.
const HOPS: usize = 32;

/// Which header the trusted proxies write. The other one is the client's own invention and is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// Where they write whom they speak for.
    pub header: ForwardedHeader,
}

impl Proxies {
    /// Whether what comes from this address is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// How a request came here, as far as those are trusted who tell it. The client's address is read from the right, the first
    /// that is not a trusted proxy's; what stands further left was written by that client.
    pub(super) fn way(&self, peer: IpAddr, headers: &HeaderMap) -> Way {
        let peer = peer.to_canonical();
        let mut way = Way { hops: vec![peer], trusted: self.trusts(peer), secure: None, host: None };
        if !way.trusted {
            return way;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let hops = list(headers, &name);
        for hop in hops.iter().rev().take(HOPS) {
            let address = match self.header {
                ForwardedHeader::XForwardedFor => node(hop),
                ForwardedHeader::Forwarded => parameter(hop, "for").and_then(node),
            };
            // One that does not name an address hides whom it speaks for: it answers for that one.
            let Some(address) = address else { break };
            way.hops.push(address);
            if !self.trusts(address) {
                break;
            }
        }
        // What the first of them saw: so many elements from the right as there are proxies, or the first there is.
        let seen = way.hops.len().saturating_sub(2);
        let told = |name: &HeaderName| {
            let told = list(headers, name);
            told.iter().rev().nth(seen).or(told.first()).map(|text| (*text).to_owned())
        };
        let (proto, host) = match self.header {
            ForwardedHeader::XForwardedFor => (told(&X_FORWARDED_PROTO), told(&X_FORWARDED_HOST)),
            ForwardedHeader::Forwarded => {
                let element = told(&FORWARDED).unwrap_or_default();
                (parameter(&element, "proto").map(str::to_owned), parameter(&element, "host").map(str::to_owned))
            }
        };
        way.secure = proto.and_then(|proto| match proto.to_ascii_lowercase().as_str() {
            "https" | "wss" => Some(true),
            "http" | "ws" => Some(false),
            _ => None,
        });
        way.host = host.filter(|host| is_host(host));
        way.hops.reverse();
        way
    }
}

/// How a request came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// The client, then the proxies in front of us. There is one at least.
    pub(super) hops: Vec<IpAddr>,
    /// Whether the last of them is believed.
    pub(super) trusted: bool,
    /// Whether the client uses TLS, where a trusted proxy tells.
    pub(super) secure: Option<bool>,
    /// What the client calls us, where a trusted proxy tells.
    pub(super) host: Option<String>,
}

impl Way {
    /// Where the client is.
    pub(super) fn client(&self) -> IpAddr {
        self.hops.first().copied().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }
}

/// Whether this can be a host, with or without a port.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// The elements of every line of a header.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    headers.get_all(name).iter().flat_map(|line| line.to_str().map_or_else(|_| vec![""], split)).collect()
}

/// The elements of a list, whose quoted strings may hold commas (RFC 9110 section 5.6.1).
fn split(line: &str) -> Vec<&str> {
    elements(line, ',')
}

fn elements(line: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(|c: char| {
        let here = c == separator && !quoted;
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        here
    })
    .map(str::trim)
    .collect()
}

/// A parameter of an element of `Forwarded` (RFC 7239 section 4); `None` where it is given twice.
fn parameter<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut named = elements(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case(wanted).then_some(value)
    });
    let value = named.next().filter(|_| named.next().is_none())?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address with or without a port; one of IPv6 with a port stands in brackets. `None` for `unknown` and made-up names (RFC 7239
/// section 6).
fn node(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: ForwardedHeader) -> Proxies {
        Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], header }
    }

    fn client(proxies: &Proxies, peer: &str, name: &'static str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        proxies.way(peer.parse().unwrap(), &headers).client().to_string()
    }

    #[test]
    fn headers_are_read_from_the_right_past_trusted_hops_only() {
        let x = proxies(ForwardedHeader::XForwardedFor);
        for (peer, lines, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client wrote itself stands to the left of what the proxy wrote.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9,"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(client(&x, peer, "x-forwarded-for", lines), expected, "{peer} {lines:?}");
        }
        assert_eq!(client(&x, "10.0.0.1", "forwarded", &["for=198.51.100.7"]), "10.0.0.1", "the other header is not read");
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        let standard = proxies(ForwardedHeader::Forwarded);
        for (line, expected) in [
            ("for=198.51.100.7", "198.51.100.7"),
            ("For=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
            ("proto=https; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=203.0.113.9, for=198.51.100.7", "198.51.100.7"),
            ("for=\"203.0.113.9, for=198.51.100.7\"", "10.0.0.1"),
            ("for=198.51.100.7;for=203.0.113.9", "10.0.0.1"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(client(&standard, "10.0.0.1", "forwarded", &[line]), expected, "{line}");
        }
    }

    #[test]
    fn what_a_trusted_proxy_says_of_scheme_and_host_is_what_the_first_one_saw() {
        let way = |proxies: &Proxies, lines: &[(&'static str, &str)]| {
            let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
            let way = proxies.way("10.0.0.1".parse().unwrap(), &lines.collect());
            (way.hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), way.secure, way.host)
        };
        let x = proxies(ForwardedHeader::XForwardedFor);
        let told = [("x-forwarded-for", "1.2.3.4, 198.51.100.7, 10.0.0.2"), ("x-forwarded-proto", "gopher, https, http")];
        assert_eq!(way(&x, &told), ("198.51.100.7 10.0.0.2 10.0.0.1".to_owned(), Some(true), None));
        let one = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "a.example:8443")];
        assert_eq!(way(&x, &one), ("198.51.100.7 10.0.0.1".to_owned(), Some(true), Some("a.example:8443".to_owned())));
        assert_eq!(way(&x, &[("x-forwarded-host", "a b"), ("x-forwarded-proto", "")]), ("10.0.0.1".to_owned(), None, None));
        let standard = proxies(ForwardedHeader::Forwarded);
        let line = [("forwarded", "host=evil, for=198.51.100.7;host=\"a.example\";proto=https"), ("x-forwarded-host", "evil")];
        assert_eq!(way(&standard, &line), ("198.51.100.7 10.0.0.1".to_owned(), Some(true), Some("a.example".to_owned())));
        let untrusted = Proxies::default()
            .way("10.0.0.1".parse().unwrap(), &HeaderMap::from_iter([(X_FORWARDED_HOST, HeaderValue::from_static("evil"))]));
        assert_eq!((untrusted.trusted, untrusted.host, untrusted.hops.len()), (false, None, 1));
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_to_the_left_changes_nothing(junk in "[ -+\\--~]{0,40}") {
            let x = proxies(ForwardedHeader::XForwardedFor);
            prop_assert_eq!(client(&x, "10.0.0.1", "x-forwarded-for", &[&junk, "198.51.100.7"]), "198.51.100.7");
        }
    }
}
