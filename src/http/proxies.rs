//! Who the client is where proxies stand before us: a header is believed as far as those who wrote it are.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
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

    /// The client's address: read from the right, the first that is not a trusted proxy's. What stands further left was written
    /// by that client.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let lines = headers.get_all(name).iter();
        let hops: Vec<&str> = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![""], split)).collect();
        for hop in hops.into_iter().rev().take(HOPS) {
            let address = match self.header {
                ForwardedHeader::XForwardedFor => node(hop),
                ForwardedHeader::Forwarded => forwarded_for(hop),
            };
            // One that does not name an address hides whom it speaks for: it answers for that one.
            let Some(address) = address else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
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

/// The node of `for=` (RFC 7239 section 4 and 6); `None` for `unknown` and made-up names.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut named = elements(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let value = named.next().filter(|_| named.next().is_none())?;
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address with or without a port; one of IPv6 with a port stands in brackets.
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
        proxies.client(peer.parse().unwrap(), &headers).to_string()
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

    proptest! {
        #[test]
        fn whatever_a_client_writes_to_the_left_changes_nothing(junk in "[ -+\\--~]{0,40}") {
            let x = proxies(ForwardedHeader::XForwardedFor);
            prop_assert_eq!(client(&x, "10.0.0.1", "x-forwarded-for", &[&junk, "198.51.100.7"]), "198.51.100.7");
        }
    }
}
