//! The metric families of the directory's servers, by their addresses in the configuration.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{BUCKETS, CountGuard};

/// The label of an operation for which there was no server.
const NO_SERVER: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    server: Arc<str>,
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    server: Arc<str>,
    operation: &'static str,
    result: &'static str,
}

/// The families.
#[derive(Debug, Clone)]
pub struct DirectoryMetrics {
    operations: Family<ResultLabels, Counter>,
    seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    connections: Family<ServerLabels, Gauge>,
    connections_wanted: Family<ServerLabels, Gauge>,
    connection_failures: Family<ServerLabels, Counter>,
    chosen: Family<ServerLabels, Gauge>,
    budget: Family<ServerLabels, Gauge>,
    in_flight: Family<ServerLabels, Gauge>,
    waiting: Family<ServerLabels, Gauge>,
    refusals: Family<ServerLabels, Counter>,
}

impl DirectoryMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            operations: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            connections: Family::default(),
            connections_wanted: Family::default(),
            connection_failures: Family::default(),
            chosen: Family::default(),
            budget: Family::default(),
            in_flight: Family::default(),
            waiting: Family::default(),
            refusals: Family::default(),
        };
        registry.register("directory_operations", "LDAP operations by server and result", metrics.operations.clone());
        registry.register_with_unit(
            "directory_operation",
            "From sending an LDAP operation to its result",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("directory_connections", "LDAP connections that are up", metrics.connections.clone());
        registry.register("directory_connections_wanted", "LDAP connections there should be", metrics.connections_wanted.clone());
        registry.register(
            "directory_connection_failures",
            "Attempts to connect and sign in that failed, and connections that were lost",
            metrics.connection_failures.clone(),
        );
        registry.register("directory_chosen", "1: the server that takes the writes", metrics.chosen.clone());
        registry.register("directory_budget", "Operations a server is given at once, at most", metrics.budget.clone());
        registry.register("directory_operations_in_flight", "Operations a server has", metrics.in_flight.clone());
        registry.register("directory_operations_waiting", "Operations that wait for a place", metrics.waiting.clone());
        registry.register(
            "directory_operations_refused",
            "Operations that found no place in a server's budget",
            metrics.refusals.clone(),
        );
        metrics
    }

    /// Counts an operation that went to no server.
    pub fn unsent(&self, operation: &'static str, result: &'static str) {
        self.operations.get_or_create(&ResultLabels { server: NO_SERVER.into(), operation, result }).inc();
    }

    /// The families of one server, by its address.
    #[must_use]
    pub fn server(&self, server: &str) -> ServerMetrics {
        let labels = ServerLabels { server: server.into() };
        ServerMetrics {
            connections: self.connections.get_or_create_owned(&labels),
            connections_wanted: self.connections_wanted.get_or_create_owned(&labels),
            connection_failures: self.connection_failures.get_or_create_owned(&labels),
            chosen: self.chosen.get_or_create_owned(&labels),
            budget: self.budget.get_or_create_owned(&labels),
            in_flight: self.in_flight.get_or_create_owned(&labels),
            waiting: self.waiting.get_or_create_owned(&labels),
            refusals: self.refusals.get_or_create_owned(&labels),
            all: self.clone(),
            server: labels.server,
        }
    }
}

/// What is counted of one directory server.
#[derive(Debug)]
pub struct ServerMetrics {
    all: DirectoryMetrics,
    server: Arc<str>,
    connections: Gauge,
    connections_wanted: Gauge,
    connection_failures: Counter,
    chosen: Gauge,
    budget: Gauge,
    in_flight: Gauge,
    waiting: Gauge,
    refusals: Counter,
}

impl ServerMetrics {
    /// Counts an LDAP operation.
    pub fn operation(&self, operation: &'static str, result: &'static str, took: Duration) {
        let Self { all, server, .. } = self;
        all.operations.get_or_create(&ResultLabels { server: server.clone(), operation, result }).inc();
        all.seconds.get_or_create(&OperationLabels { server: server.clone(), operation }).observe(took.as_secs_f64());
    }

    /// Counts a connection as up until the guard is dropped.
    #[must_use]
    pub fn connection(&self) -> CountGuard {
        CountGuard::new(&self.connections)
    }

    /// Notes how many connections there should be.
    pub fn connections_wanted(&self, connections: usize) {
        self.connections_wanted.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    /// Counts a connection that could not be made or was lost.
    pub fn connection_failed(&self) {
        self.connection_failures.inc();
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

    /// Counts an operation as waiting until the guard is dropped.
    #[must_use]
    pub fn waiting(&self) -> CountGuard {
        CountGuard::new(&self.waiting)
    }

    /// Counts an operation that found no place.
    pub fn refused(&self) {
        self.refusals.inc();
    }
}
