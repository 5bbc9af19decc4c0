//! `cluecast migrate`, and `cluecast serve` on PostgreSQL.

use std::process::{Output, Stdio};

use serde_json::Value;
use testkit::{ServerCommand, ServerProcess, temporary_folder};
use tokio::process::Command;

use super::{empty_database, execute};

const HUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/harbour-lights");
const START_MAX: std::time::Duration = std::time::Duration::from_mins(1);
/// Unique in the output; the test server requires no password.
const PASSWORD: &str = "open-sesame-4711";

/// A database's address, with a password.
async fn address() -> String {
    let options = empty_database().await;
    let database = options.get_database().expect("it has one").to_owned();
    let port = options.get_port();
    format!("postgres://cluecast:{PASSWORD}@127.0.0.1:{port}/{database}")
}

async fn cluecast(arguments: &[&str], url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .env_clear()
        .env("CLUECAST_JOURNAL__BACKEND", "postgres")
        .env("CLUECAST_JOURNAL__POSTGRES_URL", url)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the binary runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[tokio::test]
async fn migrate_reports_missing_and_applied_steps() {
    let url = address().await;
    let checked = cluecast(&["migrate", "--check", "--json"], &url).await;
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(json(&checked)["ready"], false);
    assert_eq!(json(&checked)["steps"][0]["applied"], false);

    let migrated = cluecast(&["migrate", "--json"], &url).await;
    assert_eq!(migrated.status.code(), Some(0));
    assert_eq!(json(&migrated)["steps"][0]["was_applied"], false);
    assert_eq!(json(&migrated)["steps"][0]["applied"], true);

    let checked = cluecast(&["migrate", "--check"], &url).await;
    assert_eq!(checked.status.code(), Some(0));
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(text, "step 1 (first): applied before\n");
}

#[tokio::test]
async fn the_password_is_never_shown() {
    let url = address().await;
    for arguments in [
        &["config", "show", "--origin"][..],
        &["config", "show", "--json"],
        &["config", "check"],
        &["migrate"],
        &["migrate", "--set", "journal.postgres_lanes=0"],
    ] {
        for url in [&url, &url.replace("postgres://", "postgre://")] {
            let output = cluecast(arguments, url).await;
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8_lossy(&printed);
            assert!(!printed.contains(PASSWORD), "{arguments:?}: {printed}");
        }
    }
    let shown = cluecast(&["config", "show"], &url).await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("postgres://cluecast:***@127.0.0.1:"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_server_is_refused_before_the_migration_and_keeps_its_session_over_a_kill() {
    let url = address().await;
    let folder = temporary_folder().expect("a temporary folder");
    let mut command = ServerCommand::new(env!("CARGO_BIN_EXE_cluecast"), folder.path());
    command.hunt = Some(HUNT.into());
    command.settings = vec![
        "journal.backend=postgres".to_owned(),
        format!("journal.postgres_url={url}"),
        "telemetry.log=trace".to_owned(),
    ];
    let refused = ServerProcess::start(&command, START_MAX).await;
    let refused = refused.map(drop).expect_err("there is no schema");
    assert!(
        refused.to_string().contains("cluecast migrate"),
        "{refused}"
    );

    let migrated = cluecast(&["migrate"], &url).await;
    assert!(migrated.status.success());
    let mut first = ServerProcess::start(&command, START_MAX)
        .await
        .expect("it starts");
    let session = first.session().expect("it runs one").to_owned();
    assert!(!first.stderr_tail().contains(PASSWORD));
    first.kill().await.expect("it dies");
    let mut second = ServerProcess::start(&command, START_MAX)
        .await
        .expect("it starts");
    assert_eq!(second.session(), Some(session.as_str()));
    second.terminate(START_MAX).await.expect("it stops");

    // What a stop leaves behind is a state for the next start.
    let mut connection = super::connect(&super::parse(&url)).await;
    let has_snapshot = "DO $$ BEGIN ASSERT EXISTS (SELECT 1 FROM snapshot); END $$".to_owned();
    execute(&mut connection, has_snapshot).await;
}
