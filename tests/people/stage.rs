//! A server process, a session on it, and those who join and run it.

use std::time::Duration;

use protocol::Scope;
use protocol::rest::{DeviceCreated, GameMasterInvited, HuntCreated, Joined, SessionCreated};
use serde_json::{Value, json};
use testkit::{ServerCommand, ServerProcess, TempDir, admin_token, temporary_folder};

use crate::api::{Answer, Api, Ask};
use crate::document::Document;

/// Bounds everything that is waited for. Whatever takes so long has failed.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// The puzzle that every team sees.
pub(crate) const PUZZLE: &str = "owl";

const HUNT_FILE: &str = r#"
[hunt]
title = "People"

[round.only]
title = "Only"

[puzzle.owl]
round = "only"
title = "Owl"
points = 1
answer = "HOOT"
"#;

/// `heads` come often, so that a test soon knows that nothing more has been sent.
const SETTINGS: [&str; 1] = ["delivery.heads_every_ms=100"];

/// A running server with a session in its lobby.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) admin: String,
    /// Of the organiser, who has every scope.
    pub(crate) organiser: String,
    pub(crate) session: String,
    hunt: String,
    server: ServerProcess,
    command: ServerCommand,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn lobby() -> Self {
        let mut stage = Self::bare().await;
        let hunt = json!({ "files": { "hunt.toml": HUNT_FILE } });
        let uploaded = stage
            .post_to("/hunts", Some(&stage.admin), Some(hunt))
            .await;
        stage.hunt = uploaded.read::<HuntCreated>(201).revision;
        let created = stage.new_session().await;
        stage.session = created.session;
        stage.organiser = created.game_master_token;
        stage
    }

    /// A server without a session.
    pub(crate) async fn bare() -> Self {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let binary = env!("CARGO_BIN_EXE_cluecast");
        let mut command = ServerCommand::new(binary, folder.path());
        command.settings = SETTINGS.map(str::to_owned).to_vec();
        let admin = admin_token(&command.binary, folder.path()).await;
        let server = start(&command).await;
        Self {
            api: Api {
                address: server.address(),
                document: Document::committed(),
            },
            admin: admin.expect("the key can be made"),
            organiser: String::new(),
            session: String::new(),
            hunt: String::new(),
            server,
            command,
            _folder: folder,
        }
    }

    /// A session that has started.
    pub(crate) async fn running() -> Self {
        let stage = Self::lobby().await;
        let started = stage.post("/start", &stage.organiser, None).await;
        assert_eq!(started.status, 200);
        stage
    }

    /// A further session on the same server.
    pub(crate) async fn new_session(&self) -> SessionCreated {
        let body = json!({ "hunt": self.hunt });
        let created = self
            .post_to("/sessions", Some(&self.admin), Some(body))
            .await;
        created.read(201)
    }

    /// Asks about the session.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let path = format!("/api/v1/sessions/{}{path}", self.session);
        let (path, token) = (path.as_str(), Some(token));
        let ask = Ask {
            method,
            path,
            token,
            body,
        };
        self.api.ask(ask).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.ask("POST", path, token, body).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.ask("DELETE", path, token, None).await
    }

    /// Posts to a path below `/api/v1`.
    pub(crate) async fn post_to(
        &self,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let path = format!("/api/v1{path}");
        let ask = Ask {
            method: "POST",
            path: &path,
            token,
            body,
        };
        self.api.ask(ask).await
    }

    /// The first player, hence the captain, of a new team.
    pub(crate) async fn found(&self, team: &str) -> Joined {
        let body = json!({ "session": self.session, "new_team": team, "name": "Ana" });
        self.post_to("/join", None, Some(body)).await.read(201)
    }

    /// A further player of a team.
    pub(crate) async fn join(&self, of: &Joined) -> Joined {
        let body = json!({ "session": self.session, "team_code": of.team_code, "name": "Ben" });
        self.post_to("/join", None, Some(body)).await.read(201)
    }

    /// A further device of a player.
    pub(crate) async fn add_device(&self, token: &str) -> DeviceCreated {
        self.post("/devices", token, None).await.read(201)
    }

    /// A game master with these scopes, invited by the organiser.
    pub(crate) async fn invite(&self, name: &str, scopes: &[Scope]) -> GameMasterInvited {
        let body = json!({ "name": name, "scopes": scopes });
        let invited = self
            .post("/game-masters", &self.organiser, Some(body))
            .await;
        invited.read(201)
    }

    /// Revokes a device or a game master, by the organiser.
    pub(crate) async fn revoke(&self, path: &str) {
        let revoked = self.delete(path, &self.organiser).await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
    }

    /// Kills the server with SIGKILL and starts it again on the same folder.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.server.kill().await.expect("it can be killed");
        self.server = start(&self.command).await;
        self.api.address = self.server.address();
    }
}

async fn start(command: &ServerCommand) -> ServerProcess {
    let started = ServerProcess::start(command, WAIT_MAX).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}
