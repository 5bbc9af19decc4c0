//! Parts of a session's state as clients see it: snapshots, and what they consist of.
//!
//! Identifiers of teams (`t3`), players (`p7`) and devices (`d3`) are opaque strings. Fields that end in
//! `_at_ms` are Unix times in milliseconds by the server's clock.

use serde::{Deserialize, Serialize};

use crate::console::{Cells, PlayerSummary, PuzzleSummary};

/// The complete state that a player's device may see, as of `heads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The snapshot includes every update up to these numbers.
    pub heads: Heads,
    /// The hunt's title.
    pub title: String,
    /// The session's phase.
    pub phase: Phase,
    /// When the session starts by itself, in the lobby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at_ms: Option<u64>,
    /// When the session finishes automatically, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// The session time left, in a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// In a pause: when it began. A finish ends it, as a resumption does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at_ms: Option<u64>,
    /// The device's team.
    pub team: Team,
    /// The rounds that the team can see, in the hunt's order.
    pub rounds: Vec<Round>,
    /// The puzzles that the team can see, in the hunt's order.
    pub puzzles: Vec<Puzzle>,
    /// The live clues of the device's audiences, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clues: Vec<Clue>,
    /// The announcements, oldest first; at most the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announcements: Vec<Announcement>,
}

/// The complete state that a game master may see, as of `heads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The snapshot includes every update up to these numbers.
    pub heads: Heads,
    /// The hunt's title.
    pub title: String,
    /// The session's phase.
    pub phase: Phase,
    /// When the session starts by itself, in the lobby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at_ms: Option<u64>,
    /// When the session finishes automatically, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// The session time left, in a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// In a pause: when it began. A finish ends it, as a resumption does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at_ms: Option<u64>,
    /// The hunt's rounds, in its order.
    pub rounds: Vec<Round>,
    /// The hunt's puzzles, in its order.
    pub puzzles: Vec<PuzzleSummary>,
    /// Every team, oldest first.
    pub teams: Vec<TeamSummary>,
    /// Every player, in the order of joining.
    pub players: Vec<PlayerSummary>,
    /// For each team in the order of `teams`, a byte for each puzzle in the order of `puzzles`.
    pub cells: Cells,
    /// Every live clue with its target, oldest first.
    pub clues: Vec<TargetedClue>,
    /// The announcements, oldest first; at most the last 100.
    pub announcements: Vec<Announcement>,
    /// The game masters, in the order of invitation.
    pub game_masters: Vec<GameMaster>,
}

/// The newest number of each audience, as in a [`Cursor`](crate::Cursor).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heads {
    /// The newest number of the updates to everyone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub everyone: u64,
    /// The newest number of the updates to the team.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub team: u64,
    /// The newest number of the updates to the player.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub player: u64,
    /// The newest number of the public updates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub public: u64,
    /// The newest number of the updates to game masters with the scope `view`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub view: u64,
    /// The newest number of the updates to game masters with the scope `hints`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hints: u64,
    /// The newest number of the updates to game masters with the scope `answers`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub answers: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde requires this signature"
)]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The phase of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Teams gather; nothing is visible yet.
    Lobby,
    /// Guesses are accepted.
    Running,
    /// Guesses are not accepted; the session's timer is stopped.
    Paused,
    /// The session is over.
    Finished,
}

/// A team as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// The team's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The code with which further players join it.
    pub code: String,
    /// Its score.
    pub score: u32,
    /// Its players.
    pub players: Vec<Member>,
}

/// A player, as the other members of the team see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The player's id.
    pub id: String,
    /// The player's name.
    pub name: String,
}

/// A team as game masters see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamSummary {
    /// The team's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// The number of puzzles that it has solved.
    pub solves: u32,
    /// The number of its players.
    pub players: u32,
    /// When it last made a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_guess_at_ms: Option<u64>,
}

/// A game master of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMaster {
    /// The game master's id.
    pub id: String,
    /// The game master's name.
    pub name: String,
    /// The granted scopes.
    pub scopes: Vec<Scope>,
    /// Whether the access was revoked.
    pub revoked: bool,
}

/// A permission of a game master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See every team, its guesses and its score.
    View,
    /// Push and cancel clues.
    Hints,
    /// Start, pause, resume and finish; announce; manage players, devices and game masters.
    Run,
    /// Export the journal, which contains the correct answers that teams submitted.
    Answers,
}

/// A round that a team can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round's id.
    pub id: String,
    /// Its position among all rounds of the hunt, from 0.
    pub index: u32,
    /// Its title.
    pub title: String,
}

/// A puzzle that a team can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Puzzle {
    /// The puzzle's id.
    pub id: String,
    /// Its position among all puzzles of the hunt, from 0.
    pub index: u32,
    /// The id of the puzzle's round.
    pub round: String,
    /// Its title.
    pub title: String,
    /// The path of its text as HTML, on the server of the session; none if it has no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The points for solving it.
    pub points: u32,
    /// When the team unlocked it.
    pub unlocked_at_ms: u64,
    /// When the team solved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solved_at_ms: Option<u64>,
    /// The team's guesses, oldest first; at most the last 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guesses: Vec<Guess>,
}

/// A guess that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the name is that of the wire field"
)]
pub struct Guess {
    /// The player who made it.
    pub player: String,
    /// The guess as typed.
    pub guess: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdict on a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It solves the puzzle.
    Correct,
    /// It does not solve the puzzle.
    Wrong,
}

/// A clue that a game master pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// The clue's id.
    pub id: String,
    /// The text.
    pub text: String,
    /// When the clue was pushed.
    pub pushed_at_ms: u64,
    /// When the clue expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
}

/// The recipients of a clue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// Everyone in the session.
    Everyone,
    /// A team.
    Team {
        /// The team's id.
        team: String,
    },
    /// A player.
    Player {
        /// The player's id.
        player: String,
    },
}

/// A clue with its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetedClue {
    /// The clue.
    pub clue: Clue,
    /// The recipients.
    pub to: Target,
}

/// A message to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The announcement's id.
    pub id: String,
    /// The text.
    pub text: String,
    /// When it was made.
    pub at_ms: u64,
}
