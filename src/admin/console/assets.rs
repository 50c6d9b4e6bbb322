//! The files of the pages, built into the program.

use std::sync::LazyLock;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::{Answer, gate, whole};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    tag: HeaderValue,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
        ("console.js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
        ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
    .map(|(name, media_type, text)| {
        let digest = Sha256::digest(text.as_bytes());
        let short = digest.iter().take(8).fold(0_u64, |short, byte| short << 8 | u64::from(*byte));
        let tag = HeaderValue::from_str(&format!("\"{short:016x}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Asset { name, media_type, text, tag }
    })
});

/// One of them; nothing of it where the browser has it already.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Answer {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return gate::refused(StatusCode::NOT_FOUND, "There is no such file.");
    };
    let mut answer = if headers.get(IF_NONE_MATCH) == Some(&asset.tag) {
        whole(StatusCode::NOT_MODIFIED, "")
    } else {
        whole(StatusCode::OK, asset.text)
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(ETAG, asset.tag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
