//! HTTP/1.1 or HTTP/2 on one connection, with its time limits, until it ends or we close.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Serving;
use super::gateway::Peer;

/// The largest head of a request, in bytes: a long filter fits many times.
const MAX_HEAD: usize = 64 << 10;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// How often, and how long, a silent HTTP/2 peer is asked for a sign of life.
const PING: Duration = Duration::from_secs(30);

/// How long an idle HTTP/1.1 connection stays open when we close: a request may be on its way by it, and the answer will say that it
/// is the last.
const LAST_REQUEST: Duration = Duration::from_millis(500);

/// Serves a connection. After `closing`, requests already begun or on their way are answered and no further ones are taken.
pub(super) async fn serve<S>(stream: S, serving: Arc<Serving>, peer: Peer, header_timeout: Duration, closing: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let address = peer.address;
    let last = closing.clone();
    let multiplexed = Arc::new(AtomicBool::new(false));
    let is_multiplexed = multiplexed.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (gateway, peer, last, multiplexed) = (serving.gateway(), peer.clone(), last.clone(), multiplexed.clone());
        async move {
            let http1 = request.version() <= Version::HTTP_11;
            multiplexed.store(!http1, Ordering::Relaxed);
            let mut answer = gateway.handle(request, peer).await;
            // A connection that goes on by another protocol says so in the same place.
            if http1 && last.is_cancelled() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // HTTP/2 has a way to say it, which loses no request (RFC 9113 section 6.8).
        () = closing.cancelled() => {
            let wait = if is_multiplexed.load(Ordering::Relaxed) { Duration::ZERO } else { LAST_REQUEST };
            if let Ok(ended) = timeout(wait, connection.as_mut()).await {
                ended
            } else {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %address, "a connection ended early: {error}");
    }
}
