//! Every metric family and its labels, those of the cache, of the directory, of reloads, of the upstream and of shared limits in files beside it. Label values are
//! bounded: routes and result codes by their types, clients by the configuration.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::cache::CacheMetrics;
use super::directory::DirectoryMetrics;
use super::reload::ReloadMetrics;
use super::shared_limits::SharedLimitMetrics;
use super::traces::TraceMetrics;
use super::upstream::UpstreamMetrics;

/// Seconds; from a lookup on one machine to what a client would call an outage.
pub(super) const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    client: Arc<str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToleranceLabels {
    client: Arc<str>,
    tolerance: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RailLabels {
    client: Arc<str>,
    act: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: Arc<str>,
    about: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
    client: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    certificate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    client: Arc<str>,
}

/// A moment, in seconds since 1970.
pub(super) type Instant = Gauge<f64, AtomicU64>;

/// The present one.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn instant(timestamp: f64) -> Instant {
    let gauge = Instant::default();
    gauge.set(timestamp);
    gauge
}

/// The form in which metrics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0, for who asks for it, as Prometheus does.
    OpenMetrics,
    /// Prometheus's own text format 0.0.4, for everybody else.
    Prometheus,
}

impl Exposition {
    /// What an `Accept` header asks for.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        let wants = |part: &str| part.split(';').next().is_some_and(|kind| kind.trim() == "application/openmetrics-text");
        if accept.is_some_and(|accept| accept.split(',').any(wants)) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A limit that can be used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `limits.requests_per_second`.
    Requests,
    /// `limits.writes_per_second`.
    Writes,
    /// `limits.failures_per_minute`.
    Failures,
}

impl Limit {
    fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Writes => "writes",
            Self::Failures => "failures",
        }
    }
}

/// A certificate that scimgate shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCertificate {
    /// To clients: `server.tls.certificate`.
    Server,
    /// To the directory: `directory.client_certificate`.
    Directory,
}

impl OwnCertificate {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Directory => "directory",
        }
    }
}

/// Why a request went no further than the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No credential.
    Missing,
    /// A credential that is not ours.
    Invalid,
    /// A credential that was ours once.
    Expired,
    /// A token whose issuer cannot be asked.
    Issuer,
    /// A credential that does not allow this.
    Scope,
    /// Too many requests.
    Rate,
    /// The TLS handshake failed or took too long.
    Handshake,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Issuer => "issuer",
            Self::Scope => "scope",
            Self::Rate => "rate",
            Self::Handshake => "handshake",
        }
    }
}

/// The counters, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
    client_connections: Gauge,
    refusals: Family<RefusalLabels, Counter>,
    tolerances: Family<ToleranceLabels, Counter>,
    issuer_requests: Family<IssuerLabels, Counter>,
    limits: Family<LimitLabels, Counter>,
    stale_answers: Counter,
    connection_limit: Gauge,
    certificate_expiry: Family<CertificateLabels, Instant>,
    credential_expiry: Family<CredentialLabels, Instant>,
    directory: DirectoryMetrics,
    cache: CacheMetrics,
    reload: ReloadMetrics,
    upstream: UpstreamMetrics,
    shared_limits: SharedLimitMetrics,
    audit_lines: Counter,
    audit_failures: Counter,
    audit_waiting: Gauge,
    rail_refusals: Family<RailLabels, Counter>,
    rail_reached: Family<RailLabels, Gauge>,
    shadow: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        let mut registry = Registry::with_prefix("scimgate");
        let cache = CacheMetrics::register(&mut registry);
        let directory = DirectoryMetrics::register(&mut registry);
        let reload = ReloadMetrics::register(&mut registry);
        let upstream = UpstreamMetrics::register(&mut registry);
        let shared_limits = SharedLimitMetrics::register(&mut registry);
        let mut metrics = Self {
            registry,
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            client_connections: Gauge::default(),
            refusals: Family::default(),
            tolerances: Family::default(),
            issuer_requests: Family::default(),
            limits: Family::default(),
            stale_answers: Counter::default(),
            connection_limit: Gauge::default(),
            certificate_expiry: Family::default(),
            credential_expiry: Family::default(),
            directory,
            cache,
            reload,
            upstream,
            shared_limits,
            audit_lines: Counter::default(),
            audit_failures: Counter::default(),
            audit_waiting: Gauge::default(),
            rail_refusals: Family::default(),
            rail_reached: Family::default(),
            shadow: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("start_timestamp_seconds", "When this process began, in seconds since 1970", instant(now()));
        registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("requests", "Answered requests", metrics.requests.clone());
        registry.register_with_unit(
            "request",
            "From the head of a request to its answer",
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered", metrics.in_flight.clone());
        registry.register("client_connections", "Open connections from clients", metrics.client_connections.clone());
        registry.register("client_connections_limit", "Connections from clients at most", metrics.connection_limit.clone());
        registry.register("refusals", "Requests refused before they were looked at", metrics.refusals.clone());
        registry.register("tolerances", "Oddities of clients that were accepted", metrics.tolerances.clone());
        registry.register("issuer_requests", "Questions to issuers of tokens", metrics.issuer_requests.clone());
        registry.register("limit_exceeded", "Requests refused because a limit was used up", metrics.limits.clone());
        registry.register("stale_answers", "Earlier answers given while the directory was away", metrics.stale_answers.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When a certificate of ours ends, in seconds since 1970",
            metrics.certificate_expiry.clone(),
        );
        registry.register(
            "credential_expiry_timestamp_seconds",
            "When the last of a client's keys or certificates ends, in seconds since 1970",
            metrics.credential_expiry.clone(),
        );
        TraceMetrics::register(registry);
        registry.register("audit_lines", "Lines written to the audit", metrics.audit_lines.clone());
        registry.register("audit_failures", "Times the audit could not be written", metrics.audit_failures.clone());
        registry.register("audit_lines_waiting", "Lines that could not be written yet", metrics.audit_waiting.clone());
        registry.register("rail_refusals", "Deletions and deactivations beyond what is allowed", metrics.rail_refusals.clone());
        registry.register("rail_reached", "1: no more of them are let through", metrics.rail_reached.clone());
        registry.register("shadow", "1: shadow mode, in which nothing is written to the directory", metrics.shadow.clone());
        metrics
    }
}

