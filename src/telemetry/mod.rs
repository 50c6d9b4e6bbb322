//! Logs and metrics. Neither ever holds a credential or the value of an attribute.

mod cache;
mod config;
mod logging;
mod metrics;

pub use cache::{CacheMetrics, FeedState, Remembered};
pub use config::{LogConfig, LogFormat};
pub use logging::init;
pub use metrics::{CountGuard, Metrics, Refusal, ServerMetrics};
