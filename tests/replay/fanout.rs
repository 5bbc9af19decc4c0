//! The fan-out test against a real server: deliveries are correct, and any fault in transit is detected.

use std::time::Duration;

use clap::Parser;
use loadtest::arguments::{Arguments, Task};
use loadtest::fanout::{FanoutError, FanoutReport};
use testkit::{ServerCommand, ServerProcess, admin_token, temporary_folder};

use crate::tampering::{Wrong, start_proxy};

const BINARY: &str = env!("CARGO_BIN_EXE_cluecast");

async fn fanout(options: &str) -> Result<FanoutReport, FanoutError> {
    let line = ["cluecast-loadtest", "fanout"].into_iter();
    let line = line.chain(options.split_whitespace());
    let arguments = Arguments::try_parse_from(line).expect("the options are known");
    let Task::Fanout(arguments) = arguments.task else {
        panic!("the task is fanout");
    };
    Box::pin(loadtest::fanout::fanout(*arguments)).await
}

async fn fanout_of_own_server(options: &str) -> FanoutReport {
    let report = fanout(&format!("{options} --server-binary {BINARY}")).await;
    report.expect("it ends")
}

/// Runs fifteen clients behind a proxy that tampers with one update.
async fn fanout_through(wrong: Wrong) -> FanoutReport {
    let folder = temporary_folder().expect("a folder");
    let token = admin_token(BINARY.as_ref(), folder.path()).await;
    let token = token.expect("the folder has a key");
    let command = ServerCommand::new(BINARY, folder.path());
    let server = ServerProcess::start(&command, Duration::from_secs(30)).await;
    let server = server.expect("it starts");
    let (address, _friend) = start_proxy(server.address(), wrong).await;
    // Without an exemption for the harness, the server admits one clue per 50 ms.
    let options =
        "--connections 15 --clues-per-second 15 --seconds 1 --everyone 0.8 --settle-max 3";
    let options = format!("{options} --server http://{address} --admin-token {token}");
    fanout(&options).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_cut_stall_or_are_slow_get_everything_once() {
    for codec in ["msgpack", "json"] {
        let report = fanout_of_own_server(&format!(
            "--connections 60 --team-size 3 --clues-per-second 40 --seconds 3 --size 1000 \
             --stalled 0.1 --stall-seconds 0.2..1 --slow 0.1 --slow-bytes-per-second 4000 \
             --cut-seconds 0..1 --codec {codec}"
        ))
        .await;
        assert!(report.is_good(), "{report}");
        assert_eq!((report.clients, report.clues), (60, 120), "{report}");
        assert_eq!((report.clients_stalled, report.clients_slow), (6, 6));
        // Every client is cut at least once and reconnects each time.
        assert!(report.cuts >= 60, "{report}");
        assert!(report.resumes + report.snapshots >= 60, "{report}");
        assert!(report.stalls >= 6 && report.deliveries > 1_000, "{report}");
        assert!(report.delivery_ms.p50 > 0.0, "{report}");
        assert!(report.server.cpu_s.is_some_and(|cpu_s| cpu_s > 0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_away_for_longer_than_the_ring_gets_a_snapshot() {
    let report = fanout_of_own_server(
        "--connections 20 --clues-per-second 50 --seconds 2 --size 1000 --cut-seconds 1..2 \
         --server-set delivery.ring_bytes_max=65536",
    )
    .await;
    assert!(report.is_good(), "{report}");
    assert!(report.snapshots > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_pushed_as_fast_as_it_is_acknowledged() {
    let report =
        fanout_of_own_server("--connections 20 --backlog 8 --seconds 60 --everyone 1").await;
    assert!(report.is_good(), "{report}");
    assert_eq!(report.clues, 1_000, "all that a session takes");
    assert_eq!(report.deliveries, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_windows_are_measured_with_and_without_bad_readers() {
    let report = fanout_of_own_server(
        "--connections 40 --clues-per-second 50 --size 2000 --stalled 0.1 --slow 0.1 --pairs 2 \
         --starts 2 --window 0.5",
    )
    .await;
    assert!(report.is_good(), "{report}");
    let paired = report.paired.as_ref().expect("there are pairs");
    assert_eq!((paired.pairs.len(), paired.starts), (2, 2));
    for pair in &paired.pairs {
        assert!(pair.without_ms.p99 > 0.0 && pair.with_ms.p99 > 0.0);
    }
    // One stall in each window with impaired readers.
    assert_eq!(report.stalls, 2 * 4, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_friend_changes_nothing() {
    let report = fanout_through(Wrong::Nothing).await;
    assert!(report.is_good(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_dropped_is_a_gap() {
    let report = fanout_through(Wrong::Dropped).await;
    assert!(report.stream_gaps > 0 && !report.is_good(), "{report}");
    assert_eq!(report.lost, 0, "it was asked for again: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_comes_twice_is_a_duplicate() {
    let report = fanout_through(Wrong::Doubled).await;
    assert!(
        report.stream_duplicates > 0 && !report.is_good(),
        "{report}"
    );
    assert_eq!((report.stream_gaps, report.lost), (0, 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_another_client_is_foreign_and_the_own_one_lost() {
    let report = fanout_through(Wrong::Misdirected).await;
    assert!(report.foreign_updates > 0 && report.lost > 0, "{report}");
    assert_eq!(report.stream_gaps, 0, "the numbers are right: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clue_under_two_numbers_is_a_duplicate_and_the_other_one_lost() {
    let report = fanout_through(Wrong::Repeated).await;
    assert!(report.stream_duplicates > 0 && report.lost > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_measured_is_refused_before_it_begins() {
    let refused = |options: &'static str| async move {
        let error = fanout(options).await.expect_err("it is refused");
        error.to_string()
    };
    let too_many = refused("--clues-per-second 100 --seconds 11").await;
    assert!(too_many.contains("1100 clues"), "{too_many}");
    assert!(too_many.contains("--seconds"), "{too_many}");
    let all_disturbed = refused("--stalled 0.5 --slow 0.5").await;
    assert!(
        all_disturbed.contains("no normal readers"),
        "{all_disturbed}"
    );
    let nothing = refused("--pairs 4").await;
    assert!(nothing.contains("--stalled"), "{nothing}");
}
