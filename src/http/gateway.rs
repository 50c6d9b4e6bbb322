//! The life of a request, in the order of its stages.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::HOST;
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use super::compression::{self, Accepted};
use super::outgoing::Outgoing;
use super::proxies::is_host;
use super::response::{self, Answer};
use super::route::{Call, NoCall};
use super::stale::EarlierAnswers;
use super::upstream::{Place, Upstream};
use super::{ClientPolicy, HttpConfig, Proxies, SCIM_PATH, body};
use crate::auth::{Authenticator, AuthorizationServer, ClientCertificate, Principal, Rejection, Scopes, Writing};
use crate::limit::{Exhausted, RateLimiter};
use crate::scim::precondition::{IfMatch, IfNoneMatch};
use crate::scim::{Dialect, ScimError, Tolerance};
use crate::service::{Context, Service};
use crate::telemetry::{Limit, Metrics, Refusal, RequestSpan};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// On every answer in shadow mode.
const SHADOW: HeaderName = HeaderName::from_static("scimgate-shadow");
/// The client's name while nobody has signed in.
pub(super) const NOBODY: &str = "-";

/// An address that fails too often is answered so much later: who tries keys waits, and takes nothing from others meanwhile.
pub(super) const HELD: Duration = Duration::from_secs(1);

/// How a request reached us.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The other end of the TCP connection, or whom a trusted proxy made it for.
    pub(super) address: SocketAddr,
    /// Where the client is: what a trusted proxy says of the request, else the same.
    pub(super) client: IpAddr,
    /// Whether it came over TLS.
    pub(super) secure: bool,
    /// What it showed in the handshake.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, secure: bool, certificate: Option<Arc<ClientCertificate>>) -> Self {
        Self { address, client: address.ip().to_canonical(), secure, certificate }
    }
}

/// Everything a request passes on its way to the service.
#[derive(Debug)]
pub struct Gateway {
    pub(super) service: Service,
    pub(super) metrics: Arc<Metrics>,
    pub(super) authenticator: Authenticator,
    pub(super) authorization_server: Option<Arc<AuthorizationServer>>,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) clients: HashMap<Arc<str>, ClientPolicy>,
    /// Whether anything is provisioned at all.
    enabled: bool,
    pub(super) public_url: Option<String>,
    proxies: Proxies,
    pub(super) max_body: usize,
    pub(super) request_timeout: Duration,
    earlier: EarlierAnswers,
    /// Writes under way, which outlive a client that goes away.
    writes: TaskTracker,
    pub(super) nobody: Arc<str>,
    /// Who gets what is not for us.
    upstream: Option<Arc<Upstream>>,
}

/// A request that may be carried out.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) call: Call,
    /// The raw query string.
    pub(super) query: String,
    pub(super) body: Option<Value>,
    pub(super) scopes: Scopes,
    pub(super) policy: ClientPolicy,
    pub(super) if_none_match: Option<IfNoneMatch>,
    pub(super) context: Context,
}

