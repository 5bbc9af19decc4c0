//! A server that moves old events from its journal into an archive.

use std::path::{Path, PathBuf};

use protocol::{Codec, Resume};
use serde_json::Value;
use testkit::app::{ANSWER, TestApp, WAIT_MAX};
use testkit::temporary_folder;
use tokio::process::Command;
use tokio::time::{Duration, Instant, sleep};

const TRUNCATED: &str = "cluecast_journal_truncated_batches_total";

/// Creates teams until the journal is truncated.
async fn grow_until_truncated(app: &TestApp) {
    let began = Instant::now();
    for team in 0.. {
        app.join(&format!("Team {team}")).await;
        if app.metric(TRUNCATED).await > 0 {
            return;
        }
        assert!(began.elapsed() < WAIT_MAX, "nothing was truncated");
        sleep(Duration::from_millis(20)).await;
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("the server has made it");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("it is read").path()).collect();
    files.sort();
    files
}

async fn verify(files: &[PathBuf]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args(["archive", "verify", "--json"])
        .args(files)
        .output()
        .await
        .expect("the binary runs");
    let printed = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    (output.status.code(), printed)
}

async fn show(files: &[PathBuf]) -> (Option<i32>, Vec<Value>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args(["archive", "show"])
        .args(files)
        .output()
        .await
        .expect("the binary runs");
    let lines = std::str::from_utf8(&output.stdout).expect("it is text");
    let lines = lines.lines().map(serde_json::from_str);
    let lines: Result<Vec<Value>, _> = lines.collect();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    (
        output.status.code(),
        lines.expect("each line is JSON"),
        complaints,
    )
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    let numbers = lines.iter().map(|line| line["seq"].as_u64());
    numbers.map(|seq| seq.expect("it is a number")).collect()
}

#[tokio::test]
async fn a_session_continues_after_old_events_are_archived() {
    let folder = temporary_folder().expect("a temporary folder");
    let archive = folder.path().join("archive");
    let mut app = TestApp::running(&[
        &format!("journal.archive_dir={}", archive.display()),
        "journal.archive_after_events_min=1",
        "journal.snapshot_every_events=10",
    ])
    .await;
    let mut early = app.team_with(Codec::Json, "Owls").await;
    early.guess("p0", ANSWER).await.expect_correct();
    early.disconnect();
    let mut mate = app.teammate_with(Codec::Json, &early).await;
    mate.guess("p1", ANSWER).await.expect_correct();
    app.restart().await;
    app.join("Hawks").await;
    app.restart().await;
    grow_until_truncated(&app).await;

    // The files hold everything that the journal has lost, from the first event on.
    let export = app.get("/export", &app.game_master_token).await;
    let lines = export.lines();
    let begins_at = lines[0]["seq"].as_u64().expect("it is a number");
    assert!(begins_at > 1);
    let begins = &export.headers["cluecast-journal-begins-at"];
    assert_eq!(*begins, begins_at.to_string());
    let files = files_of(&archive);
    let (status, printed) = verify(&files).await;
    assert_eq!(status, Some(0), "{printed}");
    let mut archived = 0;
    for file in printed["files"].as_array().expect("it is a list") {
        let first = file["first_seq"].as_u64().expect("it is a number");
        assert!(first <= archived + 1, "{printed}");
        archived = file["last_seq"].as_u64().expect("it is a number");
    }
    assert!(archived + 1 >= begins_at, "{archived} and {begins_at}");

    let (status, shown, complaints) = show(&files).await;
    assert_eq!((status, complaints.as_str()), (Some(0), ""));
    assert_eq!(numbers(&shown), (1..=archived).collect::<Vec<_>>());
    for line in lines
        .iter()
        .filter(|line| line["seq"].as_u64() <= Some(archived))
    {
        let seq = line["seq"].as_u64().expect("it is a number");
        let index = usize::try_from(seq - 1).expect("it is small");
        assert_eq!(shown[index], *line, "as in the export");
    }

    // The session is what it was before; a client that was away for long gets a snapshot.
    let before = app.standings().await;
    app.crash().await;
    assert_eq!(app.standings().await, before);
    assert_eq!(early.reconnect().await.resume, Resume::Snapshot);
    assert_eq!(early.snapshot.as_ref().map(|it| it.team.score), Some(2));
    // The same receipt, for the same command.
    early.guess_as(1, "p0", ANSWER).await.expect_correct();
    early.guess("p2", ANSWER).await.expect_correct();
    app.assert_healthy();

    let other = files[0].with_file_name("other.cluearc");
    std::fs::copy(&files[0], &other).expect("it can be copied");
    let (status, printed) = verify(std::slice::from_ref(&other)).await;
    assert_eq!(status, Some(1), "{printed}");
    std::fs::remove_file(&other).expect("it is there");
    if files.len() > 2 {
        let with_a_hole = [files[2].clone(), files[0].clone()];
        let (status, shown, complaints) = show(&with_a_hole).await;
        let is_whole = numbers(&shown)
            .windows(2)
            .all(|pair| pair[1] == pair[0] + 1);
        assert_eq!(status == Some(0), is_whole, "{complaints}");
    }

    let mut bytes = std::fs::read(&files[0]).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).expect("it can be written");
    let (status, printed) = verify(&files[..1]).await;
    assert_eq!(status, Some(1));
    assert_eq!(printed["files"][0]["ok"], false);
    let (status, shown, complaints) = show(&files).await;
    assert_eq!((status, shown), (Some(1), Vec::new()));
    assert!(complaints.contains("damaged"), "{complaints}");
}

#[tokio::test]
async fn without_an_archive_nothing_is_truncated() {
    let mut app = TestApp::running(&["journal.snapshot_every_events=10"]).await;
    for round in 0..3 {
        for team in 0..6 {
            app.join(&format!("Team {round}.{team}")).await;
        }
        app.restart().await;
    }
    let export = app.get("/export", &app.game_master_token).await;
    assert_eq!(export.lines()[0]["seq"], 1);
    let header = export.headers.get("cluecast-journal-begins-at");
    assert_eq!(header, None);
}
