//! A server process, a session on it, and those who join.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use protocol::rest::{
    CreateHunt, CreateSession, DeviceCreated, HuntCreated, Join, Joined, SessionCreated,
    SessionState,
};
use testkit::{Rest, ServerCommand, ServerProcess, TempDir, admin_token, temporary_folder};

use crate::http::{Ask, ask, exchange};

/// Bounds everything that is waited for. Whatever takes so long has failed.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

const BINARY: &str = env!("CARGO_BIN_EXE_cluecast");

/// Puzzles of the hunt: `p0`, `p1`, … Each is worth one point.
pub(crate) const PUZZLES: usize = 8;
/// The answer to each of them.
pub(crate) const ANSWER: &str = "SOLVED";

/// Commands are not limited unless a test is about that.
const SETTINGS: [&str; 3] = [
    "limits.commands_per_second=1000000",
    "limits.commands_burst=1000000",
    "delivery.heads_every_ms=100",
];

/// A running server with a session in its lobby or running.
pub(crate) struct Stage {
    pub(crate) server: ServerProcess,
    pub(crate) admin: String,
    pub(crate) game_master: String,
    pub(crate) session: String,
    pub(crate) hunt: String,
    command: ServerCommand,
    folder: TempDir,
}

impl Stage {
    /// A session that has started, on a server with these settings besides the usual ones.
    pub(crate) async fn running(settings: &[&str]) -> Self {
        let stage = Self::lobby(settings).await;
        stage.order("start").await;
        stage
    }

    /// A session that has not started.
    pub(crate) async fn lobby(settings: &[&str]) -> Self {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let mut command = ServerCommand::new(BINARY, folder.path());
        let settings = SETTINGS.iter().chain(settings);
        command.settings = settings.map(ToString::to_string).collect();
        let admin = admin_token(&command.binary, folder.path()).await;
        let mut stage = Self {
            server: start(&command).await,
            admin: admin.expect("the key can be made"),
            game_master: String::new(),
            session: String::new(),
            hunt: String::new(),
            command,
            folder,
        };
        stage.hunt = stage.upload().await;
        let created = stage.create_session().await;
        stage.session = created.session;
        stage.game_master = created.game_master_token;
        stage
    }

    async fn upload(&self) -> String {
        let files = BTreeMap::from([("hunt.toml".to_owned(), hunt_file())]);
        let body = CreateHunt { files };
        let created = self.rest().post("/hunts", Some(&self.admin), &body).await;
        let created: HuntCreated = created.expect("the hunt is valid");
        created.revision
    }

    /// A further session, in its lobby.
    pub(crate) async fn create_session(&self) -> SessionCreated {
        let body = CreateSession {
            hunt: self.hunt.clone(),
            code: None,
        };
        let created = self
            .rest()
            .post("/sessions", Some(&self.admin), &body)
            .await;
        created.expect("there is room for a session")
    }

    /// Has the session's game master start it, pause it and so on.
    pub(crate) async fn order(&self, order: &str) -> SessionState {
        let path = format!("/sessions/{}/{order}", self.session);
        let ordered = self.rest().post_empty(&path, Some(&self.game_master)).await;
        ordered.expect("the game master may do so")
    }

    /// The first player of a new team.
    pub(crate) async fn join(&self, team: &str) -> Joined {
        self.join_session(&self.session, Some(team), None).await
    }

    /// A further player of a team.
    pub(crate) async fn join_team(&self, of: &Joined) -> Joined {
        let code = Some(of.team_code.as_str());
        self.join_session(&self.session, None, code).await
    }

    /// The first player of a new team of another session.
    pub(crate) async fn join_elsewhere(&self, session: &str) -> Joined {
        self.join_session(session, Some("Elsewhere"), None).await
    }

    async fn join_session(&self, session: &str, team: Option<&str>, code: Option<&str>) -> Joined {
        let body = Join {
            session: session.to_owned(),
            new_team: team.map(str::to_owned),
            team_code: code.map(str::to_owned),
            name: "Ana".to_owned(),
        };
        let joined = self.rest().post("/join", None, &body).await;
        joined.expect("the session takes players")
    }

    /// A further device of the same player.
    pub(crate) async fn add_device(&self, token: &str) -> DeviceCreated {
        let path = format!("/sessions/{}/devices", self.session);
        let added = self.rest().post_empty(&path, Some(token)).await;
        added.expect("the player may have another device")
    }

    /// Takes a device's access away.
    pub(crate) async fn revoke_device(&self, token: &str, device: &str) {
        let path = format!("/api/v1/sessions/{}/devices/{device}", self.session);
        let request = Ask::new("DELETE", path).bearer(token);
        assert_eq!(ask(self.address(), &request).await, (204, None));
    }

    pub(crate) fn rest(&self) -> Rest {
        let rest = Rest::new(&format!("http://{}", self.address()), WAIT_MAX);
        rest.expect("it is an address")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The value of a counter without labels.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let request = "GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
        let printed = exchange(self.address(), request.as_bytes()).await;
        let printed = String::from_utf8_lossy(&printed);
        let mut lines = printed.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("{name} is not in\n{printed}"));
        value.parse().expect("a whole number")
    }

    /// How the server is called.
    pub(crate) fn command(&self) -> &ServerCommand {
        &self.command
    }

    /// Where the server keeps its journal and its key.
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Kills the server with SIGKILL and starts it again on the same folder.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.server.kill().await.expect("it can be killed");
        self.start_again().await;
    }

    /// Starts the server again, after it has ended.
    pub(crate) async fn start_again(&mut self) {
        self.server = start(&self.command).await;
    }

    /// The server lives and has not panicked.
    pub(crate) fn assert_unharmed(&self) {
        let log = self.server.stderr_tail();
        assert!(self.server.id().is_some(), "the server has ended:\n{log}");
        assert!(!log.contains("panicked"), "the server has panicked:\n{log}");
    }
}

async fn start(command: &ServerCommand) -> ServerProcess {
    let started = ServerProcess::start(command, WAIT_MAX).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}

fn hunt_file() -> String {
    let puzzle = |number: usize| {
        format!(
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"Puzzle {number}\"\npoints = 1\nanswer = \"{ANSWER}\"\n"
        )
    };
    let puzzles: String = (0..PUZZLES).map(puzzle).collect();
    format!("[hunt]\ntitle = \"Gateway\"\n\n[round.only]\ntitle = \"Only\"\n{puzzles}")
}
