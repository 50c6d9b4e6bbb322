//! How much is logged, and in which form.

use tracing::level_filters::LevelFilter;

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// Lines below this level are left out.
    pub level: LevelFilter,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON else.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}
