//! A PostgreSQL and nodes on it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use protocol::rest::{CreateHunt, CreateSession, HuntCreated, Join, Joined, SessionCreated};
use protocol::rest::{SessionState, Standings};
use testkit::{
    Postgres, PostgresOptions, Rest, RestError, ServerCommand, ServerProcess, TempDir,
    temporary_folder,
};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::stage::{Stage, WAIT_MAX};

const BINARY: &str = env!("CARGO_BIN_EXE_cluecast");
const SECRET: &str = "what all nodes of this test know, and nobody else";
const ANSWER: &str = "SOLVED";

/// Commands are not limited, and sessions stay where they were created until somebody goes.
const SETTINGS: [&str; 5] = [
    "limits.commands_per_second=1000000",
    "limits.commands_burst=1000000",
    "delivery.heads_every_ms=100",
    "cluster.rebalance_sessions_max=0",
    "journal.backend=postgres",
];

/// Nodes that share a database and nothing else.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<ServerProcess>,
    pub(crate) admin: String,
    hunt: String,
    settings: Vec<String>,
    folders: Vec<TempDir>,
    _postgres: Postgres,
}

impl Fleet {
    pub(crate) async fn start(count: usize) -> Self {
        Self::start_with(count, &[]).await
    }

    /// Nodes with settings that come after those of all fleets.
    pub(crate) async fn start_with(count: usize, settings: &[&str]) -> Self {
        let postgres = Postgres::start(&PostgresOptions::default()).await;
        let postgres = postgres.expect("PostgreSQL starts");
        let url = format!("journal.postgres_url={}", postgres.url());
        let secret = format!("cluster.secret={SECRET}");
        let own = [url.as_str(), &secret];
        let all: Vec<&str> = SETTINGS.into_iter().chain(own).collect();
        run(&["migrate"], &all).await;
        let admin = run(&["token", "admin"], &all).await;
        let mut fleet = Self {
            nodes: Vec::new(),
            admin,
            hunt: String::new(),
            settings: all.iter().map(ToString::to_string).collect(),
            folders: Vec::new(),
            _postgres: postgres,
        };
        for _ in 0..count {
            fleet.add(settings).await;
        }
        fleet.hunt = upload_hunt(&fleet.rest(0), &fleet.admin).await;
        fleet
    }

    /// Starts a further node.
    pub(crate) async fn add(&mut self, settings: &[&str]) {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let mut command = ServerCommand::new(BINARY, folder.path());
        command.settings.clone_from(&self.settings);
        let own = settings.iter().map(ToString::to_string);
        command.settings.extend(own);
        let node = ServerProcess::start(&command, WAIT_MAX).await;
        self.nodes
            .push(node.unwrap_or_else(|error| panic!("{error}")));
        self.folders.push(folder);
    }

    /// A session that runs, created at a node, which owns it then.
    pub(crate) async fn session(&self, at: usize) -> String {
        self.created(at).await.session
    }

    /// The same, with the token of its game master.
    pub(crate) async fn created(&self, at: usize) -> SessionCreated {
        create_session(&self.rest(at), &self.admin, &self.hunt).await
    }

    /// Has a session's game master start it, pause it and so on, by way of a node.
    pub(crate) async fn order(&self, by: usize, created: &SessionCreated, order: &str) {
        give_order(&self.rest(by), created, order).await;
    }

    /// Finishes a session, by way of a node.
    pub(crate) async fn finish(&self, by: usize, session: &str) {
        let path = format!("/sessions/{session}/finish");
        let token = Some(self.admin.as_str());
        let finished = self.rest(by).post_empty(&path, token).await;
        let finished: SessionState = finished.expect("it runs");
        assert_eq!(finished.session, session);
    }

    /// Founds a team, by way of a node.
    pub(crate) async fn join(&self, by: usize, session: &str, team: &str) -> Joined {
        found_team(&self.rest(by), session, team).await
    }

