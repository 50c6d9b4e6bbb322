//! How fast a client may go.

use std::collections::HashMap;
use std::sync::Arc;

use super::SharedConfig;

/// `[limits]`, as far as it is about rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitConfig {
    /// Of a client about which nothing else is said.
    pub client: Rates,
    /// Of those that have rates of their own, by name.
    pub clients: HashMap<Arc<str>, Rates>,
    /// Failed attempts to sign in a minute from one address before it is told to wait; 0 turns the limit off.
    pub failures_per_minute: u32,
    /// Where clients' budgets are that other gateways have too; `None`: in this process.
    pub shared: Option<SharedConfig>,
}

/// The rates of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of requests of any kind.
    pub requests: Rate,
    /// Of changes; a bulk request counts as many as it has operations.
    pub writes: Rate,
}

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// On average; 0 turns the limit off.
    pub per_second: u32,
    /// At once, after a while without any.
    pub burst: u32,
}
