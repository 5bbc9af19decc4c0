//! What a replay found: its figures, whether they are good, and how they are shown.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The figures of a replay; the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Guesses that were judged and acknowledged.
    pub guesses: u64,
    /// Guesses that were judged differently than in the log, refused for good, or exported though
    /// they were never sent; and teams whose score is not the number of their correct guesses.
    pub verdict_mismatches: u64,
    /// Acknowledged guesses that the export lacks or has differently, or that the team's own view
    /// lacks; and reconnections at which the server did not know an acknowledged command.
    pub lost: u64,
    /// Guesses that the export has more than once, and updates that were received twice.
    pub duplicated: u64,
    /// Gaps of the streams: updates that were missing or out of order, heads that promise more or
    /// less than what came, and receipts that came before their update.
    pub stream_gaps: u64,
    /// How often the server was killed.
    pub kills: u64,
    /// How many of the kills fell between the first guess and the last receipt.
    pub kills_between_first_and_last_guess: u64,
    /// How often the server was stopped with SIGTERM and restarted.
    pub stops: u64,
    /// How many of the stops fell between the first guess and the last receipt.
    pub stops_between_first_and_last_guess: u64,
    /// How the clients followed what the server told them when it stopped.
    pub goaway_compliance: GoawayCompliance,
    /// Connections of clients after their first one.
    pub reconnects: u64,
    /// How many of those went on with a snapshot.
    pub snapshots: u64,
    /// How many of those went on with the missed updates.
    pub replays: u64,
    /// Refusals by the limiter, each followed by another try.
    pub rate_limited: u64,
    /// From `ack_measured_from` to the receipt.
    pub ack_ms: LatencyMs,
    /// Where the latency begins: `intended send` of the schedule, or the `send` of the try that was
    /// accepted.
    pub ack_measured_from: &'static str,
    /// Acknowledged guesses a second.
    pub guesses_per_s: f64,
    /// From the first send to the last receipt.
    pub seconds: f64,
}

/// How the clients followed the `goaway` messages of a server that stops: each names a delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct GoawayCompliance {
    /// The messages.
    pub goaways: u64,
    /// How many clients were attached again afterwards.
    pub reconnected: u64,
    /// Clients that tried to connect before the advised moment. Always 0 for a client that is
    /// right.
    pub too_early: u64,
    /// How many were attached again within the advised delay, the time that the restart took, and
    /// one second to connect.
    pub in_time: u64,
    /// From the advised moment until they were attached again.
    pub late_ms: LateMs,
    /// From the signal until the next server was ready, the longest of all stops.
    pub restart_ms_max: f64,
}

/// Milliseconds after an advised moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LateMs {
    /// The median.
    pub p50: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Longer latencies count as this: an hour.
const LATENCY_MICROS_MAX: u64 = 3_600_000_000;

/// Latency in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LatencyMs {
    /// The median.
    pub p50: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// 99.9 % are at most this.
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

impl LatencyMs {
    /// Of these latencies, to three significant digits.
    pub fn from_durations(latencies: impl IntoIterator<Item = Duration>) -> Self {
        let mut histogram = Self::histogram();
        for latency in latencies {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            histogram.saturating_record(micros);
        }
        Self::from_histogram(&histogram)
    }

    /// Takes latencies in microseconds, to three significant digits.
    pub(crate) fn histogram() -> Histogram<u64> {
        Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3)
            .expect("the bounds and three significant digits are allowed")
    }

    /// Of the latencies in such a histogram.
    pub(crate) fn from_histogram(histogram: &Histogram<u64>) -> Self {
        let ms = |micros| Duration::from_micros(micros).as_secs_f64() * 1000.0;
        Self {
            p50: ms(histogram.value_at_quantile(0.5)),
            p99: ms(histogram.value_at_quantile(0.99)),
            p99_9: ms(histogram.value_at_quantile(0.999)),
            max: ms(histogram.max()),
        }
    }
}

impl Report {
    /// Whether nothing was lost, doubled, out of order, missing or judged differently.
    pub fn is_good(&self) -> bool {
        let faults = [
            self.verdict_mismatches,
            self.lost,
            self.duplicated,
            self.stream_gaps,
        ];
        faults == [0; 4]
    }
}

impl GoawayCompliance {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = self.late_ms;
        writeln!(f, "goaway messages        {:>10}", self.goaways)?;
        writeln!(f, "  reconnected          {:>10}", self.reconnected)?;
        writeln!(f, "  too early            {:>10}", self.too_early)?;
        writeln!(f, "  within the delay     {:>10}", self.in_time)?;
        writeln!(f, "  after the delay, ms  {:>10.2}  p50", late.p50)?;
        writeln!(f, "                       {:>10.2}  p99", late.p99)?;
        writeln!(f, "                       {:>10.2}  max", late.max)?;
        writeln!(f, "longest restart, ms    {:>10.2}", self.restart_ms_max)
    }
}

