//! Adds up what was found at each start of the server to the figures of the report.

use super::crowd::ImpairedReaders;
use super::report::{FanoutReport, Pair, Paired, ServerCost};
use super::run::RunResult;
use super::server_metrics::ServerMetrics;
use crate::arguments::FanoutArguments;
use crate::report::LatencyMs;
use crate::statistics::{Effort, Goal, median};

/// The figures of the report.
pub(super) fn summarize(arguments: &FanoutArguments, all: &[RunResult]) -> FanoutReport {
    let impaired = ImpairedReaders::from_arguments(arguments);
    let mut report = FanoutReport {
        clients: u64::from(arguments.connections),
        clients_stalled: impaired.stalled as u64,
        clients_slow: impaired.slow as u64,
        clues: all.iter().map(|result| result.clues as u64).sum(),
        deliveries: all.iter().map(|result| result.deliveries).sum(),
        ..FanoutReport::default()
    };
    let mut latencies = LatencyMs::histogram();
    for result in all {
        result
            .followers
            .iter()
            .for_each(|followers| report.add(followers));
        for window in &result.latencies {
            latencies += window;
        }
    }
    report.delivery_ms = LatencyMs::from_histogram(&latencies);
    let flowed_s: f64 = all.iter().map(|result| result.flowed.as_secs_f64()).sum();
    report.clues_per_s = count(report.clues) / flowed_s;
    report.server = server_cost(arguments, all, report.deliveries);
    report.paired = arguments.pairs.map(|_| paired(arguments, all));
    report
}

fn server_cost(arguments: &FanoutArguments, all: &[RunResult], deliveries: u64) -> ServerCost {
    let ends = || all.iter().map(|result| result.metrics);
    let cpu_s = ends().map(|[_, attached, end]| Some(end.cpu_s? - attached.cpu_s?));
    let cpu_s: Option<f64> = cpu_s.sum();
    let grown =
        ends().map(|[alone, attached, _]| Some(attached.resident_bytes? - alone.resident_bytes?));
    let grown: Option<Vec<f64>> = grown.collect();
    let highest = |figure: fn(ServerMetrics) -> Option<f64>| {
        let figures = ends().filter_map(|[_, _, end]| figure(end));
        figures.reduce(f64::max)
    };
    ServerCost {
        cpu_s,
        cpu_s_per_million_deliveries: cpu_s.map(|cpu_s| cpu_s * 1e6 / count(deliveries.max(1))),
        resident_bytes_per_connection: grown
            .map(|grown| median(grown) / f64::from(arguments.connections)),
        slow_readers_closed: ends().map(|[_, _, end]| end.outboxes_overflowed).sum(),
        queue_bytes_peak: highest(|metrics| metrics.outbox_bytes_peak),
        socket_bytes_peak: all.iter().filter_map(RunResult::socket_bytes_peak).max(),
        stalled_write_attempts_per_second: highest(|metrics| metrics.refused_writes_peak),
    }
}

fn paired(arguments: &FanoutArguments, all: &[RunResult]) -> Paired {
    let mut pairs = Vec::new();
    let mut grown = Vec::new();
    for windows in all.iter().flat_map(RunResult::pairs) {
        let (without, with) = if pairs.len() % 2 == 0 {
            (windows[0], windows[1])
        } else {
            (windows[1], windows[0])
        };
        let memory = |(_, metrics): (LatencyMs, ServerMetrics)| metrics.resident_bytes;
        grown.extend(
            memory(with)
                .zip(memory(without))
                .map(|(with, without)| with - without),
        );
        pairs.push(Pair {
            without_ms: without.0,
            with_ms: with.0,
        });
    }
    let impaired = ImpairedReaders::from_arguments(arguments);
    let effort = Effort {
        pairs: pairs.len(),
        starts: all.len(),
        window_s: arguments.window.as_secs_f64(),
    };
    let ratios = pairs
        .iter()
        .map(|pair| pair.with_ms.p99 / pair.without_ms.p99);
    let ratios: Vec<f64> = ratios.collect();
    Paired {
        window_s: effort.window_s,
        starts: u32::try_from(all.len()).unwrap_or(u32::MAX),
        p99: Goal::judge(&ratios, arguments.p99_max, effort, arguments.seed),
        bytes_per_impaired_reader: (!grown.is_empty())
            .then(|| median(grown) / count((impaired.stalled + impaired.slow) as u64)),
        pairs,
    }
}

impl RunResult {
    /// The most bytes in one socket of the server whenever it was looked at.
    fn socket_bytes_peak(&self) -> Option<u64> {
        let looks = self.metrics.iter().chain(&self.window_metrics);
        let looks = looks.chain([&self.flowed_metrics]);
        looks.filter_map(|metrics| metrics.socket_bytes_max).max()
    }

    /// Each two windows, with what the server told at their ends.
    fn pairs(&self) -> impl Iterator<Item = [(LatencyMs, ServerMetrics); 2]> {
        let windows = self.latencies.iter().map(LatencyMs::from_histogram);
        let windows: Vec<_> = windows.zip(self.window_metrics.iter().copied()).collect();
        let pairs = windows.chunks_exact(2);
        pairs
            .map(|pair| [pair[0], pair[1]])
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Exact up to 2^53, far above any run.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 deliveries")]
fn count(number: u64) -> f64 {
    number as f64
}