impl Metrics {
    /// Counts an answered request.
    pub fn request(&self, route: &'static str, method: &'static str, client: &Arc<str>, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, method, client: client.clone(), status }).inc();
        self.request_seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// Counts a request as under way until the guard is dropped.
    #[must_use]
    pub fn in_flight(&self) -> CountGuard {
        CountGuard::new(&self.in_flight)
    }

    /// Counts a connection as open until the guard is dropped.
    #[must_use]
    pub fn client_connection(&self) -> CountGuard {
        CountGuard::new(&self.client_connections)
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        self.refusals.get_or_create(&RefusalLabels { reason: refusal.name() }).inc();
    }

    /// Counts a question to an issuer of tokens, about its keys or about a token.
    pub fn issuer_asked(&self, issuer: &Arc<str>, about: &'static str, good: bool) {
        let result = if good { "answered" } else { "failed" };
        self.issuer_requests.get_or_create(&IssuerLabels { issuer: issuer.clone(), about, result }).inc();
    }

    /// Counts an accepted oddity.
    pub fn tolerated(&self, client: &Arc<str>, tolerance: &'static str) {
        self.tolerances.get_or_create(&ToleranceLabels { client: client.clone(), tolerance }).inc();
    }

    /// The families of the directory's servers.
    #[must_use]
    pub fn directory(&self) -> DirectoryMetrics {
        self.directory.clone()
    }

    /// The families of what is remembered.
    #[must_use]
    pub fn cache(&self) -> CacheMetrics {
        self.cache.clone()
    }

    /// The families of what is passed through.
    #[must_use]
    pub fn upstream(&self) -> UpstreamMetrics {
        self.upstream.clone()
    }

    /// The families of the store of shared limits.
    #[must_use]
    pub fn shared_limits(&self) -> SharedLimitMetrics {
        self.shared_limits.clone()
    }

    /// Counts a deletion or deactivation that was refused.
    pub fn rail_refused(&self, client: &Arc<str>, act: &'static str) {
        self.rail_refusals.get_or_create(&RailLabels { client: client.clone(), act }).inc();
    }

    /// Notes whether a client may delete or disable no more.
    pub fn rail_reached(&self, client: &Arc<str>, act: &'static str, reached: bool) {
        self.rail_reached.get_or_create(&RailLabels { client: client.clone(), act }).set(i64::from(reached));
    }

    /// Notes whether nothing is written to the directory.
    pub fn shadow(&self, shadow: bool) {
        self.shadow.set(i64::from(shadow));
    }

    /// Counts lines of the audit.
    pub fn audit_written(&self, lines: usize) {
        self.audit_lines.inc_by(lines as u64);
    }

    /// Counts a time when the audit could not be written.
    pub fn audit_failed(&self) {
        self.audit_failures.inc();
    }

    /// Notes how many lines of the audit could not be written yet.
    pub fn audit_waiting(&self, lines: usize) {
        self.audit_waiting.set(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    /// Counts a request that found a limit used up.
    pub fn limited(&self, limit: Limit, client: &Arc<str>) {
        self.limits.get_or_create(&LimitLabels { limit: limit.name(), client: client.clone() }).inc();
    }

    /// Counts an earlier answer given in place of a failure.
    pub fn stale_answer(&self) {
        self.stale_answers.inc();
    }

    /// Notes how many connections clients may have.
    pub fn connection_limit(&self, most: usize) {
        self.connection_limit.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// Notes whether the configuration was read and is served by now.
    pub fn loaded(&self, well: bool) {
        self.reload.loaded(well);
    }

    /// So many keys of the present configuration take effect at the next start only.
    pub fn restart_wanted(&self, keys: usize) {
        self.reload.restart_wanted(keys);
    }

    /// Notes when a certificate of ours ends, in seconds since 1970.
    pub fn certificate_ends(&self, certificate: OwnCertificate, timestamp: f64) {
        self.certificate_expiry.get_or_create(&CertificateLabels { certificate: certificate.name() }).set(timestamp);
    }

    /// Notes when the clients' credentials end, in seconds since 1970; what was noted before is forgotten. Of several with one
    /// client's name the last counts, for two are live while it is changed over.
    pub fn credentials_end(&self, credentials: impl IntoIterator<Item = (Arc<str>, f64)>) {
        self.credential_expiry.clear();
        for (client, timestamp) in credentials {
            let known = self.credential_expiry.get_or_create_owned(&CredentialLabels { client });
            known.set(known.get().max(timestamp));
        }
    }

    /// All of them in a text format.
    pub fn text(&self, exposition: Exposition) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = match exposition {
            Exposition::OpenMetrics => text::encode(&mut out, &self.registry),
            Exposition::Prometheus => prometheus_text::encode(&mut out, &self.registry),
        };
        out
    }
}

/// One more until it is dropped.
#[derive(Debug)]
pub struct CountGuard(Gauge);

impl CountGuard {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
