//! Metrics of what is passed through to the application. No path, method or client is a label: all of them are the application's.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{BUCKETS, CountGuard};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: &'static str,
}

/// Why the application did not answer, or not to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamFailure {
    /// It cannot be connected to.
    Away,
    /// It was silent for too long.
    Late,
    /// It ended the connection, or what it sent is no HTTP.
    Broken,
    /// As many requests as are allowed are with it already.
    Busy,
}

impl UpstreamFailure {
    /// As in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Late => "late",
            Self::Broken => "broken",
            Self::Busy => "busy",
        }
    }
}

/// The families.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    requests: Family<ClassLabels, Counter>,
    seconds: Histogram,
    failures: Family<FailureLabels, Counter>,
    tunnels: Gauge,
}

impl UpstreamMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            requests: Family::default(),
            seconds: Histogram::new(BUCKETS),
            failures: Family::default(),
            tunnels: Gauge::default(),
        };
        registry.register(
            "upstream_requests",
            "Answers to requests outside scimgate's own paths, by the class of their status",
            this.requests.clone(),
        );
        registry.register_with_unit(
            "upstream_request",
            "From the head of such a request to the head of its answer",
            Unit::Seconds,
            this.seconds.clone(),
        );
        registry.register("upstream_failures", "Requests that the application did not answer to the end", this.failures.clone());
        registry.register("upstream_tunnels", "WebSockets that are open through scimgate", this.tunnels.clone());
        this
    }

    /// Counts an answer.
    pub fn answered(&self, status: u16, took: Duration) {
        let class = match status {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.requests.get_or_create(&ClassLabels { class }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a failure.
    pub fn failed(&self, failure: UpstreamFailure) {
        self.failures.get_or_create(&FailureLabels { reason: failure.name() }).inc();
    }

    /// Counts a tunnel as open until the guard is dropped.
    #[must_use]
    pub fn tunnel(&self) -> CountGuard {
        CountGuard::new(&self.tunnels)
    }
}
