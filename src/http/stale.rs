//! Earlier answers, for reads while the directory is away. Only where the configuration asks for it, only until the next write, and
//! never without saying so (RFC 5861 section 4, RFC 9211).

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AGE;
use http::{HeaderName, StatusCode};
use hyper::body::Body as _;
use moka::sync::Cache;

use super::response::{self, Answer};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What all of them may take, in bytes.
const BYTES: u64 = 64 << 20;

/// Whose answer to what: the client's name, its base URL and the rest of the URL.
pub(super) type Question = (Arc<str>, String);

/// The answers that may be given once more.
#[derive(Debug)]
pub(super) struct EarlierAnswers(Option<Cache<Question, (Instant, Answer)>>);

impl EarlierAnswers {
    /// None are kept without a time.
    pub(super) fn new(kept: Option<Duration>) -> Self {
        let weigh = |(_, url): &Question, (_, answer): &(Instant, Answer)| {
            let body = answer.body().size_hint().exact().unwrap_or(BYTES);
            u32::try_from(body)
                .unwrap_or(u32::MAX)
                .saturating_add(u32::try_from(url.len()).unwrap_or(u32::MAX))
                .saturating_add(512)
        };
        Self(kept.map(|kept| Cache::builder().max_capacity(BYTES).weigher(weigh).time_to_live(kept).build()))
    }

    /// Keeps a good answer; gives the earlier one in place of an answer that the directory is away, and says whether it did.
    pub(super) fn instead(&self, question: Question, answer: Answer) -> (Answer, bool) {
        let Some(answers) = &self.0 else { return (answer, false) };
        match answer.status() {
            StatusCode::OK => {
                answers.insert(question, (Instant::now(), answer.clone()));
                (answer, false)
            }
            StatusCode::SERVICE_UNAVAILABLE => match answers.get(&question) {
                Some((since, mut earlier)) => {
                    let age = since.elapsed().as_secs();
                    response::set(&mut earlier, AGE, &age.to_string());
                    response::set(&mut earlier, CACHE_STATUS, &format!("scimgate; hit; ttl=-{age}; detail=directory-away"));
                    (earlier, true)
                }
                None => (answer, false),
            },
            _ => (answer, false),
        }
    }

    /// What was true before a write may not be so after it.
    pub(super) fn forget(&self) {
        if let Some(answers) = &self.0 {
            answers.invalidate_all();
        }
    }
}
