//! Live activity: what was written, by whom, and how it reached the directory.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use maud::{Markup, html};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::layout::page;
use super::sessions::Visit;
use super::{Answer, Page, gate, sign_in};
use crate::admin::AdminState;
use crate::audit::Told;

const PATH: &str = "/console/activity";
const LEAD: &str = "The last 200 writes since scimgate began, the newest first, with what went to the directory.";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies end connections on which nothing comes; and a session may have ended.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How many browsers are told at once.
pub(super) const LISTENERS: usize = 8;

/// The page.
pub(super) fn show(shown: &Page<'_>) -> Answer {
    let (last, _) = shown.state.console.activity.after(0);
    let newest = last.last().map_or(0, |told| told.number);
    let body = html! {
        section.card aria-labelledby="writes" {
            div.title {
                h2 #writes { "Writes" }
                span.tag #live data-after=(newest) { "as of this moment" }
            }
            p.help.nothing hidden[!last.is_empty()] { "Nothing was written yet." }
            div #told { @for told in last.iter().rev() { (drawn(told)) } }
        }
    };
    page(shown, PATH, "Live activity", LEAD, &body)
}

fn drawn(told: &Told) -> Markup {
    let (kind, status) = match told.status {
        Some(status @ 200..300) => ("good", status.to_string()),
        Some(status) => ("bad", status.to_string()),
        None => ("bad", "cut off".to_owned()),
    };
    let clock = told.time.get(11..19).unwrap_or(&told.time);
    html! {
        details.write {
            summary {
                time.number datetime=(told.time) title=(told.time) { (clock) }
                span.what { strong { (told.method) } " " (told.resource_type) }
                span.client { (told.client) }
                span class={ "tag " (kind) } { (status) }
            }
            dl.facts {
                div { dt { "Request" } dd { code { (told.request) } } }
                @if let Some(id) = &told.id { div { dt { "Resource" } dd { code { (id) } } } }
                @if let Some(address) = &told.address { div { dt { "From" } dd { code { (address) } } } }
            }
            @if told.changes.is_empty() { p.help { "Nothing was sent to the directory." } }
            @for (result, ldif) in &told.changes {
                p.result { "Directory: " strong { (result) } }
                pre tabindex="0" { (ldif) }
            }
        }
    }
}

/// Who is told, and what that one has been told.
struct Listener {
    waiting: std::vec::IntoIter<Arc<Told>>,
    news: Receiver<Arc<Told>>,
    state: AdminState,
    visit: Visit,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

/// The writes after one, as they come (Server-Sent Events).
pub(super) fn events(shown: &Page<'_>, visit: Visit, address: IpAddr, headers: &HeaderMap, query: Option<&str>) -> Answer {
    let console = &shown.state.console;
    let Ok(place) = console.listeners.clone().try_acquire_owned() else {
        let mut answer = gate::refused(StatusCode::SERVICE_UNAVAILABLE, "Too many look on already.");
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return answer;
    };
    let last =
        headers.get(LAST_EVENT_ID).and_then(|last| last.to_str().ok()).or(query.and_then(|query| query.strip_prefix("after=")));
    let (waiting, news) = console.activity.after(last.and_then(|last| last.parse().ok()).unwrap_or(0));
    let listener = Listener { waiting: waiting.into_iter(), news, state: shown.state.clone(), visit, address, _place: place };
    let stream = stream::unfold(listener, |mut listener| async move {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), listener))
    });
    let mut answer = Response::new(StreamBody::new(stream).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}

impl Listener {
    /// What is to be sent next; `None`: that was all.
    async fn next(&mut self) -> Option<String> {
        if let Some(told) = self.waiting.next() {
            return Some(event(&told));
        }
        let leaving = self.state.leaving.clone();
        tokio::select! {
            news = self.news.recv() => match news {
                Ok(told) => Some(event(&told)),
                // The browser comes again and says what it has.
                Err(RecvError::Lagged(_) | RecvError::Closed) => None,
            },
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                sign_in::is_still_in(&self.visit, self.address, &self.state).await.then(|| ":\n\n".to_owned())
            }
            () = leaving.cancelled() => None,
        }
    }
}

fn event(told: &Told) -> String {
    let mut text = format!("id: {}\n", told.number);
    for line in drawn(told).into_string().lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "data: {line}");
    }
    text + "\n"
}
