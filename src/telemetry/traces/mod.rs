//! Traces by OTLP: a span for each request, one below it for each LDAP operation. They are made by `tracing` under a target of their own,
//! which nobody listens to unless `[traces]` names an endpoint: then making one costs a look at a flag. Batches leave from a thread of
//! their own; what its queue does not hold is dropped and counted.

mod config;
mod export;
mod spans;
mod transport;

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

pub use config::TracesConfig;
pub use export::TraceMetrics;
pub use spans::{OperationSpan, RequestSpan};

use export::{Counted, Recorded};
use transport::Transport;

/// The target of spans. It must not begin like that of log lines.
const TARGET: &str = "traces";
/// From the first byte to the last of one export.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Spans that wait, spans of one export, and how long they are gathered.
const QUEUE: usize = 8192;
const BATCH: usize = 512;
const GATHERED: Duration = Duration::from_secs(2);
/// What waits is sent at the end, for so long.
const FLUSH: Duration = Duration::from_secs(3);

/// Traces that are being exported.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the thread that exports.
    ///
    /// # Errors
    /// One line that names the key.
    pub(super) fn start(config: &TracesConfig) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Transport::new(config)?)
            .with_endpoint(config.endpoint.as_str())
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| format!("traces.endpoint: {}: {error}", config.endpoint))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(GATHERED)
            .build();
        let exporter = Counted::new(exporter, config.endpoint.to_string());
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let root = match config.one_in {
            0 => Sampler::AlwaysOff,
            1 => Sampler::AlwaysOn,
            several => Sampler::TraceIdRatioBased(1.0 / f64::from(several)),
        };
        // OTEL_RESOURCE_ATTRIBUTES and the like are read first.
        let resource = Resource::builder()
            .with_service_name(config.service.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Recorded(processor))
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_span_limits(SpanLimits::default())
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What turns our spans into those of OpenTelemetry. Log lines do not get there: they may hold values.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("scimgate"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what waits, within a few seconds.
    pub fn close(self) {
        let _ = self.0.shutdown_with_timeout(FLUSH);
    }
}
