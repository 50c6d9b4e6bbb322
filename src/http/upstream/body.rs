//! Bodies on their way, a frame at a time: what one side does not take, the other is not asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::report::Report;
use crate::telemetry::{CountGuard, UpstreamFailure};

/// How long the application's word is waited for before a body that a client holds back is asked for: many never say it.
const UNASKED: Duration = Duration::from_secs(1);

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a client sends, as far as the waiting for an answer has to know it.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    /// When the last piece of it went on, in milliseconds from the beginning.
    last: AtomicU64,
    /// Whether it is the client that is waited for.
    waits: AtomicBool,
    /// Whether that took too long.
    stalled: AtomicBool,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        let (last, waits, stalled) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { began: Instant::now(), last, waits, stalled })
    }

    /// Since when the application has had all that there is, as far as it takes it; now, where the client is waited for.
    pub(super) fn since(&self) -> Instant {
        if self.waits.load(Ordering::Relaxed) {
            return Instant::now();
        }
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether the client paused for too long.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.last.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.waits.store(false, Ordering::Relaxed);
    }
}

/// A body that a client holds back until it is asked for it.
#[derive(Debug)]
struct HeldBack {
    asked: Pin<Box<WaitForCancellationFutureOwned>>,
    unasked: Pin<Box<Sleep>>,
}

/// A client's body.
#[derive(Debug)]
pub(super) struct SentBody {
    body: Option<Incoming>,
    held_back: Option<HeldBack>,
    progress: Arc<Progress>,
    patience: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

impl SentBody {
    /// None.
    pub(super) fn empty(progress: Arc<Progress>) -> Self {
        Self { body: None, held_back: None, progress, patience: Duration::ZERO, pause: None }
    }

    /// This one, in which the client may pause so long. With `asked` it is held back until that is cancelled, but not for ever.
    pub(super) fn of(body: Incoming, progress: Arc<Progress>, patience: Duration, asked: Option<CancellationToken>) -> Self {
        let held_back =
            asked.map(|asked| HeldBack { asked: Box::pin(asked.cancelled_owned()), unasked: Box::pin(sleep(UNASKED)) });
        Self { body: Some(body), held_back, progress, patience, pause: None }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Some(held_back) = &mut this.held_back {
            if held_back.asked.as_mut().poll(context).is_pending() {
                ready!(held_back.unasked.as_mut().poll(context));
            }
            this.held_back = None;
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            this.progress.note();
            this.pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        this.progress.waits.store(true, Ordering::Relaxed);
        let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        ready!(pause.as_mut().poll(context));
        this.progress.stalled.store(true, Ordering::Relaxed);
        this.body = None;
        Poll::Ready(Some(Err("the client sends nothing any more".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// What a request holds until its answer has ended.
#[derive(Debug)]
pub(super) struct Held {
    _in_flight: CountGuard,
    _permit: OwnedSemaphorePermit,
    /// A client that holds its body back is asked for it then, if not before.
    _asked: Option<DropGuard>,
}

impl Held {
    pub(super) fn new(in_flight: CountGuard, permit: OwnedSemaphorePermit, asked: Option<CancellationToken>) -> Self {
        Self { _in_flight: in_flight, _permit: permit, _asked: asked.map(CancellationToken::drop_guard) }
    }
}

/// An answer of the application.
#[derive(Debug)]
pub(in crate::http) struct PassedBody {
    body: Incoming,
    patience: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    report: Arc<Report>,
    _held: Held,
}

impl PassedBody {
    /// This one, in which the application may pause so long.
    pub(super) fn new(body: Incoming, patience: Duration, report: Arc<Report>, held: Held) -> Self {
        Self { body, patience, pause: None, report, _held: held }
    }
}

impl Body for PassedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => {
                this.report.failed(UpstreamFailure::Broken, &format!("an answer was cut off: {error}"));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(frame) => {
                this.pause = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(this.patience)));
                ready!(pause.as_mut().poll(context));
                this.report.failed(UpstreamFailure::Late, "it paused within an answer for longer than upstream.idle_timeout");
                Poll::Ready(Some(Err("the application sends nothing any more".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
