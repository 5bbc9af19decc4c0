//! Runs the short clients of the written specification verbatim. Each joins, guesses, loses its connection,
//! resumes, and sees every update once.

#![allow(
    clippy::disallowed_methods,
    reason = "the CI variable is a switch of tests, not a setting of the server"
)]

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{ServerCommand, ServerProcess, temporary_folder};
use tokio::process::Command;
use tokio::time::timeout;

const SPECIFICATION: &str = include_str!("../../protocol/README.md");
const EXAMPLE_HUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/harbour-lights");

/// The timeout of every wait.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A client of the specification.
struct Client {
    /// The language tag of the code block in the specification.
    block: &'static str,
    program: &'static str,
    file: &'static str,
}

const PYTHON: Client = Client {
    block: "python",
    program: "python3",
    file: "client.py",
};

const JAVASCRIPT: Client = Client {
    block: "js",
    program: "node",
    file: "client.mjs",
};

/// The report that a client prints at the end.
#[derive(Debug, Deserialize)]
struct Report {
    /// The heads of the first snapshot.
    first: Value,
    /// The `resume` of the last connection's `welcome`.
    resumed: String,
    /// The final cursor.
    cursor: Value,
    /// The updates that it applied, in order.
    updates: Vec<(String, u64, Value)>,
    /// The answers to its two guesses.
    wrong: Value,
    right: Value,
}

#[tokio::test]
async fn the_python_client_sees_every_update_once() {
    run(&PYTHON).await;
}

#[tokio::test]
async fn the_javascript_client_sees_every_update_once() {
    run(&JAVASCRIPT).await;
}

async fn run(client: &Client) {
    if !is_there(client.program).await {
        not_run(client);
        return;
    }
    let folder = temporary_folder().expect("a temporary folder can be made");
    let mut command =
        ServerCommand::new(env!("CARGO_BIN_EXE_cluecast"), folder.path().join("data"));
    command.hunt = Some(EXAMPLE_HUNT.into());
    let server = ServerProcess::start(&command, WAIT_MAX).await;
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let script = folder.path().join(client.file);
    std::fs::write(&script, script_of(client)).expect("the script can be written");
    let report = report_of(client, &script, &server).await;
    check(&report);
    assert!(!server.stderr_tail().contains("panicked"));
}

/// The first block of the client's language in the specification.
fn script_of(client: &Client) -> &'static str {
    let begin = format!("\n```{}\n", client.block);
    let (_, after) = SPECIFICATION
        .split_once(&begin)
        .expect("the specification has such a client");
    let (script, _) = after.split_once("\n```\n").expect("the block has an end");
    script
}

async fn report_of(client: &Client, script: &Path, server: &ServerProcess) -> Report {
    let session = server.session().expect("it runs a hunt");
    let output = Command::new(client.program)
        .arg(script)
        .arg(format!("http://{}", server.address()))
        .arg(session)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(WAIT_MAX, output).await.expect("it ends in time");
    let output = output.expect("it can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    let last = said.lines().last().expect("it prints its report");
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
}

/// Checks that every number arrived once and in order, across the disconnect, and that each guess counted once.
fn check(report: &Report) {
    assert_eq!(
        report.resumed, "replay",
        "the cut was bridged without a snapshot"
    );
    for audience in ["everyone", "team", "player"] {
        let updates = report.updates.iter();
        let numbers = updates.filter(|(to, _, _)| to == audience);
        let numbers: Vec<u64> = numbers.map(|(_, number, _)| *number).collect();
        // A number that is 0 may be left out.
        let first = report.first[audience].as_u64().unwrap_or(0);
        let last = report.cursor[audience].as_u64().unwrap_or(0);
        let expected: Vec<u64> = (first + 1..=last).collect();
        assert_eq!(numbers, expected, "{audience}: {report:?}");
    }
    let events = report.updates.iter().map(|(_, _, event)| event);
    let judged = events.filter(|event| event["type"] == "guess_judged");
    let mut guesses: Vec<(&str, &str)> = judged
        .map(|event| {
            let text = |field: &str| event[field].as_str().expect("a text");
            (text("guess"), text("verdict"))
        })
        .collect();
    guesses.sort_unstable();
    // The middle one is the team mate's, made while the client was disconnected.
    let expected = [
        ("Rope?", "wrong"),
        ("Sail?", "wrong"),
        ("compass", "correct"),
    ];
    assert_eq!(guesses, expected, "{report:?}");
    let receipt = |id, verdict: &str, points| json!({ "type": "receipt", "id": id, "for": "submit_guess", "verdict": verdict, "points": points });
    assert_eq!(report.wrong, receipt(1, "wrong", 0));
    assert_eq!(report.right, receipt(2, "correct", 10));
}

async fn is_there(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .await;
    match asked {
        Ok(output) => output.status.success(),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Reports the skipped test on the real standard error, because the test harness captures the usual one.
fn not_run(client: &Client) {
    let told = format!(
        "NOT RUN: tests/clients in {} ({} is missing)",
        client.block, client.program
    );
    writeln!(std::io::stderr(), "{told}").expect("standard error can be written");
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "{told}");
}

#[test]
fn the_check_notices_what_it_must() {
    let good = || Report {
        first: json!({ "everyone": 1, "team": 3, "player": 1 }),
        resumed: "replay".to_owned(),
        cursor: json!({ "generation": 1, "everyone": 1, "team": 6, "player": 1 }),
        updates: [
            (4, "Sail?", "wrong"),
            (5, "compass", "correct"),
            (6, "Rope?", "wrong"),
        ]
        .map(|(number, guess, verdict)| {
            let event = json!({ "type": "guess_judged", "guess": guess, "verdict": verdict });
            ("team".to_owned(), number, event)
        })
        .into(),
        wrong: json!({ "type": "receipt", "id": 1, "for": "submit_guess", "verdict": "wrong", "points": 0 }),
        right: json!({ "type": "receipt", "id": 2, "for": "submit_guess", "verdict": "correct", "points": 10 }),
    };
    check(&good());
    let spoil: [fn(&mut Report); 5] = [
        |report| report.resumed = "snapshot".to_owned(),
        |report| drop(report.updates.remove(1)),
        |report| report.updates.insert(1, report.updates[1].clone()),
        |report| report.updates.swap(0, 2),
        |report| report.right = report.wrong.clone(),
    ];
    for spoil in spoil {
        let mut report = good();
        spoil(&mut report);
        let noticed = std::panic::catch_unwind(|| check(&report)).is_err();
        assert!(noticed, "{report:?}");
    }
}
