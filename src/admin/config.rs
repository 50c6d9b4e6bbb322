//! What the admin listener needs to know.

use std::net::SocketAddr;

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The address to bind; plaintext, so a loopback or otherwise private one.
    pub listen: SocketAddr,
}