impl Gateway {
    /// Puts the stages together.
    pub fn new(
        config: &HttpConfig,
        service: Service,
        (authenticator, authorization_server): (Authenticator, Option<Arc<AuthorizationServer>>),
        limiter: Arc<RateLimiter>,
        clients: HashMap<Arc<str>, ClientPolicy>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            service,
            metrics,
            authenticator,
            authorization_server,
            limiter,
            clients,
            enabled: config.enabled,
            public_url: config.public_url.clone(),
            proxies: config.proxies.clone(),
            max_body: config.max_body,
            request_timeout: config.request_timeout,
            earlier: EarlierAnswers::new(config.stale),
            writes: TaskTracker::new(),
            nobody: NOBODY.into(),
            upstream: None,
        }
    }

    /// The same with an application beside us, which gets what is not for us.
    #[must_use]
    pub fn beside(self, upstream: Option<Arc<Upstream>>) -> Self {
        Self { upstream, ..self }
    }

    /// The service behind it.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Waits for writes under way. No new ones may come.
    pub async fn finish_writes(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// Answers a request, or passes it on.
    pub(super) async fn handle(self: Arc<Self>, request: Request<Incoming>, mut peer: Peer) -> Response<Outgoing> {
        let started = Instant::now();
        let way = self.proxies.way(peer.address.ip(), request.headers());
        peer.client = way.client();
        if let Some(upstream) = &self.upstream {
            let place = Place::of(request.uri().path());
            if place != Place::Ours {
                return self.pass_on(upstream, place, request, (&peer, &way), started).await;
            }
        }
        self.answer_ourselves(request, peer, started).await.map(Outgoing::Whole)
    }

    /// Whether clients reach us by TLS, as far as we know.
    pub(super) fn is_secure(&self, peer: &Peer) -> bool {
        peer.secure || self.public_url.as_ref().is_some_and(|url| url.starts_with("https:"))
    }

    async fn answer_ourselves(self: Arc<Self>, request: Request<Incoming>, peer: Peer, started: Instant) -> Answer {
        let _guard = self.metrics.in_flight();
        let request_id = request_id(request.headers());
        let method = method_name(request.method());
        let call = Call::parse(request.method(), request.uri().path());
        let route = call.as_ref().map_or("none", Call::route);
        let accepted = match &call {
            // What holds a token is not compressed.
            Ok(Call::OAuth(_)) => Accepted::Identity,
            Ok(_) | Err(_) => Accepted::from_headers(request.headers()),
        };
        let span = RequestSpan::begin(method, route, &request_id, request.headers());
        let answering = async {
            match call {
                Err(NoCall::NotFound(error)) => (self.nobody.clone(), response::error(&error)),
                Err(NoCall::Method(allow)) => (self.nobody.clone(), response::method_not_allowed(allow)),
                // Nothing is done whose answer could not be read.
                Ok(_) if accepted == Accepted::Nothing => (self.nobody.clone(), response::not_acceptable()),
                Ok(Call::OAuth(endpoint)) => self.authorization(endpoint, request, &peer).await,
                Ok(call) => self.clone().admit(call, request, &peer, &request_id).await,
            }
        };
        let (client, answer) = answering.instrument(span.span()).await;
        let mut answer = compression::compress(answer, accepted).await;
        response::set(&mut answer, REQUEST_ID, &request_id);
        if self.service.shadow().is_some() {
            response::set(&mut answer, SHADOW, "nothing is written");
        }
        response::harden(&mut answer, self.is_secure(&peer));
        let (status, took) = (answer.status().as_u16(), started.elapsed());
        self.metrics.request(route, method, &client, status, took);
        let trace_id = span.answered(&client, status);
        tracing::info!(
            request_id = &*request_id,
            client = &*client,
            peer = %peer.address,
            address = %peer.client,
            method,
            route,
            status,
            trace_id,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        answer
    }

    /// Identity, budget and permission; then the body, and the call itself.
    async fn admit(
        self: Arc<Self>,
        call: Call,
        request: Request<Incoming>,
        peer: &Peer,
        request_id: &Arc<str>,
    ) -> (Arc<str>, Answer) {
        let principal = match self.identify(request.headers(), peer).await {
            Ok(principal) => Some(principal),
            Err(Rejection::Missing) if call.is_public() => None,
            Err(rejection) => {
                return (self.nobody.clone(), self.unauthorized(rejection, peer).await);
            }
        };
        let client = principal.as_ref().map_or(&self.nobody, |principal| &principal.client).clone();
        let budget = match &principal {
            Some(_) => self.limiter.request(&client).await,
            None => self.limiter.anonymous(peer.client),
        };
        let standing = match budget {
            Ok(standing) => standing,
            Err(exhausted) => {
                self.note_limit(exhausted, Limit::Requests, &client);
                return (client, response::too_many_requests(exhausted));
            }
        };
        let lacking = principal.as_ref().and_then(|principal| lacking(&call, principal));
        if let Some(scope) = lacking {
            self.metrics.refused(Refusal::Scope);
            return (client, response::forbidden(scope));
        }
        if !self.enabled {
            return (client, response::error(&switched_off()));
        }
        let scopes = principal.map_or_else(Scopes::none, |principal| principal.scopes);
        let mut answer = self.carry_out(call, request, peer, (&client, scopes), request_id).await;
        if let Some(standing) = standing {
            response::rate_limit(&mut answer, standing);
        }
        (client, answer)
    }

    /// Counts a request that goes no further for its client's budget.
    pub(super) fn note_limit(&self, exhausted: Exhausted, limit: Limit, client: &Arc<str>) {
        match exhausted {
            Exhausted::Until { .. } | Exhausted::Never { .. } => {
                self.metrics.refused(Refusal::Rate);
                self.metrics.limited(limit, client);
            }
            // The client has done nothing.
            Exhausted::Unknown => {}
        }
    }

    /// Who asks. Where a form of the header is a client's oddity, it is counted, and refused to a client that may not have it.
    async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Principal, Rejection> {
        let (principal, writing) = self.authenticator.identify(headers, peer.certificate.as_deref()).await?;
        let oddity = match writing {
            Writing::Standard => return Ok(principal),
            Writing::OtherWord => Tolerance::AuthenticationOtherWord,
            Writing::NoWord => Tolerance::AuthenticationNoWord,
        };
        if !self.clients.get(&principal.client).copied().unwrap_or_default().tolerances.contains(oddity) {
            return Err(Rejection::Malformed);
        }
        self.metrics.tolerated(&principal.client, oddity.name());
        Ok(principal)
    }

    /// 401; after too many of them from one address 429, whatever was wrong.
    async fn unauthorized(&self, rejection: Rejection, peer: &Peer) -> Answer {
        self.metrics.refused(refusal(rejection));
        if rejection.is_guess()
            && let Err(exhausted) = self.limiter.failure(peer.client)
        {
            self.metrics.limited(Limit::Failures, &self.nobody);
            tokio::time::sleep(HELD).await;
            return response::too_many_failures(exhausted);
        }
        response::unauthorized(rejection, self.authenticator.offers())
    }

    async fn carry_out(
        self: Arc<Self>,
        call: Call,
        request: Request<Incoming>,
        peer: &Peer,
        (client, scopes): (&Arc<str>, Scopes),
        request_id: &Arc<str>,
    ) -> Answer {
        let policy = self.clients.get(client).copied().unwrap_or_default();
        let mut context = Context {
            base_url: self.base_url(&request, peer.secure),
            client: client.clone(),
            request_id: request_id.clone(),
            address: Some(peer.client),
            bulk: None,
            dialect: Dialect { allowed: policy.tolerances, ..Dialect::strict() },
            derive_missing: policy.derive_missing,
            if_match: None,
        };
        let deadline = tokio::time::Instant::now() + self.request_timeout;
        let (head, incoming) = request.into_parts();
        let preconditions =
            IfMatch::from_headers(&head.headers).and_then(|one| Ok((one, IfNoneMatch::from_headers(&head.headers)?)));
        let if_none_match = match preconditions {
            Ok((if_match, if_none_match)) => {
                context.if_match = if_match;
                if_none_match
            }
            Err(error) => return response::error(&error),
        };
        let body = if call.has_body() {
            if body::is_coded(&head.headers) {
                return response::coded_body();
            }
            let budgets = self.service.budgets();
            let (max, depth) = match call {
                Call::Bulk => (budgets.bulk_payload, budgets.json_depth),
                _ => (self.max_body, budgets.json_depth),
            };
            match tokio::time::timeout_at(deadline, body::json(&head.headers, incoming, max, depth)).await {
                Ok(Ok(body)) => Some(body),
                Ok(Err(error)) => return response::error(&error),
                Err(_) => return response::error(&slow_body()),
            }
        } else {
            None
        };
        let is_write = call.is_write();
        let mut changes = None;
        if is_write {
            let operations = match call {
                Call::Bulk => body.as_ref().map_or(1, operations),
                _ => 1,
            };
            match self.limiter.writes(client, operations).await {
                Ok(standing) => changes = standing,
                Err(exhausted) => {
                    self.note_limit(exhausted, Limit::Writes, client);
                    return response::too_many_writes(exhausted);
                }
            }
        }
        let question =
            matches!(call, Call::Get(..) | Call::List(_)).then(|| (client.clone(), format!("{}{}", context.base_url, head.uri)));
        let admitted = Admitted {
            call,
            query: head.uri.query().unwrap_or_default().to_owned(),
            body,
            scopes,
            policy,
            if_none_match,
            context,
        };
        let running = self.clone().call(admitted);
        let done = if is_write {
            // A change of several steps is carried to its end, whether or not the client is still there.
            tokio::time::timeout_at(deadline, self.writes.spawn(running.in_current_span()))
                .await
                .map(|joined| joined.unwrap_or_else(|_| failed()))
        } else {
            tokio::time::timeout_at(deadline, running).await
        };
        let mut answer = done.unwrap_or_else(|_| response::error(&late(is_write)));
        if is_write {
            self.earlier.forget();
        } else if let Some(question) = question {
            let is_earlier;
            (answer, is_earlier) = self.earlier.instead(question, answer);
            if is_earlier {
                self.metrics.stale_answer();
            }
        }
        if let Some(standing) = changes {
            response::rate_limit(&mut answer, standing);
        }
        answer
    }

    /// The SCIM base as the client reaches it.
    fn base_url(&self, request: &Request<Incoming>, secure: bool) -> String {
        if let Some(url) = &self.public_url {
            return format!("{url}{SCIM_PATH}");
        }
        let from_header = || request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(http::uri::Authority::as_str).or_else(from_header);
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{}{SCIM_PATH}", host.filter(|host| is_host(host)).unwrap_or("localhost"))
    }
}

/// How many operations a bulk request has; what it is otherwise is looked at later.
fn operations(body: &Value) -> usize {
    let lists = body.as_object().into_iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("Operations"));
    lists.filter_map(|(_, list)| list.as_array()).map(Vec::len).sum()
}

