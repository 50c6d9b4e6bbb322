//! How fast a client may go.

/// `[limits]`, as far as it is about rates.
#[derive(Debug, Clone, Copy)]
pub struct LimitConfig {
    /// Requests a second for one client, on average; 0 turns the limit off.
    pub requests_per_second: u32,
    /// Requests at once beyond that average.
    pub burst: u32,
}
