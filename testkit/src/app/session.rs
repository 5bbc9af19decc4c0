//! A session as it is reached through one server: its REST requests, and the clients that attach.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::rest::{
    DeviceCreated, GameMasterInvited, HuntCreated, Join, Joined, SessionCreated, SessionState,
    Standings,
};
use protocol::{CloseCode, Codec, Scope};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::http::{Request, Response, connect, connect_narrow, metric_in};
use super::socket::{Socket, upgrade_request};
use super::{Ended, TestClient, WAIT_MAX};

/// The number of players that have joined a team of others, for their names.
static JOINED: AtomicU64 = AtomicU64::new(1);

/// How many puzzles the hunt has: `p0`, `p1`, … Each is worth one point.
pub const PUZZLES: usize = 8;
/// The answer to each of them.
pub const ANSWER: &str = "SOLVED";
/// The hunt's title.
pub const TITLE: &str = "Test hunt";

/// Polling interval for a metric.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Asserts that a response is valid for its request.
pub type Check = fn(&Request, &Response);

/// A session through one server. Clones share the server's address, which changes at a restart.
#[derive(Debug, Clone)]
pub struct Session {
    /// The session's code; empty if there is none.
    pub code: String,
    /// The token of the organiser, a game master with every scope.
    pub game_master_token: String,
    /// The token of an admin of the server.
    pub admin_token: String,
    /// The revision of the hunt.
    pub hunt: String,
    address: Arc<Mutex<SocketAddr>>,
    check: Option<Check>,
}

impl Session {
    /// No session yet, on the server at this address.
    pub fn none(address: SocketAddr, admin_token: &str) -> Self {
        Self {
            code: String::new(),
            game_master_token: String::new(),
            admin_token: admin_token.to_owned(),
            hunt: String::new(),
            address: Arc::new(Mutex::new(address)),
            check: None,
        }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_address(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Checks every exchange from now on.
    pub fn check_exchanges(&mut self, check: Check) {
        self.check = Some(check);
    }

    /// The same session through another node.
    #[must_use]
    pub fn via(&self, node: &Self) -> Self {
        let address = Arc::clone(&node.address);
        Self {
            address,
            ..self.clone()
        }
    }

    /// The same server and tokens with another session code.
    #[must_use]
    pub fn with_code(&self, code: &str) -> Self {
        let code = code.to_owned();
        Self {
            code,
            ..self.clone()
        }
    }

    /// Uploads the test hunt, which sessions are created from afterwards.
    pub async fn upload_hunt(&mut self) {
        let body = json!({ "files": { "hunt.toml": hunt_file() } });
        let uploaded = self
            .post_to("/hunts", Some(&self.admin_token), Some(body))
            .await;
        self.hunt = uploaded.read::<HuntCreated>(201).revision;
    }

    /// Creates a session of the uploaded hunt, in its lobby.
    pub async fn create(&self) -> Self {
        let body = json!({ "hunt": self.hunt });
        let created = self
            .post_to("/sessions", Some(&self.admin_token), Some(body))
            .await;
        let created: SessionCreated = created.read(201);
        Self {
            game_master_token: created.game_master_token,
            ..self.with_code(&created.session)
        }
    }

    /// Sends a request to the server.
    pub async fn send(&self, request: &Request) -> Response {
        let response = request.send(self.address()).await;
        if let Some(check) = self.check {
            check(request, &response);
        }
        response
    }

    /// Sends a request about the session; an empty token stands for none.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Response {
        let path = format!("/api/v1/sessions/{}{path}", self.code);
        let token = Some(token).filter(|token| !token.is_empty());
        self.send(&request(method, path, token, body)).await
    }

    /// Gets a path below the session's.
    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.ask("GET", path, token, None).await
    }

    /// Posts to a path below the session's.
    pub async fn post(&self, path: &str, token: &str, body: Option<Value>) -> Response {
        self.ask("POST", path, token, body).await
    }

    /// Deletes a path below the session's.
    pub async fn delete(&self, path: &str, token: &str) -> Response {
        self.ask("DELETE", path, token, None).await
    }

