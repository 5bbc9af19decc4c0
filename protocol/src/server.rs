//! The messages that servers send.
//!
//! Fields that end in `_in_ms` are durations in milliseconds, counted from the moment of receipt.

use serde::{Deserialize, Serialize};

use crate::client::OrderKind;
use crate::event::Update;
use crate::latest::{Attendance, Board, Presence, Standing};
use crate::rejection::Rejection;
use crate::state::{Heads, Overview, Scope, Snapshot, Verdict};

/// A message from a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Answers `hello`, `resync` and `watch`; a `snapshot` or the missed updates follow.
    Welcome(Welcome),
    /// The complete state that a player's device may see.
    Snapshot(Box<Snapshot>),
    /// The complete state that a game master may see.
    Overview(Box<Overview>),
    /// A numbered update.
    Update(Update),
    /// A command was accepted, and its effects are durable.
    Receipt(Receipt),
    /// A command was rejected and changed nothing.
    Rejection(Rejection),
    /// The newest numbers, by which a client detects a lost update.
    Heads(HeadsFrame),
    /// The server is about to close the connection.
    Goaway(GoAway),
    /// The public board. This and the following messages are unnumbered.
    Board(Box<Board>),
    /// The rank of the own team.
    Standing(Standing),
    /// The connected players of the own team.
    Presence(Presence),
    /// The numbers of connected clients, for game masters.
    Attendance(Attendance),
    /// A message of a later version; clients ignore it.
    #[serde(other)]
    Unknown,
}

/// Answers a `hello`, a `resync` or a `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// For a player: the device to which the token belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// For a player: the device's player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
    /// For a player: the player's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// For a game master: the owner of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// For a game master: the client instance. Commands are numbered for each instance separately; send it
    /// in the next `hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u32>,
    /// For a game master: the granted scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// Whether updates, a snapshot (for game masters an overview) or neither follow.
    pub resume: Resume,
    /// The stream's generation; see [`Cursor::generation`](crate::Cursor::generation).
    pub generation: u32,
    /// The newest numbers when the client attached. The following messages include at least the
    /// updates up to these.
    pub heads: Heads,
    /// The server's clock.
    pub server_time_ms: u64,
    /// The highest id of an accepted command of this device or client instance; 0 if there is none.
    pub last_command: u64,
    /// When to reconnect if this connection breaks without a `goaway`.
    pub reconnect: Reconnect,
}

/// How the stream continues after a `welcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// The missed updates follow, each once and in order.
    Replay,
    /// A `snapshot` follows and replaces the client's state.
    Snapshot,
    /// Neither follows: a spectator receives only the board.
    Board,
}

/// Advice on reconnecting after a connection that broke without a `goaway`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// The minimum of the random delay before the first attempt.
    pub min_in_ms: u64,
    /// The maximum of the random delay. Double both after each failed attempt, up to 10 s.
    pub max_in_ms: u64,
}

/// The newest numbers, and the current advice on reconnecting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadsFrame {
    /// The stream's generation.
    pub generation: u32,
    /// The newest numbers. All updates up to them were sent before this message.
    pub heads: Heads,
    /// The server's clock.
    pub server_time_ms: u64,
    /// When to reconnect if this connection breaks without a `goaway`.
    pub reconnect: Reconnect,
}

/// A command was accepted. Its effects are durable, and the updates that it caused in the device's
/// audiences were sent before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The command's id.
    pub id: u64,
    /// What the command asked for.
    #[serde(rename = "for")]
    pub order: OrderKind,
    /// For a guess: the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// For a guess: the points gained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// For `push_clue`: the clue's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clue: Option<String>,
    /// For `announce`: the announcement's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
}

/// The server is about to close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAway {
    /// The delay before reconnecting, which differs between clients.
    pub reconnect_in_ms: u64,
}
