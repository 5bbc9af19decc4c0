//! Logs, however detailed, hold no secrets, names or addresses.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use protocol::rest::Joined;
use protocol::{CloseCode, Codec, Event};
use serde_json::{Value, json};
use testkit::app::http::{Request, Response, connect_from};
use testkit::app::{Session, WAIT_MAX, guess};
use testkit::temporary_folder;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const HUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/harbour-lights");
/// A puzzle of that hunt, and its answer.
const PUZZLE: &str = "flags";
const ANSWER: &str = "COMPASS";
/// Texts that occur in nothing else that could be logged.
const NAME: &str = "Philippa Zwetschge";
const TEAM: &str = "Quokkas of Quito";
const GUESS: &str = "XYLOPHONE";
const SOURCE: &str = "127.77.66.55";
const KEY: &str = "Zk3bQh7Yw1Rt5Lm9Xc2Vn8";

struct Ready {
    child: Child,
    address: SocketAddr,
    session: String,
    game_master: String,
}

/// A server that logs everything into a file.
async fn serve(folder: &Path, log: &Path) -> Ready {
    let log = std::fs::File::create(log).expect("a log can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--hunt", HUNT])
        .arg("--data-dir")
        .arg(folder)
        .args(["--set", "telemetry.log=trace"])
        .args(["--set", "telemetry.log_format=json"])
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    let ready = ready_line(&mut child).await;
    let text = |key: &str| ready[key].as_str().expect("text").to_owned();
    Ready {
        child,
        address: text("address").parse().expect("an address"),
        session: text("session"),
        game_master: text("game_master_token"),
    }
}

/// The ready line of a server. Its later output is not read.
pub(crate) async fn ready_line(server: &mut Child) -> Value {
    let stdout = server.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(WAIT_MAX, lines.next_line())
        .await
        .expect("a ready line");
    let line = line.expect("it can be read").expect("it starts");
    let mut line: Value = serde_json::from_str(&line).expect("JSON");
    line["ready"].take()
}

async fn post(ready: &Ready, path: &str, token: Option<&str>, body: &Value) -> Response {
    let mut request = Request::post(format!("/api/v1{path}")).json(body);
    request = request.header("idempotency-key", KEY);
    if let Some(token) = token {
        request = request.bearer(token);
    }
    request.send_from(SOURCE, ready.address).await
}

/// Sends a wrong guess, the answer, and a malformed message.
async fn play(ready: &Ready) -> Joined {
    let body = json!({ "new_team": TEAM, "name": NAME });
    let join = format!("/sessions/{}/join", ready.session);
    let joined: Joined = post(ready, &join, None, &body).await.read(201);
    let session = Session::none(ready.address, "").with_code(&ready.session);
    let stream = connect_from(SOURCE, ready.address).await;
    let socket = session.upgrade(Codec::MessagePack, stream).await;
    let mut player = session.attach_on(socket, &joined.token).await;
    player.send(guess(PUZZLE, GUESS)).await;
    player.send(guess(PUZZLE, ANSWER)).await;
    for expected in [GUESS, ANSWER] {
        let is_it = |event: &Event| matches!(event, Event::GuessJudged { guess, .. } if guess.as_deref() == Some(expected));
        player.expect_update(is_it).await;
    }
    let malformed = format!("{GUESS} {}", joined.token);
    player.socket().send_payload(malformed).await;
    player.expect_close(CloseCode::BadMessage).await;
    joined
}

#[tokio::test]
async fn the_most_detailed_log_holds_no_secrets() {
    let folder = temporary_folder().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut ready = serve(&folder.path().join("data"), &log).await;
    let joined = play(&ready).await;
    // Failures are logged too: wrong codes, forged tokens, a malformed body.
    let join = format!("/sessions/{}/join", ready.session);
    let wrong = json!({ "team_code": GUESS, "name": NAME });
    assert_eq!(post(&ready, &join, None, &wrong).await.status, 422);
    assert_eq!(
        post(&ready, &join, None, &json!({ "name": NAME }))
            .await
            .status,
        400
    );
    let export = format!("/sessions/{}/devices", ready.session);
    let forged = format!("{}x", joined.token);
    assert_eq!(
        post(&ready, &export, Some(&forged), &json!({}))
            .await
            .status,
        401
    );
    let pause = format!("/sessions/{}/pause", ready.session);
    assert_eq!(
        post(&ready, &pause, Some(&ready.game_master), &json!({}))
            .await
            .status,
        200
    );
    ready.child.kill().await.expect("it can be killed");

    let log = std::fs::read_to_string(&log).expect("the log is text");
    let lines = log.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("each line is JSON");
    let is_ready = |line: &Value| line["fields"]["message"] == "ready";
    assert!(lines.iter().any(is_ready), "the log is there:\n{log}");
    let secrets = [
        joined.token.as_str(),
        joined.team_code.as_str(),
        ready.game_master.as_str(),
        NAME,
        TEAM,
        GUESS,
        ANSWER,
        SOURCE,
        KEY,
    ];
    for secret in secrets {
        let leak = lines.iter().find(|line| line.to_string().contains(secret));
        assert!(leak.is_none(), "{secret} is in the log: {leak:?}");
    }
}
