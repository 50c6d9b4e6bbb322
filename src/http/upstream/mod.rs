//! What is not ours goes to the application beside us, so that a sidecar can own the port. Bodies are streamed both ways, and a
//! WebSocket becomes a tunnel. What we answer in the application's place is plain text that says what to do.

mod application;
mod body;
mod config;
mod headers;
mod place;
mod report;
mod tunnel;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, MAX_FORWARDS, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use application::upstream_answers;
pub(super) use body::PassedBody;
pub use config::{HostHeader, UpstreamConfig};
pub(super) use place::Place;
pub use tunnel::Tunnels;

use super::SCIM_PATH;
use super::gateway::REQUEST_ID;
use super::proxies::Way;
use crate::outbound::{was_closed, whole};
use crate::telemetry::{CountGuard, Metrics, RequestSpan, UpstreamFailure};
use application::Application;
use body::{Held, Progress, SentBody};
use report::Report;

/// What we answer ourselves.
pub(super) type Text = Response<Full<Bytes>>;

/// The application.
#[derive(Debug)]
pub struct Upstream {
    config: UpstreamConfig,
    application: Application,
    permits: Arc<Semaphore>,
    tunnels: Arc<Tunnels>,
    report: Arc<Report>,
    /// What we are called in `Via`. No other is called so, so that a request that comes back is known.
    name: String,
}

/// What is known of a request beside itself.
#[derive(Debug)]
pub(super) struct Passing<'a> {
    pub(super) way: &'a Way,
    /// Whether clients reach us by TLS, as far as we know.
    pub(super) secure: bool,
    pub(super) request_id: &'a str,
    pub(super) span: &'a RequestSpan,
    pub(super) in_flight: CountGuard,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Passed {
    /// The application's answer, under way.
    Answer(Response<PassedBody>),
    /// The application goes on by another protocol.
    Changed(Response<()>),
    /// Ours.
    Text(Text),
}

