//! Short runs of the harness's measurements: they complete with plausible figures.

use clap::Parser;
use loadtest::arguments::{Arguments, Task};
use loadtest::idle::idle;
use loadtest::latency::latency;
use loadtest::statistics::Verdict;

fn task(options: &str) -> Task {
    let binary = ["--server-binary", env!("CARGO_BIN_EXE_cluecast")];
    let line = ["cluecast-loadtest"].into_iter();
    let line = line.chain(options.split_whitespace()).chain(binary);
    let arguments = Arguments::try_parse_from(line);
    arguments.expect("the options are known").task
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_stay_open_and_their_memory_is_measured() {
    let options = "idle --connections 50 --team-size 4 --concurrency 16 --seconds 0.5";
    let Task::Idle(arguments) = task(options) else {
        panic!("the task is idle");
    };
    let report = Box::pin(idle(*arguments)).await.expect("it ends");
    assert_eq!((report.connections, report.teams), (50, 13));
    assert_eq!(report.ended_early, 0, "{report}");
    assert!(report.bytes_after.resident > 1_000_000, "{report}");
    assert!(report.connects_per_s > 0.0 && report.hellos_per_s > 0.0);
}

#[test]
fn the_bare_loop_sends_the_statement_of_the_journal() {
    let ours = cluecast::journal::PostgresJournal::APPEND_STATEMENT;
    assert_eq!(loadtest::latency::APPEND_STATEMENT, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maximum_rates_are_found_with_a_journal_in_postgresql() {
    let options = "latency --journal postgres --connections 64 --pairs 1 --starts 1 --window 0.5";
    let Task::Latency(arguments) = task(options) else {
        panic!("the task is latency");
    };
    let report = Box::pin(latency(*arguments)).await.expect("it ends");
    let start = report.starts[0];
    let rates = [
        start.guesses_per_s_max,
        start.guesses_per_s_closed,
        start.solves_per_s_max,
    ];
    assert!(
        rates
            .iter()
            .all(|rate| rate.is_some_and(|rate| rate > 10.0))
    );
    assert!(start.rows_per_commit >= 1.0, "{start:?}");
    // The journal's rows hold whole events, however they are counted.
    assert!(start.bytes_per_row >= 20.0, "{start:?}");
    assert!(report.pairs[0].commit_ms.duration.p50 > 0.0, "{report}");
    assert!(report.solves.is_some(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_compared_with_bare_commits() {
    let options = "latency --connections 8 --rate 200 --pairs 2 --starts 1 --window 0.5";
    let Task::Latency(arguments) = task(options) else {
        panic!("the task is latency");
    };
    let report = Box::pin(latency(*arguments)).await.expect("it ends");
    assert_eq!((report.starts.len(), report.pairs.len()), (1, 2));
    let start = report.starts[0];
    // Every guess is an event; a commit has one or more rows, a row one or more events.
    assert!(start.rows_per_commit >= 1.0, "{start:?}");
    assert!((1.0..=250.0).contains(&start.commits_per_s), "{start:?}");
    assert!(start.bytes_per_row >= 20.0, "{start:?}");
    for pair in &report.pairs {
        assert!(pair.receipt_ms.p50 > 0.0 && pair.commit_ms.from_schedule.p50 > 0.0);
    }
    assert_eq!(report.p50.verdict, Verdict::TooFew, "{report}");
}
