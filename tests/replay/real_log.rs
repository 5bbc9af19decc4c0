//! Replays the log of a real hunt with 458 teams, if a copy lies beside the project.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::harness::{assert_goaway_compliance, assert_whole, replay};

const GUESSES: u64 = 38_508;

/// The folder of the log. If it is missing, reports the skipped test, and fails in CI.
fn real_log() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.join("guess-log.csv").is_file() {
        return Some(folder);
    }
    // Bypasses the test runner's capture, so that the summary of all tests shows it.
    let told = "NOT RUN: tests/replay on the real log (put it into ../shared/data)";
    let _ = writeln!(io::stderr(), "{told}");
    #[expect(
        clippy::disallowed_methods,
        reason = "CI is a variable of the test run, no setting of the server"
    )]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "{told}");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_log_is_replayed_as_it_was() {
    let Some(log) = real_log() else { return };
    let replayed = replay(&log, "--speed max").await;
    assert_whole(&replayed, GUESSES);
    assert_eq!(replayed.report.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_log_survives_kills() {
    let Some(log) = real_log() else { return };
    let options = "--speed max --kill-every 0.2 --reconnect-max 0.5";
    let replayed = replay(&log, options).await;
    assert_whole(&replayed, GUESSES);
    let report = replayed.report;
    assert!(report.kills_between_first_and_last_guess >= 5, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_log_survives_clean_stops() {
    let Some(log) = real_log() else { return };
    // The log's clock makes this take about eleven seconds on any machine, enough time to reconnect.
    let replayed = replay(&log, "--speed 80000 --stop-every 6").await;
    assert_whole(&replayed, GUESSES);
    assert_goaway_compliance(&replayed);
}