impl Upstream {
    /// As configured; nothing is connected yet.
    ///
    /// # Errors
    /// One line that names the key.
    pub fn new(config: UpstreamConfig, tunnels: Arc<Tunnels>, metrics: &Metrics) -> Result<Self, String> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| format!("the operating system gives no random numbers: {error}"))?;
        Ok(Self {
            application: Application::new(&config)?,
            permits: Arc::new(Semaphore::new(config.max_requests.min(Semaphore::MAX_PERMITS))),
            tunnels,
            report: Arc::new(Report::new(format!("{}://{}", config.scheme, config.authority), metrics.upstream())),
            name: format!("scimgate-{:08x}", u32::from_be_bytes(random)),
            config,
        })
    }

    /// Counts what a client was answered.
    pub(super) fn counted(&self, status: u16, took: Duration) {
        self.report.counted(status, took);
    }

    /// Passes a request on.
    pub(super) async fn pass(&self, request: Request<Incoming>, passing: Passing<'_>) -> Passed {
        match self.try_pass(request, passing).await {
            Ok(passed) => passed,
            Err(answer) => Passed::Text(answer),
        }
    }

    async fn try_pass(&self, mut request: Request<Incoming>, passing: Passing<'_>) -> Result<Passed, Text> {
        if *request.method() == Method::CONNECT {
            return Err(not_here());
        }
        let host = headers::authority(request.uri(), request.headers())
            .map_err(|why| text(StatusCode::BAD_REQUEST, &format!("This request is not passed on: {why}.")))?;
        let left = headers::forwards_left(request.method(), request.headers());
        if left == Some(0) || request.uri().path() == "*" {
            return Err(final_recipient(request.method()));
        }
        if headers::came_through(request.headers(), &self.name) {
            let detail = "This request came back to scimgate: upstream.url leads to scimgate itself, by whatever way. Have it lead to the \
                          application.";
            return Err(text(StatusCode::LOOP_DETECTED, detail));
        }
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            let why = format!("{} requests are under way, which is upstream.max_requests", self.config.max_requests);
            self.report.failed(UpstreamFailure::Busy, &why);
            return Err(later("The application has as many requests as it is given at once (upstream.max_requests). Try again."));
        };
        let websocket = headers::is_websocket(&request);
        let client = websocket.then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        let version = head.version;
        let asked = headers::expects_continue(&head.headers).then(CancellationToken::new);
        self.prepare(&mut head, &passing, &host, left);
        if websocket {
            headers::ask_for_websocket(&mut head.headers);
        }
        let mut answer = self.ask(head, body, asked.clone()).await?;
        self.report.answered();
        let application = hyper::upgrade::on(&mut answer);
        let (mut head, body) = answer.into_parts();
        let changes = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let to_websocket = headers::is_to_websocket(&head.headers);
        // A length beside a coding of the transfer is nobody's to believe (RFC 9112 section 6.3).
        if head.headers.contains_key(http::header::TRANSFER_ENCODING) {
            head.headers.remove(CONTENT_LENGTH);
        }
        headers::remove_hop_by_hop(&mut head.headers);
        headers::via(&mut head.headers, Version::HTTP_11, &self.name);
        if let Ok(id) = HeaderValue::from_str(passing.request_id) {
            head.headers.entry(REQUEST_ID).or_insert(id);
        }
        head.version = version;
        if changes {
            let (Some(client), true) = (client, to_websocket) else {
                self.report.failed(UpstreamFailure::Broken, "it changed the protocol unasked");
                return Err(text(StatusCode::BAD_GATEWAY, "The application changed to a protocol that was not asked for."));
            };
            headers::ask_for_websocket(&mut head.headers);
            let counted = (permit, self.report.metrics().clone());
            self.tunnels.open(client, application, self.config.idle_timeout, counted);
            return Ok(Passed::Changed(Response::from_parts(head, ())));
        }
        let until_its_end = Held::new(passing.in_flight, permit, asked);
        let body = PassedBody::new(body, self.config.idle_timeout, self.report.clone(), until_its_end);
        Ok(Passed::Answer(Response::from_parts(head, body)))
    }

    /// Makes a request's head what the application is to see.
    fn prepare(&self, head: &mut Parts, passing: &Passing<'_>, host: &str, left: Option<u64>) {
        let expects = headers::expects_continue(&head.headers);
        headers::remove_hop_by_hop(&mut head.headers);
        // The body's length is the body's own.
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(http::header::EXPECT);
        if expects {
            head.headers.insert(http::header::EXPECT, HeaderValue::from_static("100-continue"));
        }
        headers::join_cookies(&mut head.headers);
        headers::forward(&mut head.headers, passing.way, passing.secure, host);
        headers::via(&mut head.headers, head.version, &self.name);
        headers::set(&mut head.headers, REQUEST_ID, passing.request_id);
        if let Some(left) = left {
            headers::set(&mut head.headers, MAX_FORWARDS, &left.saturating_sub(1).to_string());
        }
        passing.span.hand_on(&mut head.headers);
        let host = match self.config.host {
            HostHeader::Client => host,
            HostHeader::Upstream => self.config.authority.as_str(),
        };
        headers::set(&mut head.headers, HOST, host);
        head.version = Version::HTTP_11;
    }

    /// Asks the application, within its time. What cannot have done anything is asked once more where an idle connection was closed
    /// just then; nothing else is ever sent twice.
    async fn ask(&self, head: Parts, body: Incoming, asked: Option<CancellationToken>) -> Result<Response<Incoming>, Text> {
        let uri = Uri::builder()
            .scheme(self.config.scheme.clone())
            .authority(self.config.authority.clone())
            .path_and_query(head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
            .build()
            .map_err(|_| text(StatusCode::BAD_REQUEST, "The path of this request cannot be passed on."))?;
        let progress = Progress::new();
        let bodiless = body.is_end_stream();
        let again = (bodiless && head.method.is_safe()).then(|| (head.method.clone(), uri.clone(), head.headers.clone()));
        let sent = if bodiless {
            SentBody::empty(progress.clone())
        } else {
            SentBody::of(body, progress.clone(), self.config.timeout, asked.clone())
        };
        let mut request = Request::new(sent);
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (head.method, uri, head.headers);
        if let Some(asked) = asked {
            hyper::ext::on_informational(&mut request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    asked.cancel();
                }
            });
        }
        let first = self.in_time(self.application.ask(request), &progress).await?;
        let error = match (first, again) {
            (Ok(answer), _) => return Ok(answer),
            (Err(error), Some((method, uri, headers))) if was_closed(&error) && !error.is_connect() => {
                let mut request = Request::new(SentBody::empty(progress.clone()));
                (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
                match self.in_time(self.application.ask_anew(request), &progress).await? {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                }
            }
            (Err(error), _) => error,
        };
        if progress.has_stalled() {
            return Err(slow_client());
        }
        if error.is_connect() {
            self.report.failed(UpstreamFailure::Away, &format!("the application cannot be reached: {}", whole(&error)));
            let detail = "The application behind scimgate cannot be reached. Try again; if it stays so, see whether it runs and listens \
                          where upstream.url says. scimgate's log has the reason.";
            return Err(text(StatusCode::BAD_GATEWAY, detail));
        }
        self.report.failed(UpstreamFailure::Broken, &format!("the application gave no answer: {}", whole(&error)));
        let detail = "The application behind scimgate ended the connection before it answered, or what it sent is no HTTP. What was asked \
                      for may have been done. Its log and scimgate's have more.";
        Err(text(StatusCode::BAD_GATEWAY, detail))
    }

    /// Waits as long as the body goes on, and for `upstream.timeout` after that.
    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, Error>>,
        progress: &Progress,
    ) -> Result<Result<T, Error>, Text> {
        let began = Instant::now();
        let mut asking = pin!(asking);
        loop {
            let end = progress.since().max(began) + self.config.timeout;
            tokio::select! {
                answered = asking.as_mut() => return Ok(answered),
                () = sleep_until(end) => {}
            }
            if progress.since().max(began) + self.config.timeout <= Instant::now() {
                self.report.failed(UpstreamFailure::Late, "the application did not answer within upstream.timeout");
                let detail = "The application behind scimgate has not answered within upstream.timeout. What was asked for may still be \
                              done.";
                return Err(text(StatusCode::GATEWAY_TIMEOUT, detail));
            }
        }
    }
}

