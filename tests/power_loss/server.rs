//! The whole server on files that lose their power: players guess over WebSockets, the power is cut
//! at several moments, and a server that starts from what is left has every acknowledged guess, once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::clock::Clock;
use cluecast::config::{Config, Layers};
use cluecast::gateway::Grant;
use cluecast::journal::{SqliteJournal, SqliteOptions, SqliteSynchronous};
use protocol::Receipt;
use protocol::rest::{
    CreateHunt, CreateSession, ExportLine, FailureCode, HuntCreated, Join, Joined, SessionCreated,
    SessionState,
};
use testkit::Rest;
use tokio::task::JoinSet;

use crate::player::Player;
use crate::recorder::Recorder;
use crate::vfs;

const TEAMS: usize = 6;
const PUZZLES: u64 = 10;
const IMAGES: u32 = 8;
const TOKEN_KEY: &str = "token.key";
const REST_WAIT_MAX: Duration = Duration::from_secs(20);

/// The receipts that a device has, by the ids of its commands.
type Receipts = BTreeMap<u64, Receipt>;

/// Of each team: the receipts that its device has.
type Acknowledged = Arc<Mutex<Vec<Receipts>>>;

fn acknowledged_now(acknowledged: &Acknowledged) -> Vec<Receipts> {
    let acknowledged = acknowledged.lock();
    acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
}

fn hunt_file() -> String {
    let puzzle = |number: u64| {
        format!(
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"Puzzle {number}\"\npoints = 1\nanswer = \"SOLVED\"\n"
        )
    };
    let puzzles: String = (0..PUZZLES).map(puzzle).collect();
    format!("[hunt]\ntitle = \"Power\"\n\n[round.only]\ntitle = \"Only\"\n{puzzles}")
}

