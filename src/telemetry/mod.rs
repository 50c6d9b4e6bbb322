//! Logs, metrics and traces. None of them ever holds a credential or the value of an attribute.

mod cache;
mod config;
mod directory;
mod logging;
mod metrics;
mod reload;
mod shared_limits;
#[cfg(test)]
mod tests;
mod traces;
mod upstream;

pub use cache::{CacheMetrics, FeedState, Remembered};
pub use config::{LogConfig, LogFormat};
pub use directory::{DirectoryMetrics, ServerMetrics};
pub use logging::init;
pub use metrics::{CountGuard, Exposition, Limit, Metrics, OwnCertificate, Refusal};
pub use shared_limits::{SharedDecision, SharedLimitMetrics};
pub use traces::{OperationSpan, RequestSpan, TraceMetrics, Traces, TracesConfig};
pub use upstream::{UpstreamFailure, UpstreamMetrics};