fn lacking(call: &Call, principal: &Principal) -> Option<crate::auth::Scope> {
    call.scopes().iter().copied().find(|scope| !principal.scopes.contains(*scope))
}

/// What a credential that is not accepted counts as.
pub(super) fn refusal(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Missing => Refusal::Missing,
        Rejection::Malformed
        | Rejection::Unknown
        | Rejection::OtherCertificate
        | Rejection::NotYetValid
        | Rejection::OtherAudience
        | Rejection::NotAllowed => Refusal::Invalid,
        Rejection::Unavailable => Refusal::Issuer,
        Rejection::Expired => Refusal::Expired,
    }
}

/// The client's own id for the request, if it is a plain word, so that both logs can be laid side by side.
pub(super) fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain =
        |id: &&str| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    given.filter(plain).map_or_else(|| Uuid::new_v4().simple().to_string().into(), Into::into)
}

/// A client can make up methods; a label cannot.
pub(super) fn method_name(method: &http::Method) -> &'static str {
    match *method {
        http::Method::GET => "GET",
        http::Method::HEAD => "HEAD",
        http::Method::POST => "POST",
        http::Method::PUT => "PUT",
        http::Method::PATCH => "PATCH",
        http::Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// The administrator has taken the identity provider off.
fn switched_off() -> ScimError {
    let what = "Provisioning is switched off here. To let the identity provider in, an administrator sets \"Use identity provider\" in \
                the console of scimgate, or provisioning.enabled = true in its configuration.";
    ScimError::new(http::StatusCode::FORBIDDEN, what)
}

fn slow_body() -> ScimError {
    ScimError::new(http::StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.")
}

fn late(is_write: bool) -> ScimError {
    let detail = if is_write {
        "The directory has not answered yet; the change may still be made. Try again: a repetition does no harm."
    } else {
        "The directory has not answered in time. Try again."
    };
    ScimError::unavailable(5, detail)
}

/// The task of a write ended by a panic, which nothing here is meant to do.
fn failed() -> Answer {
    tracing::error!("a request ended by a defect of this program");
    response::error(&ScimError::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "This request met a defect of scimgate; its log has more.",
    ))
}
