//! How much of the directory is remembered, and for how long.

use std::time::Duration;

/// `[cache]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How many things there is room for, `BYTES_EACH` bytes for each. A user takes one or two such places as one of a list, and some
    /// ten when it is asked for in every way.
    pub capacity: u64,
    /// How long anything is remembered.
    pub ttl: Duration,
    /// How long something is believed while the directory does not tell what others change.
    pub blind_ttl: Duration,
    /// Whether the directory is asked to tell.
    pub feed: bool,
    /// Whether whole entries are remembered; left to what the directory promises of its change marks if it is not said.
    pub entries: Option<bool>,
}
