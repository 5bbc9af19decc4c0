//! The whole server under power loss: players guess over WebSockets, the power is cut at several moments, and
//! a server that starts from the durable files has every acknowledged guess exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::clock::Clock;
use cluecast::config::{Config, Layers};
use cluecast::gateway::Grant;
use cluecast::journal::{SqliteJournal, SqliteOptions, SqliteSynchronous};
use protocol::Receipt;
use protocol::rest::Joined;
use testkit::app::{ANSWER, PUZZLES, Session, TestClient};
use tokio::task::JoinSet;

use crate::recorder::Recorder;
use crate::vfs;

const TEAMS: usize = 6;
const IMAGES: u32 = 8;
const TOKEN_KEY: &str = "token.key";

/// The receipts of a device, by command id.
type Receipts = BTreeMap<u64, Receipt>;

/// The receipts of each team's device.
type Acknowledged = Arc<Mutex<Vec<Receipts>>>;

fn acknowledged_now(acknowledged: &Acknowledged) -> Vec<Receipts> {
    let acknowledged = acknowledged.lock();
    acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
}

/// The guess with this command id: for one puzzle after the other a few wrong guesses and then the answer, and
/// after that only wrong guesses on the last puzzle.
fn guess_of(id: u64) -> (String, String) {
    const WRONG_BEFORE_ANSWER: u64 = 7;
    let turn = id / (WRONG_BEFORE_ANSWER + 1);
    let last = PUZZLES as u64 - 1;
    let puzzle = turn.min(last);
    let is_answer = id % (WRONG_BEFORE_ANSWER + 1) == WRONG_BEFORE_ANSWER && turn < last;
    let guess = if is_answer {
        ANSWER.to_owned()
    } else {
        format!("wrong {id}")
    };
    (format!("p{puzzle}"), guess)
}

/// The guesses on the last puzzle end before its limit.
const COMMANDS_MAX: u64 = 1_000;

fn config(folder: &Path) -> Config {
    let mut layers = Layers::built_in();
    layers.add_flag("server.listen=127.0.0.1:0");
    layers.add_flag(&format!("server.data_dir={}", folder.display()));
    layers.add_flag("limits.commands_per_second=1000000");
    layers.add_flag("limits.commands_burst=1000000");
    layers.add_flag("journal.snapshot_every_events=100");
    Config::read(layers).expect("the settings are valid")
}

async fn start(folder: &Path, options: SqliteOptions) -> Server {
    let journal = SqliteJournal::open(options).await.expect("it opens");
    let server = Server::start_on(&config(folder), Arc::new(journal)).await;
    server.unwrap_or_else(|error| panic!("the server does not start: {error}"))
}

/// A running session, and a device in each of its teams.
struct Played {
    session: Session,
    devices: Vec<Joined>,
}

async fn begin_session(server: &Server) -> Played {
    let tokens = server.gateway().tokens();
    let admin = tokens.seal(Grant::Admin, Clock::System.now());
    let mut bare = Session::none(server.address(), &admin);
    bare.upload_hunt().await;
    let session = bare.create().await;
    let mut devices = Vec::new();
    for number in 0..TEAMS {
        devices.push(session.join(&format!("Team {number}")).await);
    }
    session.order("start").await;
    Played { session, devices }
}

/// Guesses continuously, and records each receipt when it arrives.
async fn play(mut player: TestClient, team: usize, acknowledged: Acknowledged) {
    for id in 1..=COMMANDS_MAX {
        let (puzzle, guess) = guess_of(id);
        let answer = player.guess_as(id, &puzzle, &guess).await;
        let receipt = answer.expect_accepted();
        let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged[team].insert(id, receipt);
    }
}

/// The commands in a server's journal, by device. Panics if one of them counted twice.
async fn judged(session: &Session) -> BTreeSet<(String, u64)> {
    let mut judged = BTreeSet::new();
    let mut solves = BTreeSet::new();
    let export = session.get("/export", &session.game_master_token).await;
    if export.status == 403 {
        // The session itself is lost: its token is refused like that of any other session.
        return judged;
    }
    for line in export.lines() {
        if line["event"]["type"] != "guess_judged" {
            continue;
        }
        let device = line["device"].as_str().expect("guesses come from devices");
        let device = device.to_owned();
        let command = line["command"].as_u64().expect("guesses are commands");
        assert!(
            judged.insert((device.clone(), command)),
            "{device} {command} counted twice"
        );
        if line["event"]["verdict"] == "correct" {
            let puzzle = line["event"]["puzzle"].to_string();
            assert!(solves.insert((device, puzzle)), "a solve counted twice");
        }
    }
    judged
}

