//! Adds up what was found at each start of the server to the figures of the report.

use super::crowd::Bad;
use super::report::{FanoutReport, Pair, Paired, ServerCost};
use super::run::Ran;
use super::vitals::Vitals;
use crate::arguments::FanoutArguments;
use crate::report::AckMs;
use crate::statistics::{Effort, Goal, median};

/// The figures of the report.
pub(super) fn add_up(arguments: &FanoutArguments, all: &[Ran]) -> FanoutReport {
    let bad = Bad::of(arguments);
    let mut report = FanoutReport {
        clients: u64::from(arguments.connections),
        clients_stalled: bad.stalled as u64,
        clients_slow: bad.slow as u64,
        clues: all.iter().map(|ran| ran.clues as u64).sum(),
        deliveries: all.iter().map(|ran| ran.deliveries).sum(),
        ..FanoutReport::default()
    };
    let mut latencies = AckMs::histogram();
    for ran in all {
        ran.followed
            .iter()
            .for_each(|followed| report.add(followed));
        for window in &ran.latencies {
            latencies += window;
        }
    }
    report.delivery_ms = AckMs::of_histogram(&latencies);
    let flowed_s: f64 = all.iter().map(|ran| ran.flowed.as_secs_f64()).sum();
    report.clues_per_s = count(report.clues) / flowed_s;
    report.server = server_cost(arguments, all, report.deliveries);
    report.paired = arguments.pairs.map(|_| paired(arguments, all));
    report
}

fn server_cost(arguments: &FanoutArguments, all: &[Ran], deliveries: u64) -> ServerCost {
    let ends = || all.iter().map(|ran| ran.vitals);
    let cpu_s = ends().map(|[_, attached, end]| Some(end.cpu_s? - attached.cpu_s?));
    let cpu_s: Option<f64> = cpu_s.sum();
    let grown =
        ends().map(|[alone, attached, _]| Some(attached.resident_bytes? - alone.resident_bytes?));
    let grown: Option<Vec<f64>> = grown.collect();
    let highest = |figure: fn(Vitals) -> Option<f64>| {
        let figures = ends().filter_map(|[_, _, end]| figure(end));
        figures.reduce(f64::max)
    };
    ServerCost {
        cpu_s,
        cpu_s_per_million_deliveries: cpu_s.map(|cpu_s| cpu_s * 1e6 / count(deliveries.max(1))),
        resident_bytes_per_connection: grown
            .map(|grown| median(grown) / f64::from(arguments.connections)),
        slow_readers_closed: ends().map(|[_, _, end]| end.outboxes_overflowed).sum(),
        queue_bytes_peak: highest(|vitals| vitals.outbox_bytes_peak),
        socket_bytes_peak: all.iter().filter_map(Ran::socket_bytes_peak).max(),
        stalled_write_attempts_per_second: highest(|vitals| vitals.refused_writes_peak),
    }
}

fn paired(arguments: &FanoutArguments, all: &[Ran]) -> Paired {
    let mut pairs = Vec::new();
    let mut grown = Vec::new();
    for windows in all.iter().flat_map(Ran::pairs) {
        let (without, beside) = if pairs.len() % 2 == 0 {
            (windows[0], windows[1])
        } else {
            (windows[1], windows[0])
        };
        let memory = |(_, vitals): (AckMs, Vitals)| vitals.resident_bytes;
        grown.extend(
            memory(beside)
                .zip(memory(without))
                .map(|(beside, without)| beside - without),
        );
        pairs.push(Pair {
            without_ms: without.0,
            beside_ms: beside.0,
        });
    }
    let bad = Bad::of(arguments);
    let effort = Effort {
        pairs: pairs.len(),
        starts: all.len(),
        window_s: arguments.window.as_secs_f64(),
    };
    let ratios = pairs
        .iter()
        .map(|pair| pair.beside_ms.p99 / pair.without_ms.p99);
    let ratios: Vec<f64> = ratios.collect();
    Paired {
        window_s: effort.window_s,
        starts: u32::try_from(all.len()).unwrap_or(u32::MAX),
        p99: Goal::judge(&ratios, arguments.p99_max, effort, arguments.seed),
        stalled_bytes_each: (!grown.is_empty())
            .then(|| median(grown) / count((bad.stalled + bad.slow) as u64)),
        pairs,
    }
}

impl Ran {
    /// The most bytes in one socket of the server whenever it was looked at.
    fn socket_bytes_peak(&self) -> Option<u64> {
        let looks = self.vitals.iter().chain(&self.window_vitals);
        let looks = looks.chain([&self.flowed_vitals]);
        looks.filter_map(|vitals| vitals.socket_bytes_max).max()
    }

    /// Each two windows, with what the server told at their ends.
    fn pairs(&self) -> impl Iterator<Item = [(AckMs, Vitals); 2]> {
        let windows = self.latencies.iter().map(AckMs::of_histogram);
        let windows: Vec<_> = windows.zip(self.window_vitals.iter().copied()).collect();
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
