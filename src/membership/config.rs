//! How much of the directory is remembered, and for how long.

use std::time::Duration;

/// `[cache]`.
#[derive(Debug, Clone, Copy)]
pub struct CacheConfig {
    /// Names kept at most. Members of groups and groups of users take `BYTES_EACH` bytes for each of these at most.
    pub capacity: u64,
    /// How long anything is remembered.
    pub ttl: Duration,
    /// How long something is believed while the directory does not tell what others change.
    pub blind_ttl: Duration,
    /// Whether the directory is asked to tell.
    pub feed: bool,
}
