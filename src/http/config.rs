//! What the SCIM listener needs to know.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Proxies, ProxyProtocol};

/// `[server]`.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `provisioning.enabled`: off, every SCIM request of somebody who signed in is refused.
    pub enabled: bool,
    /// The base that clients reach us by, without a trailing slash; without it the request's Host is taken.
    pub public_url: Option<String>,
    /// `None`: plaintext.
    pub tls: Option<TlsConfig>,
    /// From the TCP connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the moment a connection could carry a request to the end of the request's head: an idle HTTP/1.1 connection is
    /// closed after it, and a slow one too. So is one whose client takes nothing of what it is sent.
    pub header_timeout: Duration,
    /// From the end of the head to the answer, the body included.
    pub request_timeout: Duration,
    /// Connections served at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The proxies that are believed when they say whom they speak for.
    pub proxies: Proxies,
    /// What their connections begin with.
    pub proxy_protocol: ProxyProtocol,
    /// How long new requests are still taken after SIGTERM, while whoever sends them learns that they are to go elsewhere.
    pub linger: Duration,
    /// How long requests in flight may take to end after that.
    pub drain: Duration,
    /// Whether a change of the files of the configuration is reason to read it again.
    pub watch_files: bool,
    /// How old an answer may be that is given once more while the directory is away; `None`: none is.
    pub stale: Option<Duration>,
}

/// `[server.tls]`: PEM files.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The authorities that sign clients' certificates; without them no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate gets no further than the handshake.
    pub certificates_required: bool,
}
