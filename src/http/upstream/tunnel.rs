//! Connections that have become WebSockets: bytes in both directions, and nothing is looked at any more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::UpstreamMetrics;

/// How long the change of protocol may take after the application agreed to it.
const CHANGE: Duration = Duration::from_secs(10);
/// How long the last bytes may take.
const CLOSE: Duration = Duration::from_secs(1);

/// All that are open, of whichever configuration: a reload leaves them alone.
#[derive(Debug, Default)]
pub struct Tunnels {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Tunnels {
    /// Waits until the last one has ended by itself. No new ones may come.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends those that are left.
    pub async fn close(&self) {
        self.cut.cancel();
        let _ = timeout(2 * CLOSE, self.finish()).await;
    }

    /// Joins both sides as soon as they have left HTTP.
    pub(super) fn open(
        &self,
        client: OnUpgrade,
        application: OnUpgrade,
        idle: Duration,
        (permit, metrics): (OwnedSemaphorePermit, UpstreamMetrics),
    ) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            let _counted = metrics.tunnel();
            let _permit = permit;
            let changed = timeout(CHANGE, async { tokio::try_join!(client, application) }).await;
            let Ok(Ok((client, application))) = changed else { return };
            let moved = Moved::default();
            let (mut client, mut application) = (moved.through(client), moved.through(application));
            tokio::select! {
                ended = copy_bidirectional(&mut client, &mut application) => {
                    if let Err(error) = ended {
                        tracing::debug!("a tunnel ended early: {error}");
                    }
                }
                // No WebSocket goes on in one direction (RFC 6455 section 7.1.1).
                () = moved.one_side_ended() => {}
                () = moved.idle_for(idle) => tracing::debug!("a tunnel was idle for longer than upstream.idle_timeout"),
                () = cut.cancelled() => {}
            }
            let _ = timeout(CLOSE, async { tokio::join!(client.shutdown(), application.shutdown()) }).await;
        });
    }
}

/// When something last moved.
#[derive(Debug, Clone)]
struct Moved {
    began: Instant,
    last: Arc<AtomicU64>,
    /// One side sends nothing any more.
    ended: CancellationToken,
}

impl Default for Moved {
    fn default() -> Self {
        Self { began: Instant::now(), last: Arc::default(), ended: CancellationToken::new() }
    }
}

impl Moved {
    fn through(&self, upgraded: Upgraded) -> Side {
        Side { stream: TokioIo::new(upgraded), moved: self.clone() }
    }

    fn note(&self) {
        self.last.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    async fn one_side_ended(&self) {
        self.ended.cancelled().await;
        sleep(CLOSE).await;
    }

    async fn idle_for(&self, time: Duration) {
        loop {
            let end = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed)) + time;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// One side, which notes what comes from it.
#[derive(Debug)]
struct Side {
    stream: TokioIo<Upgraded>,
    moved: Moved,
}

impl AsyncRead for Side {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() == before {
            self.moved.ended.cancel();
        }
        self.moved.note();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Side {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
