//! What is measured, read from the metrics as they are printed, and the last hour of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::telemetry::{Exposition, Metrics};

/// How often a sample is taken.
pub(in crate::admin) const EVERY: Duration = Duration::from_secs(10);
/// An hour of them.
pub(super) const MOST: usize = 360;

/// Totals since the process began, but for the last two.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) requests: f64,
    pub(super) hits: f64,
    pub(super) misses: f64,
    pub(super) limited: f64,
    /// Operations that the directory has, and those that wait for a place, now.
    pub(super) under_way: f64,
    pub(super) waiting: f64,
}

/// The last hour, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<VecDeque<Sample>>);

impl Samples {
    pub(super) fn take(&self, metrics: &Metrics) {
        let sample = Printed::of(metrics).sample();
        // Nothing panics while it is held.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > MOST {
            kept.pop_front();
        }
        kept.push_back(sample);
    }

    pub(super) fn all(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// The metrics in Prometheus's text form.
pub(super) struct Printed(String);

/// A server of the directory.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Server {
    pub(super) chosen: bool,
    pub(super) connections: f64,
    pub(super) wanted: f64,
    pub(super) failures: f64,
    pub(super) under_way: f64,
    pub(super) budget: f64,
    pub(super) waiting: f64,
}

/// Takes a value over.
type Set = fn(&mut Server, f64);

impl Printed {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self(metrics.text(Exposition::Prometheus))
    }

    /// The labels and the value of each line of a family.
    fn family<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix("scimgate_")?.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some(())?;
            Some((labels, value.parse().ok()?))
        })
    }

    fn sum(&self, name: &str, label: &str) -> f64 {
        self.family(name).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    fn sample(&self) -> Sample {
        Sample {
            requests: self.sum("requests_total", ""),
            hits: self.sum("cache_lookups_total", "result=\"hit\""),
            misses: self.sum("cache_lookups_total", "result=\"miss\""),
            limited: self.sum("limit_exceeded_total", ""),
            under_way: self.sum("directory_operations_in_flight", ""),
            waiting: self.sum("directory_operations_waiting", ""),
        }
    }

    /// Every server by its address.
    pub(super) fn servers(&self) -> BTreeMap<String, Server> {
        let mut all: BTreeMap<String, Server> = BTreeMap::new();
        let families: [(&str, Set); 7] = [
            ("directory_connections", |server, value| server.connections = value),
            ("directory_connections_wanted", |server, value| server.wanted = value),
            ("directory_connection_failures_total", |server, value| server.failures = value),
            ("directory_chosen", |server, value| server.chosen = value > 0.0),
            ("directory_operations_in_flight", |server, value| server.under_way = value),
            ("directory_budget", |server, value| server.budget = value),
            ("directory_operations_waiting", |server, value| server.waiting = value),
        ];
        for (name, set) in families {
            for (labels, value) in self.family(name) {
                let address = labels.split("server=\"").nth(1).and_then(|rest| rest.split('"').next());
                if let Some(address) = address {
                    set(all.entry(address.to_owned()).or_default(), value);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_as_they_are_printed() {
        let metrics = Metrics::default();
        let client = "ping".into();
        metrics.request("/Users", "GET", &client, 200, Duration::ZERO);
        metrics.request("/Users", "POST", &client, 201, Duration::ZERO);
        metrics.limited(crate::telemetry::Limit::Requests, &client);
        metrics.cache().looked_up_many(crate::telemetry::Remembered::Names, 3, 1);
        let _server = metrics.directory().server("ldap://one");
        let printed = Printed::of(&metrics);
        let sample = Sample { requests: 2.0, hits: 3.0, misses: 1.0, limited: 1.0, ..Sample::default() };
        assert_eq!(printed.sample(), sample);
        assert_eq!(printed.servers(), BTreeMap::from([("ldap://one".to_owned(), Server::default())]));
        let samples = Samples::default();
        for _ in 0..MOST + 10 {
            samples.take(&metrics);
        }
        assert_eq!(samples.all().len(), MOST + 1);
    }
}
