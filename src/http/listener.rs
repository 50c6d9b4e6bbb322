//! Accepts connections: a permit for each, TLS within a time, then HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gateway::Peer;
use super::{Gateway, HttpConfig, Proxies, ProxyProtocol, connection, proxy_protocol};
use crate::auth::ClientCertificate;
use crate::telemetry::Refusal;

/// Connections the kernel keeps for us while all permits are taken.
const BACKLOG: i32 = 1024;
/// The pause after a failed accept, when the process has no descriptor left, say.
const PAUSE: Duration = Duration::from_millis(50);

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    permits: Arc<Semaphore>,
    entrance: Arc<Entrance>,
}

/// What every connection passes. The socket is not part of it: it is closed when no more are accepted, and a client that comes
/// later is refused by the kernel at once.
#[derive(Debug)]
struct Entrance {
    tls: Option<Arc<ServerConfig>>,
    handshake_timeout: Duration,
    header_timeout: Duration,
    proxies: Proxies,
    proxy_protocol: ProxyProtocol,
}

impl Listener {
    /// Binds.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(config: &HttpConfig, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(config.listen), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&config.listen.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self {
            socket: TcpListener::from_std(socket.into())?,
            permits: Arc::new(Semaphore::new(config.max_connections)),
            entrance: Arc::new(Entrance {
                tls,
                handshake_timeout: config.handshake_timeout,
                header_timeout: config.header_timeout,
                proxies: config.proxies.clone(),
                proxy_protocol: config.proxy_protocol,
            }),
        })
    }

    /// The address it is bound to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `closing`; connections then finish what they have begun, which `connections` waits for.
    pub async fn run(self, gateway: Arc<Gateway>, closing: CancellationToken, connections: TaskTracker) {
        let Self { socket, permits, entrance } = self;
        loop {
            let permit = tokio::select! {
                permit = permits.clone().acquire_owned() => permit,
                () = closing.cancelled() => return,
            };
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (entrance, gateway, closing) = (entrance.clone(), gateway.clone(), closing.clone());
                    connections.spawn(async move {
                        entrance.serve(stream, address, gateway, closing).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Entrance {
    async fn serve(&self, mut stream: TcpStream, mut address: SocketAddr, gateway: Arc<Gateway>, closing: CancellationToken) {
        let _guard = gateway.metrics.client_connection();
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + self.handshake_timeout;
        if self.proxy_protocol != ProxyProtocol::Off && self.proxies.trusts(address.ip()) {
            match timeout_at(deadline, proxy_protocol::read(&mut stream, self.proxy_protocol)).await {
                Ok(Ok(client)) => address = client.unwrap_or(address),
                Ok(Err(error)) => {
                    gateway.metrics.refused(Refusal::Handshake);
                    tracing::debug!(peer = %address, "PROXY protocol: {error}");
                    return;
                }
                Err(_) => {
                    gateway.metrics.refused(Refusal::Handshake);
                    tracing::debug!(peer = %address, "PROXY protocol: no header in time");
                    return;
                }
            }
        }
        let Some(tls) = &self.tls else {
            let peer = Peer::new(address, false, None);
            return connection::serve(stream, gateway, peer, self.header_timeout, closing).await;
        };
        match timeout_at(deadline, TlsAcceptor::from(tls.clone()).accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certificate = shown.and_then(|der| ClientCertificate::from_der(der)).map(Arc::new);
                let peer = Peer::new(address, true, certificate);
                connection::serve(stream, gateway, peer, self.header_timeout, closing).await;
            }
            Ok(Err(error)) => {
                gateway.metrics.refused(Refusal::Handshake);
                tracing::debug!(peer = %address, "TLS handshake: {error}");
            }
            Err(_) => {
                gateway.metrics.refused(Refusal::Handshake);
                tracing::debug!(peer = %address, "TLS handshake: not done in time");
            }
        }
    }
}
