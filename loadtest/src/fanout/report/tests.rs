use std::time::Duration;

use super::{FanoutReport, Pair, Paired, ServerCost};
use crate::fanout::follower::{ConnectionCounts, FollowerResult};
use crate::fanout::ledger::Violations;
use crate::fanout::plan::ClientIndex;
use crate::fanout::witness::StreamFindings;
use crate::report::LatencyMs;
use crate::statistics::{Estimate, Goal, Verdict};

fn good() -> FanoutReport {
    let delivery_ms = LatencyMs::from_durations([1, 2, 90_000].map(Duration::from_millis));
    let pair = Pair {
        without_ms: delivery_ms,
        with_ms: delivery_ms,
    };
    FanoutReport {
        clients: 10_000,
        clients_stalled: 100,
        clients_slow: 500,
        clues: 1_000,
        deliveries: 123_456_789,
        delivery_ms,
        clues_per_s: 20.0,
        server: ServerCost {
            cpu_s: Some(123.456),
            ..ServerCost::default()
        },
        paired: Some(Paired {
            window_s: 4.0,
            starts: 3,
            pairs: vec![pair; 24],
            p99: Goal {
                times: Estimate {
                    low: 100.0,
                    median: 101.0,
                    high: 102.0,
                },
                times_max: 1.25,
                verdict: Verdict::Undecided,
            },
            bytes_per_impaired_reader: Some(2_097_152.0),
        }),
        ..FanoutReport::default()
    }
}

#[test]
fn any_single_fault_fails_the_run() {
    assert!(good().is_good());
    let faults: [fn(&mut FanoutReport) -> &mut u64; 5] = [
        |report| &mut report.stream_gaps,
        |report| &mut report.stream_duplicates,
        |report| &mut report.foreign_updates,
        |report| &mut report.lost,
        |report| &mut report.clients_failed,
    ];
    for fault in faults {
        let mut report = good();
        *fault(&mut report) = 1;
        assert!(!report.is_good(), "{report}");
    }
    let mut missed = good();
    missed.paired.as_mut().expect("it is paired").p99.verdict = Verdict::Missed;
    assert!(!missed.is_good());
}

#[test]
fn every_finding_of_a_client_is_counted_and_reported() {
    let mut report = FanoutReport::default();
    report.add(&FollowerResult {
        client: ClientIndex { player: 7, team: 1 },
        counts: ConnectionCounts {
            cuts: 1,
            stalls: 2,
            ended: 3,
        },
        findings: StreamFindings {
            snapshots: 4,
            resumes: 5,
            repeated: 6,
            gaps: 7,
            first_fault: None,
            violations: Violations {
                duplicates: 8,
                foreign: 9,
                misordered: 10,
                forgotten: 11,
            },
            missing: 12,
        },
        failure: None,
    });
    assert_eq!((report.cuts, report.stalls, report.ended), (1, 2, 3));
    assert_eq!((report.snapshots, report.resumes), (4, 5));
    assert_eq!(report.stream_gaps, 7 + 10 + 11);
    assert_eq!(report.stream_duplicates, 6 + 8);
    assert_eq!((report.foreign_updates, report.lost), (9, 12));
    assert_eq!(report.problems.len(), 5, "{report}");
    assert!(!report.is_good());
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
    for key in [
        "clients",
        "deliveries",
        "stream_gaps",
        "stream_duplicates",
        "foreign_updates",
        "snapshots",
        "resumes",
        "lost",
    ] {
        assert!(json[key].is_u64(), "{key}: {json}");
    }
    for key in ["p50", "p99", "max"] {
        assert!(json["delivery_ms"][key].is_f64(), "{key}: {json}");
    }
    assert!(json["server"]["cpu_s"].is_f64(), "{json}");
    assert_eq!(json["paired"]["p99"]["verdict"], "undecided");
}
