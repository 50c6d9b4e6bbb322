//! Logs, metrics and traces. None of them ever holds a credential or the value of an attribute.

mod cache;
mod config;
mod directory;
mod logging;
mod metrics;
mod reload;
#[cfg(test)]
mod tests;
mod traces;

pub use cache::{CacheMetrics, FeedState, Remembered};
pub use config::{LogConfig, LogFormat};
pub use directory::{DirectoryMetrics, ServerMetrics};
pub use logging::init;
pub use metrics::{CountGuard, Exposition, Limit, Metrics, OwnCertificate, Refusal};
pub use traces::{OperationSpan, RequestSpan, TraceMetrics, Traces, TracesConfig};
