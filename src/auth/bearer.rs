//! The bearer token of a request (RFC 6750 section 2.1).

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Longer tokens are none of ours.
const LONGEST: usize = 4096;

/// What the Authorization header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearer<'a> {
    /// Nothing, or another scheme.
    Absent,
    /// Something that cannot be a token.
    Malformed,
    /// A token.
    Token(&'a str),
}

/// Reads it.
pub(super) fn token(headers: &HeaderMap) -> Bearer<'_> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let text = given.next().and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
    let Some((_, token)) = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")) else { return Bearer::Absent };
    let token = token.trim_matches(' ');
    if given.next().is_some() || token.is_empty() || token.len() > LONGEST { Bearer::Malformed } else { Bearer::Token(token) }
}
