//! A server process, a session on it, and what the server counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use protocol::rest::{
    CreateHunt, CreateSession, Failure, FailureCode, HuntCreated, Join, Joined, SessionCreated,
    SessionState,
};
use testkit::{Rest, RestError, ServerCommand, ServerProcess, TempDir, admin_token};
use tokio::io::AsyncWriteExt;

use crate::http::{self, Answer, PATIENCE};
use crate::socket::connect_from;

/// Puzzles of the hunt: `p0`, `p1`, … A team has 1,000 guesses on each.
pub const PUZZLES: u64 = 8;

pub struct Site {
    pub server: ServerProcess,
    pub session: String,
    pub game_master: String,
    admin: String,
    _folder: TempDir,
}

impl Site {
    /// A server with a session that has started. Commands are not limited unless `settings` say so.
    pub async fn start(settings: &[&str]) -> Self {
        let folder = testkit::temporary_folder().expect("a temporary folder");
        let mut command = ServerCommand::new(env!("CARGO_BIN_EXE_cluecast"), folder.path());
        let unlimited = [
            "limits.commands_per_second=1000000",
            "limits.commands_burst=1000000",
        ];
        let settings = unlimited.iter().chain(settings);
        command.settings = settings.map(ToString::to_string).collect();
        let admin = admin_token(&command.binary, folder.path()).await;
        let admin = admin.expect("the key can be made");
        let server = ServerProcess::start(&command, PATIENCE).await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        let rest = rest(server.address());
        let created = create_session(&rest, &admin).await;
        let path = format!("/sessions/{}/start", created.session);
        let started = rest
            .post_empty(&path, Some(&created.game_master_token))
            .await;
        let _state: SessionState = started.expect("it starts");
        Self {
            server,
            session: created.session,
            game_master: created.game_master_token,
            admin,
            _folder: folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn rest(&self) -> Rest {
        rest(self.address())
    }

    /// A further session, in its lobby.
    pub async fn create_session(&self) -> SessionCreated {
        create_session(&self.rest(), &self.admin).await
    }

    /// The first player of a new team.
    pub async fn join(&self, team: &str) -> Joined {
        let body = self.joining(Some(team), None);
        let joined = self.rest().post("/join", None, &body).await;
        joined.expect("the session takes players")
    }

    /// A further player of a team, or of none, if nothing has the code.
    pub async fn join_team(&self, code: &str) -> Result<Joined, RestError> {
        let body = self.joining(None, Some(code));
        self.rest().post("/join", None, &body).await
    }

    /// Asks to join from an address of this machine.
    pub async fn join_from(&self, source: &str, asked: &Join) -> Answer {
        let body = serde_json::to_string(asked).expect("JSON");
        let request = format!(
            "POST /api/v1/join HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = connect_from(source, self.address()).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        http::read(&mut stream).await.expect("an answer")
    }

    pub fn joining(&self, team: Option<&str>, code: Option<&str>) -> Join {
        Join {
            session: self.session.clone(),
            new_team: team.map(str::to_owned),
            team_code: code.map(str::to_owned),
            name: "Ana".to_owned(),
        }
    }

    /// The value of a counter, or of a gauge of things, with its labels as they are printed.
    pub async fn metric(&self, name: &str) -> u64 {
        let answer = http::get(self.address(), "/metrics").await;
        value_of(&answer.body, name)
    }
}

pub fn value_of(metrics: &str, name: &str) -> u64 {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"));
    value.parse().expect("a whole number")
}

/// The failure that a body tells.
pub fn failure(body: &str) -> Failure {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body}"))
}

fn rest(address: SocketAddr) -> Rest {
    Rest::new(&format!("http://{address}"), PATIENCE).expect("it is an address")
}

async fn create_session(rest: &Rest, admin: &str) -> SessionCreated {
    let mut hunt = "[hunt]\ntitle = \"Bounds\"\n\n[round.only]\ntitle = \"Only\"\n".to_owned();
    for number in 0..PUZZLES {
        let puzzle = format!(
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"Puzzle\"\npoints = 1\n\
             answer = \"SHIBBOLETH\"\n"
        );
        hunt.push_str(&puzzle);
    }
    let files = BTreeMap::from([("hunt.toml".to_owned(), hunt)]);
    let created = rest
        .post("/hunts", Some(admin), &CreateHunt { files })
        .await;
    let created: HuntCreated = created.expect("the hunt is valid");
    let body = CreateSession {
        hunt: created.revision,
        code: None,
    };
    let created = rest.post("/sessions", Some(admin), &body).await;
    created.expect("there is room for a session")
}

/// What an address is told that has used up a share of one unit a minute.
pub fn is_refused_by_address(answer: &Answer) {
    assert_eq!(answer.status, 429);
    let told = failure(&answer.body).error;
    assert_eq!(told.code, FailureCode::RateLimited);
    assert!(told.message.contains("your address"), "{}", told.message);
    let seconds: u64 = answer.headers["retry-after"].parse().expect("a number");
    assert!((50..=61).contains(&seconds), "{seconds}");
}