/// Writes the last lines of a report: one for each reason why the test failed, or that it passed.
pub(crate) fn write_outcome(f: &mut fmt::Formatter<'_>, failures: &[String]) -> fmt::Result {
    if failures.is_empty() {
        return write!(f, "PASSED");
    }
    for (index, failure) in failures.iter().enumerate() {
        let begin = if index == 0 { "" } else { "\n" };
        write!(f, "{begin}FAILED: {failure}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ack = self.ack_ms;
        writeln!(f, "guesses acknowledged   {:>10}", self.guesses)?;
        writeln!(f, "  judged differently   {:>10}", self.verdict_mismatches)?;
        writeln!(f, "  lost                 {:>10}", self.lost)?;
        writeln!(f, "  duplicated           {:>10}", self.duplicated)?;
        writeln!(f, "  stream gaps          {:>10}", self.stream_gaps)?;
        writeln!(f, "kills                  {:>10}", self.kills)?;
        writeln!(
            f,
            "  during guesses       {:>10}",
            self.kills_between_first_and_last_guess
        )?;
        writeln!(f, "graceful shutdowns     {:>10}", self.stops)?;
        let stops_between = self.stops_between_first_and_last_guess;
        writeln!(f, "  during guesses       {stops_between:>10}")?;
        if self.stops > 0 {
            self.goaway_compliance.write(f)?;
        }
        writeln!(f, "reconnects             {:>10}", self.reconnects)?;
        writeln!(f, "  resumed by replay    {:>10}", self.replays)?;
        writeln!(f, "  resumed by snapshot  {:>10}", self.snapshots)?;
        writeln!(f, "rate limited           {:>10}", self.rate_limited)?;
        writeln!(f, "receipt latency, ms    {:>10.2}  p50", ack.p50)?;
        writeln!(f, "                       {:>10.2}  p99", ack.p99)?;
        writeln!(f, "                       {:>10.2}  p99.9", ack.p99_9)?;
        writeln!(f, "                       {:>10.2}  max", ack.max)?;
        writeln!(f, "  measured from        {:>10}", self.ack_measured_from)?;
        writeln!(f, "guesses per second     {:>10.1}", self.guesses_per_s)?;
        write!(f, "duration, s            {:>10.2}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{GoawayCompliance, LatencyMs, Report};

    fn good() -> Report {
        Report {
            guesses: 38_508,
            verdict_mismatches: 0,
            lost: 0,
            duplicated: 0,
            stream_gaps: 0,
            kills: 100_000,
            kills_between_first_and_last_guess: 100_000,
            stops: 100_000,
            stops_between_first_and_last_guess: 100_000,
            goaway_compliance: GoawayCompliance::default(),
            reconnects: 1_000_000,
            snapshots: 500_000,
            replays: 500_000,
            rate_limited: 1_000_000,
            ack_ms: LatencyMs::from_durations([1, 2, 3].map(Duration::from_millis)),
            ack_measured_from: "intended send",
            guesses_per_s: 12_345.678,
            seconds: 600.0,
        }
    }

    #[test]
    fn any_single_fault_fails_the_replay() {
        assert!(good().is_good());
        let faults: [fn(&mut Report) -> &mut u64; 4] = [
            |report| &mut report.verdict_mismatches,
            |report| &mut report.lost,
            |report| &mut report.duplicated,
            |report| &mut report.stream_gaps,
        ];
        for fault in faults {
            let mut report = good();
            *fault(&mut report) = 1;
            assert!(!report.is_good(), "{report}");
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let table = good().to_string();
        for line in table.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let json = serde_json::to_value(good()).expect("a report is JSON");
        let keys: Vec<&String> = json.as_object().expect("it is a map").keys().collect();
        assert_eq!(
            keys,
            [
                "ack_measured_from",
                "ack_ms",
                "duplicated",
                "goaway_compliance",
                "guesses",
                "guesses_per_s",
                "kills",
                "kills_between_first_and_last_guess",
                "lost",
                "rate_limited",
                "reconnects",
                "replays",
                "seconds",
                "snapshots",
                "stops",
                "stops_between_first_and_last_guess",
                "stream_gaps",
                "verdict_mismatches",
            ]
        );
    }

    #[test]
    fn latencies_are_kept_to_three_digits() {
        let ack = LatencyMs::from_durations((1..=1000).map(Duration::from_millis));
        assert!((ack.p50 - 500.0).abs() < 1.0, "{ack:?}");
        assert!((ack.p99 - 990.0).abs() < 1.0, "{ack:?}");
        assert!((ack.max - 1000.0).abs() < 1.0, "{ack:?}");
    }
}
