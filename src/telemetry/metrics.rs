//! Every metric family and its labels, those of the cache in a file beside it. Label values are bounded: routes and result codes by
//! their types, clients by the configuration.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::cache::CacheMetrics;

/// Seconds; from a lookup on one machine to what a client would call an outage.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

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
struct DirectoryLabels {
    operation: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
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
struct IssuerLabels {
    issuer: Arc<str>,
    about: &'static str,
    result: &'static str,
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
    directory_operations: Family<DirectoryLabels, Counter>,
    directory_seconds: Family<OperationLabels, Histogram>,
    directory_connections: Family<ServerLabels, Gauge>,
    directory_chosen: Family<ServerLabels, Gauge>,
    directory_budget: Family<ServerLabels, Gauge>,
    directory_in_flight: Family<ServerLabels, Gauge>,
    directory_refusals: Family<ServerLabels, Counter>,
    certificate_expiry: Gauge<f64, AtomicU64>,
    cache: CacheMetrics,
    audit_lines: Counter,
    audit_failures: Counter,
    audit_waiting: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        let mut registry = Registry::with_prefix("scimgate");
        let cache = CacheMetrics::register(&mut registry);
        let mut metrics = Self {
            registry,
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            client_connections: Gauge::default(),
            refusals: Family::default(),
            tolerances: Family::default(),
            issuer_requests: Family::default(),
            directory_operations: Family::default(),
            directory_seconds: Family::new_with_constructor(histogram),
            directory_connections: Family::default(),
            directory_chosen: Family::default(),
            directory_budget: Family::default(),
            directory_in_flight: Family::default(),
            directory_refusals: Family::default(),
            certificate_expiry: Gauge::default(),
            cache,
            audit_lines: Counter::default(),
            audit_failures: Counter::default(),
            audit_waiting: Gauge::default(),
        };
        let registry = &mut metrics.registry;
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
        registry.register("refusals", "Requests refused before they were looked at", metrics.refusals.clone());
        registry.register("tolerances", "Oddities of clients that were accepted", metrics.tolerances.clone());
        registry.register("issuer_requests", "Questions to issuers of tokens", metrics.issuer_requests.clone());
        registry.register("directory_operations", "LDAP operations by result", metrics.directory_operations.clone());
        registry.register_with_unit(
            "directory_operation",
            "From sending an LDAP operation to its result",
            Unit::Seconds,
            metrics.directory_seconds.clone(),
        );
        registry.register("directory_connections", "LDAP connections that are up", metrics.directory_connections.clone());
        registry.register("directory_chosen", "1: the server that takes the writes", metrics.directory_chosen.clone());
        registry.register("directory_budget", "Operations a server is given at once, at most", metrics.directory_budget.clone());
        registry.register("directory_operations_in_flight", "Operations a server has", metrics.directory_in_flight.clone());
        registry.register(
            "directory_operations_refused",
            "Operations that found no place in a server's budget",
            metrics.directory_refusals.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the server's certificate ends, in seconds since 1970",
            metrics.certificate_expiry.clone(),
        );
        registry.register("audit_lines", "Lines written to the audit", metrics.audit_lines.clone());
        registry.register("audit_failures", "Times the audit could not be written", metrics.audit_failures.clone());
        registry.register("audit_lines_waiting", "Lines that could not be written yet", metrics.audit_waiting.clone());
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

    /// Counts an LDAP operation.
    pub fn directory_operation(&self, operation: &'static str, result: &'static str, took: Duration) {
        self.directory_operations.get_or_create(&DirectoryLabels { operation, result }).inc();
        self.directory_seconds.get_or_create(&OperationLabels { operation }).observe(took.as_secs_f64());
    }

    /// The families of one directory server, by its address.
    #[must_use]
    pub fn server(&self, server: &str) -> ServerMetrics {
        let labels = ServerLabels { server: server.into() };
        ServerMetrics {
            connections: self.directory_connections.get_or_create_owned(&labels),
            chosen: self.directory_chosen.get_or_create_owned(&labels),
            budget: self.directory_budget.get_or_create_owned(&labels),
            in_flight: self.directory_in_flight.get_or_create_owned(&labels),
            refusals: self.directory_refusals.get_or_create_owned(&labels),
        }
    }

    /// The families of what is remembered.
    #[must_use]
    pub fn cache(&self) -> CacheMetrics {
        self.cache.clone()
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

    /// Notes when the server's certificate ends, in seconds since 1970.
    pub fn certificate_ends(&self, timestamp: f64) {
        self.certificate_expiry.set(timestamp);
    }

    /// All of them in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// What is counted of one directory server.
#[derive(Debug)]
pub struct ServerMetrics {
    connections: Gauge,
    chosen: Gauge,
    budget: Gauge,
    in_flight: Gauge,
    refusals: Counter,
}

impl ServerMetrics {
    /// Counts a connection as up until the guard is dropped.
    #[must_use]
    pub fn connection(&self) -> CountGuard {
        CountGuard::new(&self.connections)
    }

    /// Notes whether it is the one that is written to.
    pub fn chosen(&self, chosen: bool) {
        self.chosen.set(i64::from(chosen));
    }

    /// Notes how many operations it is given at once.
    pub fn budget(&self, operations: usize) {
        self.budget.set(i64::try_from(operations).unwrap_or(i64::MAX));
    }

    /// Counts an operation as under way until the guard is dropped.
    #[must_use]
    pub fn in_flight(&self) -> CountGuard {
        CountGuard::new(&self.in_flight)
    }

    /// Counts an operation that found no place.
    pub fn refused(&self) {
        self.refusals.inc();
    }
}

/// One more until it is dropped.
#[derive(Debug)]
pub struct CountGuard(Gauge);

impl CountGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_printed_with_their_labels() {
        let metrics = Metrics::default();
        metrics.request("user", "GET", &"ping".into(), 200, Duration::from_millis(3));
        metrics.directory_operation("search", "success", Duration::from_millis(1));
        metrics.refused(Refusal::Expired);
        metrics.tolerated(&"ping".into(), "string-boolean");
        let guard = metrics.in_flight();
        let server = metrics.server("ldaps://a:636");
        server.budget(256);
        let connection = server.connection();
        let text = metrics.text();
        for line in [
            "scimgate_requests_total{route=\"user\",method=\"GET\",client=\"ping\",status=\"200\"} 1",
            "scimgate_directory_operations_total{operation=\"search\",result=\"success\"} 1",
            "scimgate_refusals_total{reason=\"expired\"} 1",
            "scimgate_tolerances_total{client=\"ping\",tolerance=\"string-boolean\"} 1",
            "scimgate_requests_in_flight 1",
            "scimgate_directory_budget{server=\"ldaps://a:636\"} 256",
            "scimgate_directory_connections{server=\"ldaps://a:636\"} 1",
            "scimgate_request_seconds_count{route=\"user\"} 1",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop((guard, connection));
        assert!(metrics.text().contains("scimgate_requests_in_flight 0"));
        assert!(metrics.text().contains("scimgate_directory_connections{server=\"ldaps://a:636\"} 0"));
    }
}
