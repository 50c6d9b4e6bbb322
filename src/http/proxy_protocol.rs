//! The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): the first bytes of a connection say whom it is for.
//!
//! Own code, for a header must be read from the socket to its last byte and not one further, before TLS. Nothing is guessed: where
//! a header is expected, a connection without one is closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Section 2.1: the longest line of version 1.
const LONGEST_LINE: usize = 107;
/// Addresses and what else a proxy tells, such as what it knows of TLS.
const LONGEST_BODY: usize = 2048;

/// Which versions trusted proxies speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// None.
    #[default]
    Off,
    /// The line of text.
    V1,
    /// The binary form.
    V2,
    /// Either.
    Any,
}

/// Whom a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The proxy's own, or somebody it does not know.
    Proxy,
    Client(SocketAddr),
}

/// Reads the header, and says whom the connection is for; `None` where it is the proxy's own.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S, spoken: ProxyProtocol) -> io::Result<Option<SocketAddr>> {
    let first = stream.read_u8().await?;
    let source = match (first, spoken) {
        (b'P', ProxyProtocol::V1 | ProxyProtocol::Any) => read_line(stream).await?,
        (b'\r', ProxyProtocol::V2 | ProxyProtocol::Any) => read_binary(stream).await?,
        _ => return Err(wrong("the connection does not begin with a header of the PROXY protocol")),
    };
    Ok(match source {
        Source::Proxy => None,
        Source::Client(address) => Some(address),
    })
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Byte by byte, for what comes after the line is not ours to take.
async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Source> {
    let mut line = vec![b'P'];
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(wrong("the line of the PROXY protocol has no end"));
        }
        line.push(stream.read_u8().await?);
    }
    line.truncate(line.len() - 2);
    let line = std::str::from_utf8(&line).map_err(|_| wrong("the line of the PROXY protocol is no text"))?;
    parse_line(line).ok_or_else(|| wrong("the line of the PROXY protocol is not of its form"))
}

/// Section 2.1. `None`: it is not of its form.
fn parse_line(line: &str) -> Option<Source> {
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let source: IpAddr = match words.next()? {
        // What else is in it has no meaning.
        "UNKNOWN" => return Some(Source::Proxy),
        "TCP4" => pair::<Ipv4Addr>(&mut words)?.into(),
        "TCP6" => pair::<Ipv6Addr>(&mut words)?.into(),
        _ => return None,
    };
    let (port, _) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then_some(Source::Client(SocketAddr::new(source, port)))
}

/// The source's of two addresses.
fn pair<'a, T: std::str::FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    let (source, _destination): (T, T) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(source)
}

/// Without leading zeros or a sign.
fn port(text: &str) -> Option<u16> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

async fn read_binary<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Source> {
    let mut head = [0; 15];
    stream.read_exact(&mut head).await?;
    let [signature @ .., command, family, high, low] = head;
    if Some(&signature[..]) != SIGNATURE.get(1..) {
        return Err(wrong("the signature of the PROXY protocol is not whole"));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_BODY {
        return Err(wrong("the header of the PROXY protocol is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    parse_binary(command, family, &body).ok_or_else(|| wrong("the header of the PROXY protocol is not of its form"))
}

/// Section 2.2. `None`: it is not of its form.
fn parse_binary(command: u8, family: u8, body: &[u8]) -> Option<Source> {
    match (command, family) {
        // LOCAL: the proxy looks whether we are well. UNSPEC: it does not know.
        (0x20, _) | (0x21, 0x00) => Some(Source::Proxy),
        (0x21, 0x11) => {
            let (source, rest) = body.split_first_chunk::<4>()?;
            let (_destination, rest) = rest.split_first_chunk::<4>()?;
            Some(Source::Client(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*source)), ports(rest)?)))
        }
        (0x21, 0x21) => {
            let (source, rest) = body.split_first_chunk::<16>()?;
            let (_destination, rest) = rest.split_first_chunk::<16>()?;
            Some(Source::Client(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*source)), ports(rest)?)))
        }
        _ => None,
    }
}

