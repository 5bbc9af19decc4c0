//! Logs, however detailed, hold no secrets and nobody's name or address.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use protocol::rest::Joined;
use protocol::{Event, ServerMessage};
use serde_json::{Value, json};
use testkit::temporary_folder;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::http::{self, Answer, PATIENCE};
use crate::socket::{Socket, connect_from};

const HUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/harbour-lights");
/// A puzzle of that hunt, and its answer.
const PUZZLE: &str = "flags";
const ANSWER: &str = "COMPASS";
/// Parts of nothing else that could be logged.
const NAME: &str = "Philippa Zwetschge";
const TEAM: &str = "Quokkas of Quito";
const GUESS: &str = "XYLOPHONE";
const SOURCE: &str = "127.77.66.55";

struct Ready {
    child: Child,
    address: SocketAddr,
    session: String,
    game_master: String,
}

/// A server that logs all that it can into a file.
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

/// What a server prints of itself once it is ready; nobody reads what it prints later.
pub(crate) async fn ready_line(server: &mut Child) -> Value {
    let stdout = server.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line())
        .await
        .expect("a ready line");
    let line = line.expect("it can be read").expect("it starts");
    let mut line: Value = serde_json::from_str(&line).expect("JSON");
    line["ready"].take()
}

async fn post(ready: &Ready, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let body = body.to_string();
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let request = format!(
        "POST /api/v1{path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        authorization.unwrap_or_default(),
        body.len()
    );
    let mut stream = connect_from(SOURCE, ready.address).await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    http::read(&mut stream).await.expect("an answer")
}

/// Guesses wrongly, rightly, and what is no message; gives the token.
async fn play(ready: &Ready) -> Joined {
    let body = json!({ "session": ready.session, "new_team": TEAM, "name": NAME });
    let joined = post(ready, "/join", None, &body).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    let joined: Joined = serde_json::from_str(&joined.body).expect("JSON");
    let stream = connect_from(SOURCE, ready.address).await;
    let mut socket = Socket::upgrade_to(&ready.session, stream)
        .await
        .expect("there is room");
    socket.hello(&joined.token).await;
    socket.guess(1, PUZZLE, GUESS).await;
    socket.guess(2, PUZZLE, ANSWER).await;
    let mut judged = 0;
    while judged < 2 {
        if let Some(ServerMessage::Update(update)) = socket.receive().await
            && matches!(update.event, Event::GuessJudged { .. })
        {
            judged += 1;
        }
    }
    socket
        .send(format!("{GUESS} {}", joined.token).into_bytes())
        .await;
    assert_eq!(socket.closed().await.0, 4400);
    joined
}

#[tokio::test]
async fn the_most_detailed_log_holds_no_secrets() {
    let folder = temporary_folder().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut ready = serve(&folder.path().join("data"), &log).await;
    let joined = play(&ready).await;
    // Failures are logged too: wrong codes, forged tokens, a body that is none.
    let wrong = json!({ "session": ready.session, "team_code": GUESS, "name": NAME });
    assert_eq!(post(&ready, "/join", None, &wrong).await.status, 409);
    assert_eq!(
        post(&ready, "/join", None, &json!({ "name": NAME }))
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
    ];
    for secret in secrets {
        let told = lines.iter().find(|line| line.to_string().contains(secret));
        assert!(told.is_none(), "{secret} is in the log: {told:?}");
    }
}