/// 400: nobody can say whose a path is.
pub(super) fn unclear(why: &str) -> Text {
    let detail =
        format!("This path is not passed on: {why}. Write it plainly; what scimgate serves is below {SCIM_PATH} and /oauth2.");
    text(StatusCode::BAD_REQUEST, &detail)
}

/// 403: a key of ours in a place that is not ours.
pub(super) fn not_for_others() -> Text {
    let detail = format!(
        "This is a key or token of scimgate's, and this path is not: it was not passed on to the application. Set the SCIM base URL of the \
         client to one that ends with {SCIM_PATH}."
    );
    text(StatusCode::FORBIDDEN, &detail)
}

fn slow_client() -> Text {
    text(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time: it paused for longer than upstream.timeout.")
}

fn not_here() -> Text {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "scimgate opens no tunnels to elsewhere.");
    answer.headers_mut().insert(ALLOW, METHODS);
    answer
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// What we say to a question that was to go no further (RFC 9110 section 7.6.2). TRACE would tell a script in a browser what its
/// own requests hold and it may not see.
fn final_recipient(method: &Method) -> Text {
    if *method == Method::OPTIONS {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer.headers_mut().insert(ALLOW, METHODS);
        return answer;
    }
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "scimgate shows nobody what was sent to it.");
    answer.headers_mut().insert(ALLOW, METHODS);
    answer
}

fn later(detail: &str) -> Text {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, detail);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn text(status: StatusCode, detail: &str) -> Text {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{detail}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