    /// Posts to a path below `/api/v1`.
    pub async fn post_to(&self, path: &str, token: Option<&str>, body: Option<Value>) -> Response {
        let path = format!("/api/v1{path}");
        self.send(&request("POST", path, token, body)).await
    }

    /// Starts, pauses, resumes or finishes the session, as the organiser.
    pub async fn order(&self, order: &str) -> SessionState {
        let path = format!("/{order}");
        let body = (order == "finish").then(|| json!({ "confirm": true }));
        self.post(&path, &self.game_master_token, body)
            .await
            .read(200)
    }

    /// The request to join by a new team's name, or by a team's code.
    pub fn join_request(&self, new_team: Option<&str>, team_code: Option<&str>) -> Request {
        let path = format!("/api/v1/sessions/{}/join", self.code);
        Request::post(path).json(&Join {
            new_team: new_team.map(str::to_owned),
            team_code: team_code.map(str::to_owned),
            name: match new_team {
                Some(_) => "Ana".to_owned(),
                // Names are unique in a team.
                None => format!("Ben {}", JOINED.fetch_add(1, Ordering::Relaxed)),
            },
        })
    }

    /// Joins as Ana, the captain of a new team.
    pub async fn join(&self, team: &str) -> Joined {
        self.send(&self.join_request(Some(team), None))
            .await
            .read(201)
    }

    /// Joins as Ben, a further player of a team.
    pub async fn join_team(&self, team_code: &str) -> Joined {
        self.send(&self.join_request(None, Some(team_code)))
            .await
            .read(201)
    }

    /// Adds a device to a player.
    pub async fn add_device(&self, token: &str) -> DeviceCreated {
        self.post("/devices", token, None).await.read(201)
    }

    /// Invites a game master with these scopes, as the organiser.
    pub async fn invite(&self, name: &str, scopes: &[Scope]) -> GameMasterInvited {
        let body = json!({ "name": name, "scopes": scopes });
        let path = "/game-masters";
        self.post(path, &self.game_master_token, Some(body))
            .await
            .read(201)
    }

    /// Revokes a device or a game master, by its path, as the organiser.
    pub async fn revoke(&self, path: &str) {
        let revoked = self.delete(path, &self.game_master_token).await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
    }

    /// The public standings.
    pub async fn standings(&self) -> Standings {
        self.get("/standings", "").await.read(200)
    }

    /// The public standings: name and score of each team.
    pub async fn scores(&self) -> Vec<(String, u32)> {
        let rows = self.standings().await.rows.into_iter();
        rows.map(|row| (row.name, row.score)).collect()
    }

    /// A raw socket, before any message.
    pub async fn socket(&self, codec: Codec) -> Socket {
        self.upgrade(codec, connect(self.address()).await).await
    }

    /// A raw socket whose receive buffer is as small as the system allows.
    pub async fn narrow_socket(&self, codec: Codec) -> Socket {
        self.upgrade(codec, connect_narrow(self.address(), 1).await)
            .await
    }

