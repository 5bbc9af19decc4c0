//! Kinds of metrics: how each is described, registered and updated.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::labels::Label;

/// Name, unit and help text of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) help: &'static str,
}

impl Described {
    pub(super) fn describe_counter(self) {
        describe_counter!(self.name, self.unit, self.help);
    }

    pub(super) fn describe_gauge(self) {
        describe_gauge!(self.name, self.unit, self.help);
    }

    pub(super) fn describe_histogram(self) {
        describe_histogram!(self.name, self.unit, self.help);
    }
}

/// A kind of metric.
pub(super) trait Metric {
    /// Describes the metric to the current recorder and returns its handle.
    fn register(described: Described) -> Self;
}

impl Metric for Counter {
    fn register(described: Described) -> Self {
        described.describe_counter();
        counter!(described.name)
    }
}

impl Metric for Gauge {
    fn register(described: Described) -> Self {
        described.describe_gauge();
        gauge!(described.name)
    }
}

impl Metric for Histogram {
    fn register(described: Described) -> Self {
        described.describe_histogram();
        histogram!(described.name)
    }
}

/// One counter for each value of a label.
pub struct Family<L: 'static> {
    counters: Vec<(L, Counter)>,
}

impl<L: Label> Family<L> {
    /// The counter of a value.
    pub fn with_label(&self, value: L) -> &Counter {
        let mut counters = self.counters.iter();
        let entry = counters.find(|(label, _)| *label == value);
        let (_, counter) = entry.expect("`Label::ALL` lists every value");
        counter
    }
}

impl<L: Label> Metric for Family<L> {
    fn register(described: Described) -> Self {
        described.describe_counter();
        let counters = L::ALL
            .iter()
            .map(|label| (*label, counter!(described.name, L::KEY => label.name())));
        Self {
            counters: counters.collect(),
        }
    }
}

/// A gauge of the highest value since the process started. Updates below the peak are one atomic load.
pub struct Peak {
    highest: AtomicU64,
    gauge: Gauge,
}

impl Peak {
    /// Raises the peak to a value, if that is higher.
    pub fn observe(&self, value: usize) {
        let value = value as u64;
        if value > self.highest.load(Ordering::Relaxed) {
            self.highest.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// Copies the peak to its gauge.
    pub(super) fn publish(&self) {
        self.gauge.set(as_f64(self.highest.load(Ordering::Relaxed)));
    }
}

impl Metric for Peak {
    fn register(described: Described) -> Self {
        Self {
            highest: AtomicU64::new(0),
            gauge: Gauge::register(described),
        }
    }
}

/// Converts a number for a gauge. Exact below 2^53, which byte counts and counts never reach.
#[expect(clippy::cast_precision_loss, reason = "Prometheus values are floats")]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}
