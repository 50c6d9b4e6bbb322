//! From a request's body to JSON. What it may cost is checked before it costs it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use crate::scim::{ScimError, ScimType};

/// What is read and thrown away of a body that is too large, so that a client that sends before it reads gets its answer.
const LARGEST_DISCARDED: usize = 256 << 20;
/// How long that may take.
const LONGEST_DISCARD: Duration = Duration::from_secs(20);

/// Reads a body of at most `max` bytes as JSON nested at most `depth` deep.
///
/// # Errors
/// 413 and 415 for what is not read; 400 `invalidSyntax` for what is not JSON, with its place.
pub(super) async fn json(headers: &HeaderMap, body: Incoming, max: usize, depth: usize) -> Result<Value, ScimError> {
    check_media_type(headers)?;
    let bytes = collect(headers, body, max).await?;
    parse(&bytes, depth)
}

/// Reads a form (RFC 6749 section 3.2) of at most `max` bytes; the error says what is wrong with it.
pub(super) async fn form(headers: &HeaderMap, body: Incoming, max: usize) -> Result<Bytes, &'static str> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") || is_coded(headers) {
        return Err("Send the parameters as application/x-www-form-urlencoded.");
    }
    collect(headers, body, max).await.map_err(|_| "The form is too large, or ended before its announced end.")
}

/// Whether the body is compressed or otherwise coded (RFC 9110 section 8.4), which none is that is read here.
pub(super) fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// `application/json`, `application/scim+json`, and none at all: clients differ, and the body tells what it is.
fn check_media_type(headers: &HeaderMap) -> Result<(), ScimError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" | "application/scim+json" | "text/json" => Ok(()),
        other if other.ends_with("+json") => Ok(()),
        _ => Err(ScimError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the body as application/scim+json.")),
    }
}

fn too_large(max: usize) -> ScimError {
    let detail = format!("The body is larger than the {max} bytes that are accepted here (limits.max_body). Send less at once.");
    ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

async fn collect(headers: &HeaderMap, mut body: Incoming, max: usize) -> Result<Bytes, ScimError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        // A client that waits for our word has not sent anything yet.
        if !headers.contains_key(EXPECT) {
            discard(body).await;
        }
        return Err(too_large(max));
    }
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ScimError::bad_request(ScimType::InvalidSyntax, "The body ended before its announced end."))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            drop(bytes);
            discard(body).await;
            return Err(too_large(max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Reads a body to its end, within reason.
async fn discard(mut body: Incoming) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > LARGEST_DISCARDED {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LONGEST_DISCARD, reading).await;
}

/// The JSON of a whole body.
pub(super) fn parse(bytes: &[u8], depth: usize) -> Result<Value, ScimError> {
    let syntax = |detail: String| ScimError::bad_request(ScimType::InvalidSyntax, detail);
    // Some clients put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(syntax("The body is empty; a JSON object is expected.".to_owned()));
    }
    if let Some(offset) = deeper_than(bytes, depth) {
        return Err(syntax(format!("The body is nested deeper than the {depth} levels allowed, at byte {offset}.")));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        // The library's own words may hold a piece of the body; its place is enough.
        let what = if std::str::from_utf8(bytes).is_err() { "is not UTF-8" } else { "is not JSON" };
        syntax(format!("The body {what}, at line {}, column {}.", error.line(), error.column()))
    })
}

/// Where brackets nest deeper than `depth`, if they do.
fn deeper_than(bytes: &[u8], depth: usize) -> Option<usize> {
    let (mut open, mut in_string, mut escaped) = (0usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                open += 1;
                if open > depth {
                    return Some(offset);
                }
            }
            (false, b'}' | b']') => open = open.saturating_sub(1),
            (true | false, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(deeper_than(b"[[1]]", 2), None);
        assert_eq!(deeper_than(b"[[[1]]]", 2), Some(2));
        assert_eq!(deeper_than(br#"["[[[[", "\"[["]"#, 1), None);
        assert_eq!(deeper_than(b"[[],[],[]]", 2), None);
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let detail = |bytes: &[u8]| parse(bytes, 8).unwrap_err().detail;
        assert_eq!(detail(b" "), "The body is empty; a JSON object is expected.");
        assert_eq!(detail(b"{\"a\":\n1,}"), "The body is not JSON, at line 2, column 3.");
        assert_eq!(detail(b"{\"a\": \"\xff\"}"), "The body is not UTF-8, at line 1, column 8.");
        assert!(detail(&b"[".repeat(10_000)).starts_with("The body is nested deeper than the 8 levels"));
        assert_eq!(parse(b"\xef\xbb\xbf{}", 8), Ok(serde_json::json!({})));
    }

    #[test]
    fn a_coding_is_any_but_identity() {
        let coded = |value: &'static str| is_coded(&HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]));
        assert!(coded("gzip") && coded("identity, br") && !coded("Identity") && !coded("") && !is_coded(&HeaderMap::new()));
    }

    #[test]
    fn media_types_of_every_client_are_accepted() {
        let check = |value: &'static str| check_media_type(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        for good in
            ["application/json", "application/scim+json; charset=utf-8", "APPLICATION/SCIM+JSON", "application/vnd.x+json"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/xml", "multipart/form-data; boundary=x"] {
            assert_eq!(check(bad).unwrap_err().status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
        }
    }
}
