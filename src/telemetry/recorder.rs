//! Where metrics are counted and how they are printed.
//!
//! One recorder serves the process; it is made when the first metric is touched. Samples of
//! histograms pile up until [`upkeep`] or a scrape folds them into their buckets.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Label as Pair, Unit, counter, describe_counter, describe_gauge,
    describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::labels::Label;
use super::metrics::{COUNT_BUCKETS, HTTP_REQUESTS, HTTP_SECONDS, Metrics, SECONDS_BUCKETS};
use super::process;

/// How often histograms are folded: at 100,000 samples a second that is 4 MB in between.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static RECORDED: LazyLock<Recorded> = LazyLock::new(Recorded::new);

struct Recorded {
    recorder: PrometheusRecorder,
    metrics: Metrics,
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &RECORDED.metrics
}

/// Counts an answered request. `route` is the pattern of a path, never the path itself.
pub fn count_request(route: &str, status: u16, took: Duration) {
    with_local_recorder(&RECORDED.recorder, || {
        let route = Pair::new("route", route.to_owned());
        let labels = vec![route.clone(), Pair::new("status", status.to_string())];
        counter!(HTTP_REQUESTS.name, labels).increment(1);
        histogram!(HTTP_SECONDS.name, vec![route]).record(took);
    });
}

/// Everything in Prometheus' text format.
pub fn render() -> String {
    let recorded = &*RECORDED;
    recorded.metrics.outbox_bytes_peak.publish();
    recorded.metrics.outbox_frames_peak.publish();
    recorded.metrics.socket_refusals_peak.publish();
    process::observe(&recorded.metrics);
    recorded.recorder.handle().render()
}

/// Folds samples into their buckets, for as long as it is polled.
pub async fn upkeep() {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    let handle = RECORDED.recorder.handle();
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

impl Recorded {
    fn new() -> Self {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets(&COUNT_BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(seconds, &SECONDS_BUCKETS))
            .expect("the lists of buckets are not empty")
            .build_recorder();
        let metrics = with_local_recorder(&recorder, || {
            HTTP_REQUESTS.counter();
            HTTP_SECONDS.histogram();
            Metrics::register()
        });
        Self { recorder, metrics }
    }
}

/// A metric's name, unit and meaning.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) help: &'static str,
}

impl Described {
    fn counter(self) {
        describe_counter!(self.name, self.unit, self.help);
    }

    fn gauge(self) {
        describe_gauge!(self.name, self.unit, self.help);
    }

    fn histogram(self) {
        describe_histogram!(self.name, self.unit, self.help);
    }
}

/// A kind of metric.
pub(super) trait Metric {
    /// Describes it to the recorder in place and gives its handle.
    fn register(described: Described) -> Self;
}

impl Metric for Counter {
    fn register(described: Described) -> Self {
        described.counter();
        counter!(described.name)
    }
}

impl Metric for Gauge {
    fn register(described: Described) -> Self {
        described.gauge();
        gauge!(described.name)
    }
}

impl Metric for Histogram {
    fn register(described: Described) -> Self {
        described.histogram();
        histogram!(described.name)
    }
}

/// A counter for each value of a label.
pub struct Family<L: 'static> {
    counters: Vec<(L, Counter)>,
}

impl<L: Label> Family<L> {
    /// The counter of a value.
    pub fn of(&self, value: L) -> &Counter {
        let mut counters = self.counters.iter();
        let found = counters.find(|(label, _)| *label == value);
        let (_, counter) = found.expect("a label lists all of its values");
        counter
    }
}

impl<L: Label> Metric for Family<L> {
    fn register(described: Described) -> Self {
        described.counter();
        let counters = L::ALL
            .iter()
            .map(|label| (*label, counter!(described.name, L::KEY => label.name())));
        Self {
            counters: counters.collect(),
        }
    }
}

/// The highest value since the process started. Cheap for values that are no new peak.
pub struct Peak {
    highest: AtomicU64,
    gauge: Gauge,
}

impl Peak {
    /// Takes a value into account.
    pub fn note(&self, value: usize) {
        let value = value as u64;
        if value > self.highest.load(Ordering::Relaxed) {
            self.highest.fetch_max(value, Ordering::Relaxed);
        }
    }

    fn publish(&self) {
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

/// A number as gauges take it; exact below 2^53, which bytes and counts stay below.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows no other numbers"
)]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::CloseCode;

    use super::{count_request, metrics, render};

    #[test]
    fn what_was_counted_is_printed_with_its_help() {
        metrics()
            .connections_closed
            .of(CloseCode::HelloTimeout)
            .increment(3);
        // More than any other test of this process queues.
        metrics().outbox_bytes_peak.note(7_000_000_000);
        metrics().outbox_bytes_peak.note(5);
        metrics().commit_seconds.record(0.004);
        count_request("/api/v1/join", 201, Duration::from_millis(4));
        let text = render();
        for line in [
            "# HELP cluecast_connections_closed_total WebSockets closed by the server, by close code.",
            "# TYPE cluecast_connections_closed_total counter",
            "cluecast_connections_closed_total{code=\"hello_timeout\"} 3",
            "cluecast_connections_closed_total{code=\"overloaded\"} 0",
            "cluecast_outbox_bytes_peak 7000000000",
            "cluecast_journal_commit_seconds_bucket{le=\"0.005\"} 1",
            "cluecast_journal_commit_seconds_bucket{le=\"0.0025\"} 0",
            "cluecast_http_requests_total{route=\"/api/v1/join\",status=\"201\"} 1",
            "cluecast_http_request_seconds_count{route=\"/api/v1/join\"} 1",
        ] {
            assert!(
                text.lines().any(|printed| printed == line),
                "{line}\nis not in\n{text}"
            );
        }
    }
}
