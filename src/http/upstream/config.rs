//! What the application beside us is.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme};

/// `[upstream]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Its host and port.
    pub authority: Authority,
    /// The authorities that sign its certificate; without it the system's.
    pub ca: Option<PathBuf>,
    /// What it is told as `Host`.
    pub host: HostHeader,
    /// For the TCP connection.
    pub connect_timeout: Duration,
    /// How long it may take to begin its answer, from the moment it has the request; and how long a client may pause within a body
    /// that it sends.
    pub timeout: Duration,
    /// How long it may pause within an answer, and both sides of a WebSocket together.
    pub idle_timeout: Duration,
    /// Requests and WebSockets with it at once; further ones are answered 503.
    pub max_requests: usize,
}

/// What the application is told as `Host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostHeader {
    /// What the client said, so that links and origins are right.
    #[default]
    Client,
    /// Its own name, as `upstream.url` has it.
    Upstream,
}