/// What the command with this id guesses: on every puzzle, a few wrong ones and then the answer of
/// one after the other, and after that only wrong ones on the last.
fn guess_of(id: u64) -> (String, String) {
    const WRONG_BEFORE_ANSWER: u64 = 7;
    let turn = id / (WRONG_BEFORE_ANSWER + 1);
    let puzzle = turn.min(PUZZLES - 1);
    let is_answer = id % (WRONG_BEFORE_ANSWER + 1) == WRONG_BEFORE_ANSWER && turn < PUZZLES - 1;
    let guess = if is_answer {
        "solved".to_owned()
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

async fn start(folder: &Path, options: SqliteOptions) -> (Server, Rest) {
    let journal = SqliteJournal::open(options).await.expect("it opens");
    let server = Server::start_on(&config(folder), Arc::new(journal)).await;
    let server = server.unwrap_or_else(|error| panic!("the server does not start: {error}"));
    let rest = Rest::new(&format!("http://{}", server.address()), REST_WAIT_MAX);
    (server, rest.expect("it is an address"))
}

/// A session that runs, and a device in each of its teams.
struct Session {
    code: String,
    game_master_token: String,
    devices: Vec<Joined>,
}

async fn begin_session(server: &Server, rest: &Rest) -> Session {
    let admin = server
        .gateway()
        .tokens()
        .seal(Grant::Admin, Clock::System.now());
    let admin = Some(admin.as_str());
    let files = BTreeMap::from([("hunt.toml".to_owned(), hunt_file())]);
    let hunt: HuntCreated = rest
        .post("/hunts", admin, &CreateHunt { files })
        .await
        .expect("the hunt is valid");
    let asked = CreateSession {
        hunt: hunt.revision,
        code: None,
    };
    let created: SessionCreated = rest
        .post("/sessions", admin, &asked)
        .await
        .expect("it is created");
    let mut devices = Vec::new();
    for number in 0..TEAMS {
        let join = Join {
            new_team: Some(format!("Team {number}")),
            team_code: None,
            name: "Ana".to_owned(),
        };
        let path = format!("/sessions/{}/join", created.session);
        devices.push(rest.post(&path, None, &join).await.expect("she joins"));
    }
    let start = format!("/sessions/{}/start", created.session);
    let token = created.game_master_token;
    let _: SessionState = rest
        .post_empty(&start, Some(&token))
        .await
        .expect("it starts");
    Session {
        code: created.session,
        game_master_token: token,
        devices,
    }
}

/// Guesses without a pause, and notes each receipt when it has arrived.
async fn play(mut player: Player, team: usize, acknowledged: Acknowledged) {
    for id in 1..=COMMANDS_MAX {
        let (puzzle, guess) = guess_of(id);
        let receipt = player.guess(id, &puzzle, &guess).await;
        let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged[team].insert(id, receipt);
    }
}

/// The commands that a server's journal holds, by device; panics if one of them counted twice.
async fn judged(rest: &Rest, session: &Session) -> BTreeSet<(String, u64)> {
    let mut judged = BTreeSet::new();
    let mut solves = BTreeSet::new();
    let path = format!("/sessions/{}/export", session.code);
    let read = rest.get_lines(
        &path,
        Some(&session.game_master_token),
        |line: ExportLine<serde_json::Value>| {
            if line.event["type"] != "guess_judged" {
                return;
            }
            let device = line.device.expect("guesses come from devices");
            let command = line.command.expect("guesses are commands");
            assert!(
                judged.insert((device.clone(), command)),
                "{device} {command} counted twice"
            );
            if line.event["verdict"] == "correct" {
                let puzzle = line.event["puzzle"].to_string();
                assert!(solves.insert((device, puzzle)), "a solve counted twice");
            }
        },
    );
    match read.await {
        Ok(_) => judged,
        // Not even the session is left: its token is told what any other session's is.
        Err(error) if error.code() == Some(FailureCode::Forbidden) => BTreeSet::new(),
        Err(error) => panic!("{error}"),
    }
}

/// Starts a server from what is left in a folder, and gives how many acknowledged guesses it lacks.
async fn lost(left: &Path, session: &Session, acknowledged: &[Receipts]) -> usize {
    let (server, rest) = start(left, SqliteOptions::new(left)).await;
    let judged = judged(&rest, session).await;
    let mut lost = 0;
    for (device, receipts) in session.devices.iter().zip(acknowledged) {
        let is_lost = |id: &&u64| !judged.contains(&(device.device.clone(), **id));
        lost += receipts.keys().filter(is_lost).count();
    }
    if lost == 0 {
        for (device, receipts) in session.devices.iter().zip(acknowledged) {
            send_last_again(server.address(), session, device, receipts).await;
        }
    }
    server.stop().await.expect("it stops");
    lost
}

/// After the restart a device knows where it was, and its last command gives the same receipt again.
async fn send_last_again(
    address: SocketAddr,
    session: &Session,
    device: &Joined,
    receipts: &Receipts,
) {
    let mut player = Player::connect(address, &session.code, &device.token).await;
    let Some((id, receipt)) = receipts.last_key_value() else {
        return;
    };
    assert!(player.welcome.last_command >= *id);
    let points: u32 = receipts.values().filter_map(|receipt| receipt.points).sum();
    assert!(player.snapshot.team.score >= points);
    let (puzzle, guess) = guess_of(*id);
    assert_eq!(player.guess(*id, &puzzle, &guess).await, *receipt);
}

/// Cuts the power at several moments; gives how many acknowledged guesses were lost in all.
async fn cut_power(
    recorder: &Recorder,
    folder: &Path,
    session: &Session,
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
        // The key is no file of SQLite's; it was synced before it came into use.
        let copied = std::fs::copy(folder.join(TOKEN_KEY), left.path().join(TOKEN_KEY));
        copied.expect("the token key is there");
        lost_in_all += lost(left.path(), session, &before).await;
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
        // Small, so that the log starts over during the test.
        wal_bytes_max: 1 << 16,
        vfs: Some(vfs),
        ..SqliteOptions::new(folder.path())
    };
    let (server, rest) = start(folder.path(), options).await;
    let session = begin_session(&server, &rest).await;

    let acknowledged = Acknowledged::new(Mutex::new(vec![Receipts::new(); TEAMS]));
    let mut players = JoinSet::new();
    for (team, device) in session.devices.iter().enumerate() {
        let player = Player::connect(server.address(), &session.code, &device.token).await;
        players.spawn(play(player, team, Arc::clone(&acknowledged)));
    }
    let lost = cut_power(&recorder, folder.path(), &session, &acknowledged).await;
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
