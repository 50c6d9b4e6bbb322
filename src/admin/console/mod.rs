//! The console: pages for the administrator, drawn here and readable without JavaScript. Everybody who is let in holds a key with the
//! scope `admin`; nothing is changed without the token of the session, and no other site's page gets here.

mod activity;
mod assets;
mod change;
mod explain;
mod form;
mod gate;
mod health;
mod keys;
mod layout;
mod limits;
pub(super) mod measures;
mod provisioning;
mod sessions;
mod sign_in;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::{Mutex, Semaphore, mpsc};

use self::form::Form;
use self::health::LastFindings;
use self::measures::Samples;
use self::sessions::{Sessions, Visit};
use super::AdminState;
use super::desk::{Desk, Wanted};
use crate::audit::Activity;
use crate::telemetry::Metrics;

/// Pages are whole; news come in pieces.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What lives as long as the process.
#[derive(Debug)]
pub struct Console {
    desk: Arc<ArcSwap<Desk>>,
    sessions: Sessions,
    /// One change at a time.
    changing: Mutex<()>,
    wanted: mpsc::Sender<Wanted>,
    activity: Arc<Activity>,
    listeners: Arc<Semaphore>,
    samples: Samples,
    /// The directory is looked at by one at a time.
    checking: Mutex<()>,
    findings: LastFindings,
}

impl Console {
    /// Shows what is on the desk and what is written, and asks for what it wants.
    pub fn new(desk: Arc<ArcSwap<Desk>>, wanted: mpsc::Sender<Wanted>, activity: Arc<Activity>) -> Self {
        Self {
            desk,
            sessions: Sessions::default(),
            changing: Mutex::new(()),
            wanted,
            activity,
            listeners: Arc::new(Semaphore::new(activity::LISTENERS)),
            samples: Samples::default(),
            checking: Mutex::new(()),
            findings: LastFindings::default(),
        }
    }

    /// Notes what is measured, for as long as it is polled.
    pub(super) async fn sample(&self, metrics: &Metrics) {
        let mut next = tokio::time::interval(measures::EVERY);
        loop {
            next.tick().await;
            self.samples.take(metrics);
        }
    }
}

/// Whether a path is the console's.
pub(super) fn is_part(path: &str) -> bool {
    path == "/console" || path.starts_with("/console/")
}

/// Answers a request for the console.
pub(super) async fn answer(request: Request<Incoming>, address: IpAddr, state: &AdminState) -> Answer {
    let mut answer = respond(request, address, state).await;
    gate::harden(&mut answer);
    answer
}

async fn respond(request: Request<Incoming>, address: IpAddr, state: &AdminState) -> Answer {
    let console = &state.console;
    let desk = console.desk.load_full();
    if let Err(refused) = gate::check_host(request.headers(), &desk.hosts) {
        return refused.into();
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/console").unwrap_or_default();
    let is_post = match head.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return gate::refused(StatusCode::METHOD_NOT_ALLOWED, "Only GET and POST are served here."),
    };
    if let Some(name) = path.strip_prefix("/assets/") {
        return assets::answer(name, &head.headers);
    }
    let mut form = Form::default();
    if is_post {
        if let Err(refused) = gate::check_origin(&head.headers) {
            return refused.into();
        }
        form = match Form::read(body).await {
            Ok(form) => form,
            Err(refused) => return refused.into(),
        };
    }
    if path == "/sign-in" {
        return sign_in::answer(&head.headers, address, is_post.then_some(&form), state).await;
    }
    let Some(visit) = sign_in::visit(&head.headers, address, state).await else { return see("/console/sign-in") };
    if is_post && !visit.is_meant(&form) {
        return gate::refused(
            StatusCode::FORBIDDEN,
            "This form is out of date. Go back, load the page again and send it once more.",
        );
    }
    let page = Page { state, desk: &desk, visit: &visit };
    match (is_post, path) {
        (_, "" | "/") => see("/console/provisioning"),
        (false, "/provisioning") => provisioning::show(&page),
        (true, "/provisioning") => provisioning::save(&page, &form).await,
        (true, "/provisioning/credential") => provisioning::make(&page, &form).await,
        (false, "/keys") => keys::show(&page),
        (true, "/keys") => keys::make(&page, &form).await,
        (true, "/keys/expire") => keys::expire(&page, &form).await,
        (true, "/keys/revoke") => keys::revoke(&page, &form).await,
        (false, "/activity") => activity::show(&page),
        (false, "/activity/events") => activity::events(&page, visit.clone(), address, &head.headers, head.uri.query()),
        (false, "/health") => health::show(&page).await,
        (true, "/health/check") => health::check(&page).await,
        (false, "/limits") => limits::show(&page),
        (is_post, "/explain") => explain::show(&page, is_post.then_some(&form)).await,
        (true, "/sign-out") => sign_in::out(&page),
        _ => gate::refused(StatusCode::NOT_FOUND, "There is no such page."),
    }
}

/// What a page is drawn of.
struct Page<'a> {
    state: &'a AdminState,
    desk: &'a Desk,
    visit: &'a Visit,
}

/// Sends the browser to a page; what was sent is not sent again by loading that one.
fn see(path: &'static str) -> Answer {
    let mut answer = whole(StatusCode::SEE_OTHER, String::new());
    answer.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    answer
}

fn whole(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed_unsync());
    *answer.status_mut() = status;
    answer
}