    /// Upgrades a connection to a raw socket.
    pub async fn upgrade<S>(&self, codec: Codec, stream: S) -> Socket<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let request = upgrade_request(&self.code, Some(codec.subprotocol()));
        let upgraded = Socket::upgrade_or_status(stream, request).await;
        upgraded.unwrap_or_else(|status| panic!("the upgrade was refused with {status}"))
    }

    /// Upgrades a connection with an additional header; returns the HTTP status if the server refuses.
    pub async fn try_upgrade<S>(
        &self,
        stream: S,
        header: Option<(&'static str, &str)>,
    ) -> Result<Socket<S>, u16>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let offered = Some(Codec::MessagePack.subprotocol());
        let mut request = upgrade_request(&self.code, offered);
        if let Some((name, value)) = header {
            let value = HeaderValue::from_str(value).expect("it is a header's value");
            request.headers_mut().insert(name, value);
        }
        Socket::upgrade_or_status(stream, request).await
    }

    /// Creates a team and attaches its captain.
    pub async fn team(&self, name: &str) -> TestClient {
        self.team_with(Codec::MessagePack, name).await
    }

    /// Creates a team and attaches its captain with this codec.
    pub async fn team_with(&self, codec: Codec, name: &str) -> TestClient {
        let joined = self.join(name).await;
        self.attach_with(codec, &joined.token).await
    }

    /// Joins a player's team and attaches.
    pub async fn teammate(&self, player: &TestClient) -> TestClient {
        self.teammate_with(Codec::MessagePack, player).await
    }

    /// Joins a player's team and attaches with this codec.
    pub async fn teammate_with(&self, codec: Codec, player: &TestClient) -> TestClient {
        let joined = self.join_team(player.team_code()).await;
        self.attach_with(codec, &joined.token).await
    }

    /// Attaches the organiser's console.
    pub async fn desk(&self) -> TestClient {
        self.attach(&self.game_master_token).await
    }

    /// Attaches with a valid token, over MessagePack.
    pub async fn attach(&self, token: &str) -> TestClient {
        self.attach_with(Codec::MessagePack, token).await
    }

    /// Attaches with a valid token, over this codec.
    pub async fn attach_with(&self, codec: Codec, token: &str) -> TestClient {
        self.attach_on(self.socket(codec).await, token).await
    }

    /// Attaches on a raw socket with a valid token.
    pub async fn attach_on<S>(&self, socket: Socket<S>, token: &str) -> TestClient<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let attached = TestClient::attach(self.clone(), socket, Some(token)).await;
        attached.unwrap_or_else(|ended| panic!("hello was refused: {ended:?}"))
    }

    /// Attaches a spectator; returns how the connection ended if the server refuses.
    pub async fn watch(&self, codec: Codec) -> Result<TestClient, Ended> {
        TestClient::attach(self.clone(), self.socket(codec).await, None).await
    }

    /// Connects with a token that the server must refuse; returns how the connection ended.
    pub async fn refused(&self, codec: Codec, token: &str) -> Ended {
        let socket = self.socket(codec).await;
        let attached = TestClient::attach(self.clone(), socket, Some(token)).await;
        attached.err().expect("hello is refused")
    }

    /// Asserts that a token is refused as unauthorized.
    pub async fn expect_unauthorized(&self, token: &str) {
        let ended = self.refused(Codec::MessagePack, token).await;
        ended.expect_code(CloseCode::Unauthorized);
    }

    /// The value of a counter or gauge, by its name and labels as in the metrics text.
    pub async fn metric(&self, name: &str) -> u64 {
        let metrics = Request::get("/metrics").send(self.address()).await.body;
        metric_in(&metrics, name).unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
    }

    /// Waits until a metric exists and its value satisfies the condition.
    pub async fn until_metric(&self, name: &str, fits: impl Fn(u64) -> bool) {
        let waiting = async {
            loop {
                let metrics = Request::get("/metrics").send(self.address()).await.body;
                if metric_in(&metrics, name).is_some_and(&fits) {
                    return;
                }
                sleep(POLL_EVERY).await;
            }
        };
        let waited = timeout(WAIT_MAX, waiting).await;
        waited.unwrap_or_else(|_| panic!("{name} does not get there"));
    }
}

fn request(method: &str, path: String, token: Option<&str>, body: Option<Value>) -> Request {
    let mut request = Request::new(method, path);
    if let Some(token) = token {
        request = request.bearer(token);
    }
    match body {
        Some(body) => request.json(&body),
        None => request,
    }
}

fn hunt_file() -> String {
    let puzzle = |number: usize| {
        format!(
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"Puzzle {number}\"\n\
             points = 1\nanswer = \"{ANSWER}\"\n"
        )
    };
    let puzzles: String = (0..PUZZLES).map(puzzle).collect();
    format!("[hunt]\ntitle = \"{TITLE}\"\n\n[round.only]\ntitle = \"Only\"\n{puzzles}")
}
