//! What a form sends.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use zeroize::Zeroizing;

use super::gate::Refused;

/// A request to be explained may hold a large body; nothing else is near.
const LARGEST: usize = 256 * 1024;
const SLOWEST: Duration = Duration::from_secs(10);

/// Names and values. Some are secrets.
#[derive(Default)]
pub(super) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// Reads it, within a size and a time.
    pub(super) async fn read(body: Incoming) -> Result<Self, Refused> {
        let reading = Limited::new(body, LARGEST).collect();
        let body = match tokio::time::timeout(SLOWEST, reading).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "This form is larger than 256 KiB.")),
            Err(_) => return Err(Refused(StatusCode::REQUEST_TIMEOUT, "This form did not arrive within 10 seconds.")),
        };
        let pairs = form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())));
        Ok(Self(pairs.collect()))
    }

    /// The value of a field; nothing where it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// Whether a box was ticked.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name) == "on"
    }

    /// Every value of a field that may be sent several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