/// Starts a server on the durable files, and returns the number of acknowledged guesses that it lacks.
async fn lost(left: &Path, played: &Played, acknowledged: &[Receipts]) -> usize {
    let server = start(left, SqliteOptions::new(left)).await;
    let session = played.session.via(&Session::none(server.address(), ""));
    let judged = judged(&session).await;
    let mut lost = 0;
    for (device, receipts) in played.devices.iter().zip(acknowledged) {
        let is_lost = |id: &&u64| !judged.contains(&(device.device.clone(), **id));
        lost += receipts.keys().filter(is_lost).count();
    }
    if lost == 0 {
        for (device, receipts) in played.devices.iter().zip(acknowledged) {
            send_last_again(&session, device, receipts).await;
        }
    }
    server.stop().await.expect("it stops");
    lost
}

/// Asserts that a device can resume after the restart, and that its last command has the same receipt.
async fn send_last_again(session: &Session, device: &Joined, receipts: &Receipts) {
    let mut player = session.attach(&device.token).await;
    let Some((id, receipt)) = receipts.last_key_value() else {
        return;
    };
    assert!(player.welcome.last_command >= *id);
    let points: u32 = receipts.values().filter_map(|receipt| receipt.points).sum();
    let snapshot = player.snapshot.as_ref();
    let score = snapshot.expect("it has no cursor").team.score;
    assert!(score >= points);
    let (puzzle, guess) = guess_of(*id);
    let again = player.guess_as(*id, &puzzle, &guess).await;
    assert_eq!(again.expect_accepted(), *receipt);
}

/// Cuts the power at several moments; returns the total number of lost acknowledged guesses.
async fn cut_power(
    recorder: &Recorder,
    folder: &Path,
    played: &Played,
    acknowledged: &Acknowledged,
) -> usize {
    let mut lost_in_all = 0;
    for image in 0..IMAGES {
        // Different moments of the work of the writer and the checkpoints.
        tokio::time::sleep(Duration::from_millis(u64::from(5 + 9 * image))).await;
        let before = acknowledged_now(acknowledged);
        let left = tempfile::tempdir().expect("a temporary folder");
        let written = recorder.write_image_to(left.path());
        written.expect("the image can be written");
        // The token key is not a file of SQLite; the server syncs it before it uses it.
        let copied = std::fs::copy(folder.join(TOKEN_KEY), left.path().join(TOKEN_KEY));
        copied.expect("the token key is there");
        lost_in_all += lost(left.path(), played, &before).await;
    }
    lost_in_all
}

async fn lost_in_all(
    name: &str,
    synchronous: SqliteSynchronous,
    checkpoint_every: Duration,
) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vfs = format!("power-loss-server-{name}");
    let recorder = vfs::register(&vfs, folder.path());
    let options = SqliteOptions {
        synchronous,
        checkpoint_every,
        // Small, so that the write-ahead log restarts during the test.
        wal_bytes_max: 1 << 16,
        vfs: Some(vfs),
        ..SqliteOptions::new(folder.path())
    };
    let server = start(folder.path(), options).await;
    let played = begin_session(&server).await;

    let acknowledged = Acknowledged::new(Mutex::new(vec![Receipts::new(); TEAMS]));
    let mut players = JoinSet::new();
    for (team, device) in played.devices.iter().enumerate() {
        let client = played.session.attach(&device.token).await;
        players.spawn(play(client, team, Arc::clone(&acknowledged)));
    }
    let lost = cut_power(&recorder, folder.path(), &played, &acknowledged).await;
    players.shutdown().await;
    for receipts in acknowledged_now(&acknowledged) {
        assert!(!receipts.is_empty(), "every team guessed meanwhile");
    }
    server.stop().await.expect("it stops");
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_loss_takes_no_acknowledged_guess() {
    let often = Duration::from_millis(20);
    assert_eq!(lost_in_all("full", SqliteSynchronous::Full, often).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn weakened_synchronisation_is_noticed() {
    let seldom = Duration::from_secs(5);
    let lost = lost_in_all("normal", SqliteSynchronous::Normal, seldom).await;
    assert!(
        lost > 0,
        "acknowledged guesses are lost, and the test must see it"
    );
}
