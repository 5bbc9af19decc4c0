//! A server whose old events go from its journal into an archive.

use std::path::{Path, PathBuf};

use protocol::rest::Standings;
use protocol::{Codec, Resume};
use serde_json::Value;
use testkit::temporary_folder;
use tokio::process::Command;
use tokio::time::{Duration, Instant, sleep};

use crate::device::Device;
use crate::http::exchange;
use crate::stage::{ANSWER, Stage, WAIT_MAX};

const TRUNCATED: &str = "cluecast_journal_truncated_batches_total";

async fn stop_and_start(stage: &mut Stage) {
    let stopped = stage.server.terminate(WAIT_MAX).await;
    assert_eq!(stopped.expect("it stops in time").code(), Some(0));
    stage.start_again().await;
}

/// Teams found themselves until something has been cut off.
async fn grow_until_cut_off(stage: &Stage) {
    let began = Instant::now();
    for team in 0.. {
        stage.join(&format!("Team {team}")).await;
        if stage.metric(TRUNCATED).await > 0 {
            return;
        }
        assert!(began.elapsed() < WAIT_MAX, "nothing was cut off");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The export's header and its lines.
async fn export(stage: &Stage) -> (String, Vec<Value>) {
    let request = format!(
        "GET /api/v1/sessions/{}/export HTTP/1.0\r\nhost: test\r\nauthorization: Bearer {}\r\n\r\n",
        stage.session, stage.game_master
    );
    let answer = exchange(stage.address(), request.as_bytes()).await;
    let answer = String::from_utf8(answer).expect("it is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a header");
    let lines = body.lines().map(serde_json::from_str);
    let lines: Result<Vec<Value>, _> = lines.collect();
    (head.to_owned(), lines.expect("each line is JSON"))
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
async fn old_events_are_in_the_archive_and_a_session_goes_on_without_them() {
    let folder = temporary_folder().expect("a temporary folder");
    let archive = folder.path().join("archive");
    let mut stage = Stage::running(&[
        &format!("journal.archive_dir={}", archive.display()),
        "journal.archive_after_events_min=1",
        "journal.snapshot_every_events=10",
    ])
    .await;
    let owls = stage.join("Owls").await;
    let mut early = Device::attached(&stage, Codec::Json, &owls.token).await;
    early.guess(1, "p0", ANSWER).await.expect("accepted");
    early.cut();
    let mate = stage.join_team(&owls).await;
    let mut mate = Device::attached(&stage, Codec::Json, &mate.token).await;
    mate.guess(1, "p1", ANSWER).await.expect("accepted");
    stop_and_start(&mut stage).await;
    stage.join("Hawks").await;
    stop_and_start(&mut stage).await;
    grow_until_cut_off(&stage).await;

    // Whatever the journal has lost is in the files, from the first event on.
    let (head, lines) = export(&stage).await;
    let begins_at = lines[0]["seq"].as_u64().expect("it is a number");
    assert!(begins_at > 1);
    assert!(
        head.contains(&format!("cluecast-journal-begins-at: {begins_at}")),
        "{head}"
    );
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
        let place = usize::try_from(seq - 1).expect("it is small");
        assert_eq!(shown[place], *line, "as the export tells it");
    }

    // A session is what it was before, and who was away for long gets a snapshot.
    let path = format!("/sessions/{}/standings", stage.session);
    let standings = async |stage: &Stage| -> Standings {
        let standings = stage.rest().get(&path, None).await;
        standings.expect("it is public")
    };
    let before = standings(&stage).await;
    stage.crash_and_restart().await;
    assert_eq!(standings(&stage).await, before);
    assert_eq!(early.connect(&stage).await.resume, Resume::Snapshot);
    assert_eq!(early.snapshot.as_ref().map(|it| it.team.score), Some(2));
    early
        .guess(1, "p0", ANSWER)
        .await
        .expect("the same receipt");
    early.guess(2, "p2", ANSWER).await.expect("accepted");
    stage.assert_unharmed();

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
async fn without_an_archive_nothing_is_cut_off() {
    let mut stage = Stage::running(&["journal.snapshot_every_events=10"]).await;
    for round in 0..3 {
        for team in 0..6 {
            stage.join(&format!("Team {round}.{team}")).await;
        }
        stop_and_start(&mut stage).await;
    }
    let (head, lines) = export(&stage).await;
    assert_eq!(lines[0]["seq"], 1);
    assert!(!head.contains("cluecast-journal-begins-at"), "{head}");
}
