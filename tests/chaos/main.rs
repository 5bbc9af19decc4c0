//! The fault harness against real nodes: nodes keep their guarantees under faults, and the harness detects a
//! node that breaks one.

use clap::Parser;
use loadtest::arguments::{Arguments, Task};
use loadtest::chaos::{Chaos, chaos};
use loadtest::replay::Conclusion;
use tokio::sync::Mutex;

/// Runs one test at a time: each needs the whole machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

const SERVER: &str = env!("CARGO_BIN_EXE_cluecast");
const SPEAKS_WITHOUT_LEASE: &str = env!("CARGO_BIN_EXE_cluecast-speaks-without-lease");

/// Runs the harness by its command line, within the test's process.
async fn run(options: &str) -> Chaos {
    run_with(SERVER, options).await
}

/// As [`run`], with another server binary.
async fn run_with(binary: &str, options: &str) -> Chaos {
    let _alone = ONE_AT_A_TIME.lock().await;
    let line = ["cluecast-loadtest", "chaos", "--calm", "0.2"].into_iter();
    let line = line.chain(options.split_whitespace());
    let line = line.chain(["--server-binary", binary]);
    let arguments = Arguments::try_parse_from(line).expect("the options are known");
    let Task::Chaos(arguments) = arguments.task else {
        panic!("the task is chaos");
    };
    let run = Box::pin(chaos(*arguments)).await;
    run.expect("the run begins")
}

/// Asserts that the run finished and that every guarantee was kept. Does not check latency goals: the machine
/// may be busy.
fn assert_safe(run: &Chaos) {
    let Chaos {
        report,
        problems,
        unfinished,
    } = run;
    assert!(unfinished.is_none(), "{unfinished:?}\n{report}");
    assert!(report.is_safe(), "{problems:#?}\n{report}");
    assert!(report.acked > 0 && report.rows > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_and_duplicates_nothing() {
    let run = run("--count 3 --players 16 --sessions 4 --think 0.05 --seed 11").await;
    assert_safe(&run);
    let figures = &run.report.faults["owner-kill"];
    assert_eq!((figures.count, figures.sessions_min), (3, 4));
    assert_eq!(figures.recovery_ms.count, 3 * 16, "one for each client");
    assert_eq!(figures.session_recovery_ms.count, 3 * 4);
    assert_eq!(figures.worst_pause_ms.count, 3);
    assert!(run.report.reconnects >= 3, "{}", run.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_commands_are_applied_once() {
    let options = "--count 2 --players 12 --sessions 3 --think 0.01 --resend 10 --commands 300";
    let run = run(options).await;
    assert_safe(&run);
    let report = &run.report;
    assert!(report.acked >= 300, "{report}");
    assert!(report.resent >= 9 * 250, "{report}");
    assert_eq!(report.receipts_different, 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_events_is_detected() {
    let options = "--count 1 --players 8 --sessions 2 --server-set journal.backend=memory";
    let run = run(options).await;
    assert!(run.report.lost > 0, "{}", run.report);
    assert_eq!(run.conclusion(), Conclusion::Bad);
    assert_eq!(run.conclusion().exit_status(), 1);
}

/// Injects a fault of PostgreSQL a few times, with one node.
async fn assert_store_fault_is_survived(fault: &str, options: &str) -> Chaos {
    let players = "--players 16 --sessions 4 --think 0.05";
    let run = run(&format!("--fault {fault} {players} {options}")).await;
    assert_safe(&run);
    assert_eq!(run.report.journal, "PostgreSQL");
    let figures = &run.report.faults[fault];
    assert_eq!(figures.recovery_ms.count, 16 * figures.count);
    assert_eq!(figures.session_recovery_ms.count, 4 * figures.count);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgresql_loses_and_duplicates_nothing() {
    let run = assert_store_fault_is_survived("pg-kill", "--count 2").await;
    assert_eq!(run.report.faults["pg-kill"].count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_postgresql_acknowledges_nothing() {
    let run = assert_store_fault_is_survived("pg-freeze", "--count 1 --lasting 2").await;
    assert_eq!(run.report.acks_while_frozen, 0, "{}", run.report);
    let pause = run.report.faults["pg-freeze"].worst_pause_ms;
    assert!(pause.max >= 2_000.0, "nothing was acknowledged meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_to_a_commit_is_settled_once() {
    let run = assert_store_fault_is_survived("reply-lost", "--count 5").await;
    assert_eq!(run.report.faults["reply-lost"].count, 5);
}

/// Two nodes with few sessions and players.
const TWO_NODES: &str = "--nodes 2 --players 16 --sessions 4 --think 0.05 --count 2";

#[tokio::test(flavor = "multi_thread")]
async fn replaced_owners_lose_and_duplicate_nothing_and_send_nothing_stale() {
    let run = run(&format!("{TWO_NODES} --fault owner-kill,owner-pause")).await;
    assert_safe(&run);
    let (report, problems) = (&run.report, &run.problems);
    assert_eq!((report.journal, report.nodes), ("PostgreSQL", 2));
    for fault in ["owner-kill", "owner-pause"] {
        let figures = &report.faults[fault];
        assert_eq!(figures.count, 2, "{report}");
        assert_eq!(figures.detection_ms.count, 2, "{report}");
        assert!(figures.sessions_min > 0, "{report}");
    }
    assert_eq!(report.witnesses, 2, "{problems:#?}\n{report}");
    // One for each session, and one for each session of a victim.
    assert!(report.claims >= 4 + 4, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_ignores_its_lease_is_detected() {
    let options = format!("{TWO_NODES} --fault owner-pause");
    let run = run_with(SPEAKS_WITHOUT_LEASE, &options).await;
    let Chaos {
        report, problems, ..
    } = &run;
    assert!(report.stale_messages > 0, "{problems:#?}\n{report}");
    assert_eq!(run.conclusion().exit_status(), 1);
}
