//! Metrics of the store that several gateways keep their limits in.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What became of a question whether a limit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedDecision {
    /// The store decided.
    Decided,
    /// The store was away; this gateway's own counters decided.
    Local,
    /// The store was away; the request was refused.
    Refused,
}

impl SharedDecision {
    fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Local => "local",
            Self::Refused => "refused",
        }
    }
}

/// The families.
#[derive(Debug, Clone)]
pub struct SharedLimitMetrics {
    decisions: Family<ResultLabels, Counter>,
    configured: Gauge,
    up: Gauge,
    losses: Counter,
}

impl SharedLimitMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this =
            Self { decisions: Family::default(), configured: Gauge::default(), up: Gauge::default(), losses: Counter::default() };
        registry.register("limits_shared_decisions", "Questions whether a shared limit is used up", this.decisions.clone());
        registry.register("limits_shared_configured", "1: limits.shared names a store", this.configured.clone());
        registry.register("limits_shared_up", "1: the store of shared limits answers", this.up.clone());
        registry.register("limits_shared_losses", "Times the store of shared limits went away", this.losses.clone());
        this
    }

    /// Counts a question.
    pub fn decided(&self, decision: SharedDecision) {
        self.decisions.get_or_create(&ResultLabels { result: decision.name() }).inc();
    }

    /// Notes whether there is a store at all.
    pub fn configured(&self, is: bool) {
        self.configured.set(i64::from(is));
        if !is {
            self.up.set(0);
        }
    }

    /// Notes whether the store answers.
    pub fn up(&self, is: bool) {
        if self.up.set(i64::from(is)) == 1 && !is {
            self.losses.inc();
        }
    }
}
