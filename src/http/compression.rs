//! Answers compressed by gzip, where the client can read that (RFC 9110 section 12.5.3).
//!
//! Compression tells an eavesdropper who can have a text of his own put beside a secret what the secret is (BREACH). Nothing here
//! holds one: keys and passwords are in no body of SCIM, no browser adds a bearer token to a request that somebody else made up,
//! and the answers of the authorization server, which hold tokens, go as they are.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Full};

use super::response::Answer;

/// Below it the header costs about as much as compression saves.
const WORTHWHILE: usize = 1 << 10;
/// From this size on it is done where it keeps nobody waiting.
const LONG: usize = 64 << 10;

/// The weight 1, in thousandths.
const FULL: u16 = 1000;

const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const BY_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// What a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepted {
    /// Bodies as they are.
    Identity,
    /// Compressed bodies, and others.
    Either,
    /// Compressed bodies only.
    Gzip,
    /// Neither.
    Nothing,
}

impl Accepted {
    /// What the header says; without one, bodies stay as they are.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let (mut gzip, mut identity, mut others) = (None, None, None);
        let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        for item in lines.flat_map(|line| line.split(',')) {
            let (coding, parameters) = item.split_once(';').map_or((item, None), |(coding, rest)| (coding, Some(rest)));
            let Some(weight) = parameters.map_or(Some(FULL), weight) else { continue };
            let place = match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => &mut gzip,
                "identity" => &mut identity,
                "*" => &mut others,
                _ => continue,
            };
            place.get_or_insert(weight);
        }
        let gzip = gzip.or(others).unwrap_or(0);
        // Where nothing forbids it, a body as it is will do; it is preferred where the client says so.
        let plain = identity.or(others.filter(|weight| *weight == 0)).unwrap_or(1);
        match (gzip, plain) {
            (0, 0) => Self::Nothing,
            (0, _) => Self::Identity,
            (_, 0) => Self::Gzip,
            (gzip, plain) if gzip < plain => Self::Identity,
            (_, _) => Self::Either,
        }
    }
}

/// A weight (RFC 9110 section 12.4.2) in thousandths; `None` if it is none.
fn weight(parameters: &str) -> Option<u16> {
    let (name, value) = parameters.split_once('=')?;
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if !name.trim().eq_ignore_ascii_case("q") || fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL),
        _ => None,
    }
}

/// Compresses an answer, if that is wanted and pays.
pub(super) async fn compress(mut answer: Answer, accepted: Accepted) -> Answer {
    if answer.status() == StatusCode::NO_CONTENT {
        return answer;
    }
    // That something was not modified depends on it no less than the thing itself.
    answer.headers_mut().insert(VARY, BY_ENCODING);
    if answer.status() == StatusCode::NOT_MODIFIED {
        return answer;
    }
    let least = match accepted {
        Accepted::Identity | Accepted::Nothing => return answer,
        Accepted::Either => WORTHWHILE,
        Accepted::Gzip => 0,
    };
    let (head, body) = answer.into_parts();
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes);
    if plain.len() < least {
        return Answer::from_parts(head, Full::new(plain));
    }
    let packed = if plain.len() < LONG {
        gzip(&plain)
    } else {
        let plain = plain.clone();
        tokio::task::spawn_blocking(move || gzip(&plain)).await.unwrap_or_default()
    };
    let Some(packed) = packed else { return Answer::from_parts(head, Full::new(plain)) };
    let mut answer = Answer::from_parts(head, Full::new(packed));
    answer.headers_mut().insert(CONTENT_ENCODING, GZIP);
    answer
}

/// Quickly rather than well: most of what JSON repeats is found either way.
fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(lines: &[&'static str]) -> Accepted {
        let headers = lines.iter().map(|line| (ACCEPT_ENCODING, HeaderValue::from_static(line)));
        Accepted::from_headers(&headers.collect())
    }

    #[test]
    fn what_a_client_accepts() {
        use Accepted::{Either, Gzip, Identity, Nothing};
        for (line, expected) in [
            ("gzip,deflate", Either),
            ("GZIP ; Q=0.001", Either),
            ("x-gzip", Either),
            ("*", Either),
            ("br, *;q=0.1", Either),
            ("identity, gzip", Either),
            ("identity;q=0.5, gzip;q=1.0", Either),
            ("identity;q=0, gzip", Gzip),
            ("gzip, *;q=0", Gzip),
            ("gzip;q=0.5, *;q=0", Gzip),
            ("identity;q=0, *", Gzip),
            ("", Identity),
            ("br", Identity),
            ("deflate, gzip;q=0", Identity),
            ("*, gzip;q=0.000", Identity),
            ("gzip;q=0.5, identity", Identity),
            ("*;q=0, identity;q=0.1", Identity),
            // What is no weight is as good as not said.
            ("gzip;q=1.5", Identity),
            ("gzip;q=0.1234", Identity),
            ("gzip;level=9", Identity),
            ("identity;q=0", Nothing),
            ("br, *;q=0", Nothing),
            ("gzip;q=0, identity;q=0, br", Nothing),
        ] {
            assert_eq!(accepted(&[line]), expected, "{line}");
        }
        assert_eq!(accepted(&[]), Identity);
        assert_eq!(accepted(&["br", "gzip"]), Either);
    }
}