/// The source's of two ports.
fn ports(rest: &[u8]) -> Option<u16> {
    let (ports, _more) = rest.split_first_chunk::<4>()?;
    let [high, low, ..] = *ports;
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The outcome, and what is left for TLS.
    fn outcome(bytes: &[u8], spoken: ProxyProtocol) -> (Result<Option<String>, ()>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut stream = bytes;
            let read = read(&mut stream, spoken).await;
            (read.map(|address| address.map(|address| address.to_string())).map_err(|_| ()), stream.to_vec())
        })
    }

    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];

    #[test]
    fn both_versions_say_whom_a_connection_is_for() {
        let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\nrest".to_vec();
        let six = b"PROXY TCP6 2001:db8::7 fd00::1 4711 443\r\nrest".to_vec();
        let more = [&V4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let v6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7][..], &[0; 16], &[0x12, 0x67, 0, 0]].concat();
        let rest = |head: Vec<u8>| [head, b"rest".to_vec()].concat();
        for (bytes, expected) in [
            (line, Some("192.0.2.7:4711")),
            (six, Some("[2001:db8::7]:4711")),
            (b"PROXY UNKNOWN\r\nrest".to_vec(), None),
            (b"PROXY UNKNOWN ffff:f...f:ffff 1 2\r\nrest".to_vec(), None),
            (rest(binary(0x21, 0x11, &V4)), Some("192.0.2.7:4711")),
            (rest(binary(0x21, 0x11, &more)), Some("192.0.2.7:4711")),
            (rest(binary(0x21, 0x21, &v6)), Some("[2001:db8::7]:4711")),
            (rest(binary(0x20, 0x00, &[])), None),
            (rest(binary(0x21, 0x00, &[])), None),
        ] {
            let (read, left) = outcome(&bytes, ProxyProtocol::Any);
            assert_eq!(read, Ok(expected.map(str::to_owned)));
            assert_eq!(left, b"rest", "nothing after the header is taken");
        }
    }

    #[test]
    fn what_is_not_a_header_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443 \r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 04711 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 +4711 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 70000\r\n",
            b"PROXY TCP4 192.0.2.07 10.0.0.1 4711 443\r\n",
            b"PROXY TCP4 2001:db8::7 fd00::1 4711 443\r\n",
            b"PROXY  TCP4 192.0.2.7 10.0.0.1 4711 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 4711 443\r\n",
            b"PROXY TCP4 192.0.2.7",
            b"",
        ] {
            assert_eq!(outcome(bytes, ProxyProtocol::Any).0, Err(()), "{:?}", String::from_utf8_lossy(bytes));
        }
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        let (read, left) = outcome(&endless, ProxyProtocol::Any);
        assert_eq!((read, endless.len() - left.len()), (Err(()), LONGEST_LINE));
        let mut broken = binary(0x21, 0x11, &V4);
        broken[5] = b'x';
        for bytes in [
            broken,
            binary(0x11, 0x11, &V4),
            binary(0x22, 0x11, &V4),
            binary(0x21, 0x12, &V4),
            binary(0x21, 0x31, &[0; 216]),
            binary(0x21, 0x11, &V4[..11]),
            binary(0x21, 0x21, &V4),
            binary(0x21, 0x11, &[0; LONGEST_BODY + 1]),
            binary(0x21, 0x11, &V4)[..20].to_vec(),
        ] {
            assert_eq!(outcome(&bytes, ProxyProtocol::Any).0, Err(()), "{bytes:?}");
        }
    }

    #[test]
    fn only_the_version_that_is_spoken_is_taken() {
        let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n";
        assert!(outcome(line, ProxyProtocol::V1).0.is_ok() && outcome(line, ProxyProtocol::V2).0.is_err());
        let binary = binary(0x21, 0x11, &V4);
        assert!(outcome(&binary, ProxyProtocol::V2).0.is_ok() && outcome(&binary, ProxyProtocol::V1).0.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic_or_read_too_far(
            head in prop_oneof![Just(b"PROXY TCP4 ".to_vec()), Just(SIGNATURE.to_vec()), Just(Vec::new())],
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let all = [head, bytes].concat();
            let (_, left) = outcome(&all, ProxyProtocol::Any);
            prop_assert!(all.len() - left.len() <= 16 + LONGEST_BODY);
        }

        #[test]
        fn every_address_is_read_as_it_was_written(address in any::<[u8; 16]>(), port in any::<u16>(), four in any::<bool>()) {
            let source = if four {
                let [a, b, c, d, ..] = address;
                IpAddr::from([a, b, c, d])
            } else {
                IpAddr::from(address)
            };
            let expected = SocketAddr::new(source, port).to_string();
            let family = if four { "TCP4" } else { "TCP6" };
            let line = format!("PROXY {family} {source} {source} {port} 443\r\n");
            prop_assert_eq!(outcome(line.as_bytes(), ProxyProtocol::V1).0, Ok(Some(expected.clone())));
            let octets = match source {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            let body = [&octets[..], &octets, &port.to_be_bytes(), &[1, 187]].concat();
            let bytes = binary(0x21, if four { 0x11 } else { 0x21 }, &body);
            prop_assert_eq!(outcome(&bytes, ProxyProtocol::V2).0, Ok(Some(expected)));
        }
    }
}
