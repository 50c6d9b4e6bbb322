//! Accepts connections: a permit for each, TLS within a time, then HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
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
}

/// What every connection passes, and the gateway behind it. The socket is not part of it: it is closed when no more are accepted,
/// and a client that comes later is refused by the kernel at once.
#[derive(Debug)]
pub struct Entrance {
    gateway: Arc<Gateway>,
    tls: Option<Arc<ServerConfig>>,
    handshake_timeout: Duration,
    header_timeout: Duration,
    proxies: Proxies,
    proxy_protocol: ProxyProtocol,
}

impl Entrance {
    /// As configured.
    pub fn new(config: &HttpConfig, tls: Option<Arc<ServerConfig>>, gateway: Arc<Gateway>) -> Self {
        Self {
            gateway,
            tls,
            handshake_timeout: config.handshake_timeout,
            header_timeout: config.header_timeout,
            proxies: config.proxies.clone(),
            proxy_protocol: config.proxy_protocol,
        }
    }
}

/// What is served by now. A reload puts another in its place: connections stay, and each request asks anew.
#[derive(Debug)]
pub struct Serving(ArcSwap<Entrance>);

impl Serving {
    /// Begins with this one.
    pub fn new(entrance: Entrance) -> Self {
        Self(ArcSwap::from_pointee(entrance))
    }

    /// Serves by another one from now on.
    pub fn replace(&self, entrance: Entrance) {
        self.0.store(Arc::new(entrance));
    }

    /// The present gateway.
    pub fn gateway(&self) -> Arc<Gateway> {
        self.0.load().gateway.clone()
    }
}

impl Listener {
    /// Takes a socket that is open already, or binds.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(config: &HttpConfig, open: Option<std::net::TcpListener>) -> io::Result<Self> {
        let socket = open.map_or_else(|| Self::open(config), Ok)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpListener::from_std(socket)?, permits: Arc::new(Semaphore::new(config.max_connections)) })
    }

    fn open(config: &HttpConfig) -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(config.listen), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&config.listen.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    /// The address it is bound to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `closing`; connections then finish what they have begun, which `connections` waits for.
    pub async fn run(self, serving: Arc<Serving>, closing: CancellationToken, connections: TaskTracker) {
        let Self { socket, permits } = self;
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
                    let (serving, closing) = (serving.clone(), closing.clone());
                    connections.spawn(async move {
                        enter(stream, address, serving, closing).await;
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

async fn enter(mut stream: TcpStream, mut address: SocketAddr, serving: Arc<Serving>, closing: CancellationToken) {
    // Only until the connection is made: a request must not be kept from the generation after this one.
    let entrance = serving.0.load_full();
    let metrics = entrance.gateway.metrics.clone();
    let _guard = metrics.client_connection();
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let deadline = Instant::now() + entrance.handshake_timeout;
    if entrance.proxy_protocol != ProxyProtocol::Off && entrance.proxies.trusts(address.ip()) {
        match timeout_at(deadline, proxy_protocol::read(&mut stream, entrance.proxy_protocol)).await {
            Ok(Ok(client)) => address = client.unwrap_or(address),
            Ok(Err(error)) => {
                metrics.refused(Refusal::Handshake);
                tracing::debug!(peer = %address, "PROXY protocol: {error}");
                return;
            }
            Err(_) => {
                metrics.refused(Refusal::Handshake);
                tracing::debug!(peer = %address, "PROXY protocol: no header in time");
                return;
            }
        }
    }
    let (tls, header_timeout) = (entrance.tls.clone(), entrance.header_timeout);
    // Who takes nothing of an answer for so long is gone, whatever its kernel says (tcp(7), TCP_USER_TIMEOUT).
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(header_timeout));
    drop(entrance);
    let Some(tls) = tls else {
        let peer = Peer::new(address, false, None);
        return connection::serve(stream, serving, peer, header_timeout, closing).await;
    };
    match timeout_at(deadline, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.and_then(|der| ClientCertificate::from_der(der)).map(Arc::new);
            let peer = Peer::new(address, true, certificate);
            connection::serve(stream, serving, peer, header_timeout, closing).await;
        }
        Ok(Err(error)) => {
            metrics.refused(Refusal::Handshake);
            tracing::debug!(peer = %address, "TLS handshake: {error}");
        }
        Err(_) => {
            metrics.refused(Refusal::Handshake);
            tracing::debug!(peer = %address, "TLS handshake: not done in time");
        }
    }
}
