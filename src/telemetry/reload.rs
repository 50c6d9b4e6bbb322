//! Metrics of the configuration: whether the file that is there is the one that is served by.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::metrics::{Instant, now};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// What is counted of it.
#[derive(Debug, Clone)]
pub(super) struct ReloadMetrics {
    attempts: Family<Labels, Counter>,
    successful: Gauge,
    at: Instant,
    restart_wanted: Gauge,
}

impl ReloadMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            attempts: Family::default(),
            successful: Gauge::default(),
            at: Instant::default(),
            restart_wanted: Gauge::default(),
        };
        registry.register("config_loads", "Times the configuration was read to be served by", this.attempts.clone());
        registry.register(
            "config_last_load_successful",
            "Whether the configuration, as it was last found, is served by: 1 if so, 0 if it was refused",
            this.successful.clone(),
        );
        registry.register(
            "config_last_load_success_timestamp_seconds",
            "Since when the present configuration is served by, in seconds since 1970",
            this.at.clone(),
        );
        registry.register(
            "config_restart_wanted",
            "Keys of the present configuration that take effect at the next start only",
            this.restart_wanted.clone(),
        );
        this
    }

    pub(super) fn loaded(&self, well: bool) {
        self.attempts.get_or_create(&Labels { result: if well { "success" } else { "failure" } }).inc();
        self.successful.set(i64::from(well));
        if well {
            self.at.set(now());
        }
    }

    pub(super) fn restart_wanted(&self, keys: usize) {
        self.restart_wanted.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }
}
