//! REST bodies of a game master's console: players, guesses, and what game masters did.

use serde::{Deserialize, Serialize};

use super::Cause;
use crate::console::PlayerSummary;
use crate::state::Verdict;

/// Players in the order of joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Players {
    /// The players.
    pub players: Vec<PlayerSummary>,
    /// The `after` of the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Judged guesses, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuessPage {
    /// The guesses. Fewer than asked for, or none, do not mean that there are no more.
    pub guesses: Vec<GuessRecord>,
    /// The `before` of the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// On the last page: whether older events are only in the server's archive.
    pub archived: bool,
}

/// A guess that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuessRecord {
    /// Its sequence number in the session's journal.
    pub seq: u64,
    /// When it was made.
    pub at_ms: u64,
    /// The team's id.
    pub team: String,
    /// The id of the player who made it.
    pub player: String,
    /// The puzzle's id.
    pub puzzle: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The points gained.
    pub points: u32,
    /// The guess as typed. Correct guesses have it only for a game master with the scope `answers`, and for an
    /// admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
}

/// What game masters and admins did, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Audit {
    /// The orders. Fewer than asked for, or none, do not mean that there are no more.
    pub orders: Vec<AuditedOrder>,
    /// The `before` of the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// On the last page: whether older events are only in the server's archive.
    pub archived: bool,
}

/// An order that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditedOrder {
    /// The sequence number of its first event in the session's journal.
    pub seq: u64,
    /// When it was accepted.
    pub at_ms: u64,
    /// `game_master` or `admin`.
    pub by: Cause,
    /// The game master's id; missing for an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// The game master's name; missing for an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind of the order.
    pub order: AuditedKind,
    /// What the order was about.
    #[serde(default, skip_serializing_if = "AuditedTarget::is_empty")]
    pub target: AuditedTarget,
    /// The reason in the words of who gave the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The ids that an order was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditedTarget {
    /// A team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// A player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
    /// A device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// A game master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// A clue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clue: Option<String>,
    /// An announcement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
}

impl AuditedTarget {
    /// Whether the order was about the session as a whole.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The kinds of orders of game masters and admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditedKind {
    /// Started the session.
    Start,
    /// Set the time at which the session starts by itself.
    ScheduleStart,
    /// Cancelled the scheduled start.
    CancelStart,
    /// Paused the session.
    Pause,
    /// Resumed the session.
    Resume,
    /// Moved the end of the session.
    MoveEnd,
    /// Finished the session.
    Finish,
    /// Took a finish back.
    Reopen,
    /// Pushed a clue.
    PushClue,
    /// Cancelled a clue.
    CancelClue,
    /// Made an announcement.
    Announce,
    /// Added a device for a player.
    RestorePlayer,
    /// Revoked a device.
    RevokeDevice,
    /// Renamed a team.
    RenameTeam,
    /// Renamed a player.
    RenamePlayer,
    /// Replaced the code of a team.
    RotateTeamCode,
    /// Added a game master.
    InviteGameMaster,
    /// Revoked a game master.
    RevokeGameMaster,
}
