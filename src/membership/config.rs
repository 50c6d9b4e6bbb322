//! How much of the directory is remembered, and for how long.

use std::time::Duration;

/// `[cache]`.
#[derive(Debug, Clone, Copy)]
pub struct CacheConfig {
    /// Entries kept at most.
    pub capacity: u64,
    /// How long a name is believed without asking again.
    pub ttl: Duration,
}