    /// Who has how many points, as a node tells it.
    pub(crate) async fn scores(&self, by: usize, session: &str) -> Vec<(String, u32)> {
        let path = format!("/sessions/{session}/standings");
        let standings: Standings = self
            .rest(by)
            .get(&path, None)
            .await
            .expect("they are public");
        let rows = standings.rows.into_iter();
        rows.map(|row| (row.name, row.score)).collect()
    }

    pub(crate) fn rest(&self, node: usize) -> Rest {
        let rest = Rest::new(&format!("http://{}", self.nodes[node].address()), WAIT_MAX);
        rest.expect("it is an address")
    }

    /// A session as seen from a node.
    pub(crate) fn stage(&self, node: usize, session: &str) -> Stage {
        Stage {
            address: self.nodes[node].address(),
            session: session.to_owned(),
        }
    }

    /// A node's metric, a counter or a gauge.
    pub(crate) async fn metric(&self, node: usize, name: &str) -> Option<f64> {
        let text = self.rest(node).metrics().await.expect("it answers");
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().parse().ok()
    }

    /// Waits until a node's metric has at least this value.
    pub(crate) async fn until_metric(&self, node: usize, name: &str, least: f64) {
        let waiting = async {
            loop {
                let value = self.metric(node, name).await;
                if value.is_some_and(|value| value >= least) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(WAIT_MAX, waiting).await;
        waited.unwrap_or_else(|_| panic!("{name} stays below {least}"));
    }
}

/// The revision of a hunt that is uploaded.
pub(crate) async fn upload_hunt(rest: &Rest, admin: &str) -> String {
    let files = BTreeMap::from([("hunt.toml".to_owned(), hunt_file())]);
    let created = rest
        .post("/hunts", Some(admin), &CreateHunt { files })
        .await;
    let created: HuntCreated = created.expect("the hunt is valid");
    created.revision
}

/// A session that runs.
pub(crate) async fn create_session(rest: &Rest, admin: &str, hunt: &str) -> SessionCreated {
    let body = CreateSession {
        hunt: hunt.to_owned(),
        code: None,
    };
    let created = rest.post("/sessions", Some(admin), &body).await;
    let created: SessionCreated = created.expect("there is room");
    give_order(rest, &created, "start").await;
    created
}

pub(crate) async fn give_order(rest: &Rest, created: &SessionCreated, order: &str) {
    let path = format!("/sessions/{}/{order}", created.session);
    let token = Some(created.game_master_token.as_str());
    let ordered: SessionState = rest.post_empty(&path, token).await.expect("it may");
    assert_eq!(ordered.session, created.session);
}

/// The first player of a new team.
pub(crate) async fn found_team(rest: &Rest, session: &str, team: &str) -> Joined {
    let joined = try_to_found_team(rest, session, team).await;
    joined.expect("the session takes players")
}

/// The same, if it is not refused.
pub(crate) async fn try_to_found_team(
    rest: &Rest,
    session: &str,
    team: &str,
) -> Result<Joined, RestError> {
    let body = Join {
        session: session.to_owned(),
        new_team: Some(team.to_owned()),
        team_code: None,
        name: "Ana".to_owned(),
    };
    rest.post("/join", None, &body).await
}

/// Runs a command of the binary that must succeed; what it printed.
async fn run(arguments: &[&str], settings: &[&str]) -> String {
    let set = settings.iter().flat_map(|setting| ["--set", setting]);
    let output = Command::new(BINARY)
        .args(arguments)
        .args(set)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the binary runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn hunt_file() -> String {
    let puzzle = |number: usize| {
        format!(
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"P{number}\"\npoints = 1\nanswer = \"{ANSWER}\"\n"
        )
    };
    let puzzles: String = (0..8).map(puzzle).collect();
    format!("[hunt]\ntitle = \"Cluster\"\n\n[round.only]\ntitle = \"Only\"\n{puzzles}")
}
