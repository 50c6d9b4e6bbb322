//! What is said of the application: each failure is counted, and the log has a line when it goes away and when it is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::telemetry::{UpstreamFailure, UpstreamMetrics};

/// Of one application.
#[derive(Debug)]
pub(super) struct Report {
    url: String,
    metrics: UpstreamMetrics,
    failing: AtomicBool,
}

impl Report {
    pub(super) fn new(url: String, metrics: UpstreamMetrics) -> Self {
        Self { url, metrics, failing: AtomicBool::new(false) }
    }

    pub(super) fn metrics(&self) -> &UpstreamMetrics {
        &self.metrics
    }

    /// It answered.
    pub(super) fn answered(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(url = self.url, "upstream: the application answers again");
        }
    }

    /// It did not, or not to the end.
    pub(super) fn failed(&self, failure: UpstreamFailure, why: &str) {
        self.metrics.failed(failure);
        let reason = failure.name();
        match failure {
            UpstreamFailure::Away if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(url = self.url, reason, "upstream: {why}");
            }
            UpstreamFailure::Away => tracing::debug!(url = self.url, reason, "upstream: {why}"),
            UpstreamFailure::Late | UpstreamFailure::Broken | UpstreamFailure::Busy => {
                tracing::info!(url = self.url, reason, "upstream: {why}");
            }
        }
    }

    /// Counts what a client was answered.
    pub(super) fn counted(&self, status: u16, took: Duration) {
        self.metrics.answered(status, took);
    }
}
