//! What becomes of spans, counted; and a line in the log when the collector goes away and when it is back.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// One for the process, as its spans are.
static METRICS: LazyLock<TraceMetrics> = LazyLock::new(|| {
    let (recorded, exports) = (Counter::default(), Family::default());
    let of = |result| exports.get_or_create_owned(&ExportLabels { result });
    TraceMetrics { recorded, exported: of("success"), failed: of("failure"), exports }
});

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExportLabels {
    result: &'static str,
}

/// The families.
#[derive(Debug, Clone)]
pub struct TraceMetrics {
    recorded: Counter,
    exports: Family<ExportLabels, Counter>,
    exported: Counter,
    failed: Counter,
}

impl TraceMetrics {
    pub(crate) fn register(registry: &mut Registry) {
        registry.register("trace_spans_recorded", "Spans that were to be exported", METRICS.recorded.clone());
        registry.register("trace_spans_exported", "Spans by what became of their export", METRICS.exports.clone());
    }
}

/// Counts spans on their way to the queue, which drops what it cannot hold.
#[derive(Debug)]
pub(super) struct Recorded<P>(pub(super) P);

impl<P: SpanProcessor> SpanProcessor for Recorded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        METRICS.recorded.inc();
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Counts exports.
#[derive(Debug)]
pub(super) struct Counted<E> {
    exporter: E,
    endpoint: String,
    failing: AtomicBool,
}

impl<E> Counted<E> {
    pub(super) fn new(exporter: E, endpoint: String) -> Self {
        Self { exporter, endpoint, failing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let done = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(done.is_err(), Ordering::Relaxed);
        match &done {
            Ok(()) => {
                METRICS.exported.inc_by(spans);
                if was_failing {
                    tracing::info!(endpoint = self.endpoint, "traces are taken again");
                }
            }
            Err(error) => {
                METRICS.failed.inc_by(spans);
                if !was_failing {
                    tracing::warn!(endpoint = self.endpoint, "traces are lost, for they are not taken: {error}");
                }
            }
        }
        done
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
