//! Records metrics and renders them in Prometheus' text format.
//!
//! One recorder serves the process; the first use of a metric creates it. Samples of histograms accumulate
//! until [`upkeep`] or a scrape adds them to their buckets.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Label as Pair, counter, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::metrics::{COUNT_BUCKETS, HTTP_REQUESTS, HTTP_SECONDS, Metrics, SECONDS_BUCKETS};
use super::process;

/// Time between upkeeps of the histograms: 4 MB of samples at 100,000 samples a second.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static RECORDED: LazyLock<Recorded> = LazyLock::new(Recorded::new);

struct Recorded {
    recorder: PrometheusRecorder,
    metrics: Metrics,
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &RECORDED.metrics
}

/// Counts an answered HTTP request. `route` is the pattern of a path, never the path itself.
pub fn count_request(route: &str, status: u16, took: Duration) {
    with_local_recorder(&RECORDED.recorder, || {
        let route = Pair::new("route", route.to_owned());
        let labels = vec![route.clone(), Pair::new("status", status.to_string())];
        counter!(HTTP_REQUESTS.name, labels).increment(1);
        histogram!(HTTP_SECONDS.name, vec![route]).record(took);
    });
}

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    let recorded = &*RECORDED;
    recorded.metrics.outbox_bytes_peak.publish();
    recorded.metrics.outbox_frames_peak.publish();
    recorded.metrics.socket_refusals_peak.publish();
    process::observe(&recorded.metrics);
    recorded.recorder.handle().render()
}

/// Adds samples to their buckets at intervals, for as long as it is polled.
pub async fn upkeep() {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
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
            HTTP_REQUESTS.describe_counter();
            HTTP_SECONDS.describe_histogram();
            Metrics::register()
        });
        Self { recorder, metrics }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::CloseCode;

    use super::{count_request, metrics, render};

    #[test]
    fn counted_metrics_are_rendered_with_their_help() {
        metrics()
            .connections_closed
            .with_label(CloseCode::HelloTimeout)
            .increment(3);
        // More than any other test in this process queues.
        metrics().outbox_bytes_peak.observe(7_000_000_000);
        metrics().outbox_bytes_peak.observe(5);
        metrics().commit_seconds.record(0.004);
        count_request(
            "/api/v1/sessions/{code}/join",
            201,
            Duration::from_millis(4),
        );
        let text = render();
        for line in [
            "# HELP cluecast_connections_closed_total WebSockets closed by the server, by close code.",
            "# TYPE cluecast_connections_closed_total counter",
            "cluecast_connections_closed_total{code=\"hello_timeout\"} 3",
            "cluecast_connections_closed_total{code=\"overloaded\"} 0",
            "cluecast_outbox_bytes_peak 7000000000",
            "cluecast_journal_commit_seconds_bucket{le=\"0.005\"} 1",
            "cluecast_journal_commit_seconds_bucket{le=\"0.0025\"} 0",
            "cluecast_http_requests_total{route=\"/api/v1/sessions/{code}/join\",status=\"201\"} 1",
            "cluecast_http_request_seconds_count{route=\"/api/v1/sessions/{code}/join\"} 1",
        ] {
            assert!(
                text.lines().any(|printed| printed == line),
                "{line}\nis missing from\n{text}"
            );
        }
    }
}
