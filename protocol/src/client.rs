//! The messages that clients send.
//!
//! Unknown fields are rejected, so that the server never executes a request only partially.

use serde::{Deserialize, Deserializer, Serialize};

use crate::state::{Target, is_zero};

/// A message from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message of a player's or game master's connection.
    Hello(Hello),
    /// Requests a change; answered by a receipt or a rejection with the same id.
    Command(Command),
    /// Requests the updates after the cursor; answered by a `welcome`, as after `hello`.
    Resync(Resync),
    /// The first message of a spectator's connection, instead of `hello`.
    Watch(Watch),
}

/// Authenticates the connection and reports the last numbers seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The token of the device or game master.
    pub token: String,
    /// The last numbers seen; without it the answer is a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// For a game master: the client instance that an earlier `welcome` gave. Without it, or if the session
    /// does not keep it any more, the `welcome` gives a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u32>,
}

/// Requests the updates after a cursor on an open connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    /// The last numbers seen; without it the answer is a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// The last number seen of each audience, and the generation to which the numbers belong. An audience
/// that is left out counts as 0; those to which the client does not belong are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The stream's generation, from the last `welcome` or `heads`. If it differs from the server's,
    /// the server sends a snapshot.
    #[serde(default)]
    pub generation: u32,
    /// The last number seen of the updates to everyone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub everyone: u64,
    /// The last number seen of the updates to the team.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub team: u64,
    /// The last number seen of the updates to the player.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub player: u64,
    /// The last number seen of the public updates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub public: u64,
    /// The last number seen of the updates to game masters with the scope `view`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub view: u64,
    /// The last number seen of the updates to game masters with the scope `hints`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hints: u64,
    /// The last number seen of the updates to game masters with the scope `answers`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub answers: u64,
}

/// A command with an id. The server applies each id at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Increases by at least one with each new command of a device or game master. The same id means
    /// the same command.
    pub id: u64,
    /// What to do.
    #[serde(rename = "do")]
    pub order: Order,
}

/// The action of a command. Players submit guesses; every other order requires the given game-master
/// scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Submits a guess for a puzzle of the own team.
    SubmitGuess {
        /// The puzzle's id.
        puzzle: String,
        /// As typed, at most [`GUESS_CHARS_MAX`](crate::limits::GUESS_CHARS_MAX) characters.
        guess: String,
    },
    /// Pushes a clue (scope `hints`).
    PushClue {
        /// The recipients.
        #[serde(deserialize_with = "StrictTarget::deserialize")]
        to: Target,
        /// The text, at most [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX) characters.
        text: String,
        /// How long the clue stays live; without it, until it is cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts_ms: Option<u64>,
    },
    /// Cancels a live clue (scope `hints`).
    CancelClue {
        /// The clue's id.
        clue: String,
    },
    /// Sends an announcement to everyone (scope `run`).
    Announce {
        /// The text, at most [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX) characters.
        text: String,
    },
    /// Starts the session; guesses are accepted from then on (scope `run`).
    Start {
        /// When to start; without it, at once. A later `start` replaces a scheduled one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_ms: Option<u64>,
    },
    /// Cancels the scheduled start (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    CancelStart,
    /// Pauses the session: stops guesses and the session's timer (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Pause,
    /// Resumes the session after a pause (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Resume,
    /// Moves the end of a session that is running or paused (scope `run`). Without a field, the session does
    /// not finish by itself any more; with both, it is rejected as `bad_time`.
    MoveEnd {
        /// The time of the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
        /// The session time left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_ms: Option<u64>,
    },
    /// Finishes the session (scope `run`).
    Finish {
        /// Must be true: finishing ends the hunt for everyone.
        #[serde(default)]
        confirm: bool,
    },
    /// Takes a finish back within 15 minutes; the session is then paused (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Reopen,
}

/// What a command asks for: the `type` of its order, and the `for` of its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each names the order of the same name")]
pub enum OrderKind {
    SubmitGuess,
    PushClue,
    CancelClue,
    Announce,
    Start,
    CancelStart,
    Pause,
    Resume,
    MoveEnd,
    Finish,
    Reopen,
    /// An order of a later version.
    #[serde(other)]
    Unknown,
}

impl Order {
    /// The kind of the order.
    pub fn kind(&self) -> OrderKind {
        match self {
            Self::SubmitGuess { .. } => OrderKind::SubmitGuess,
            Self::PushClue { .. } => OrderKind::PushClue,
            Self::CancelClue { .. } => OrderKind::CancelClue,
            Self::Announce { .. } => OrderKind::Announce,
            Self::Start { .. } => OrderKind::Start,
            Self::CancelStart => OrderKind::CancelStart,
            Self::Pause => OrderKind::Pause,
            Self::Resume => OrderKind::Resume,
            Self::MoveEnd { .. } => OrderKind::MoveEnd,
            Self::Finish { .. } => OrderKind::Finish,
            Self::Reopen => OrderKind::Reopen,
        }
    }
}

/// Rejects fields other than the tag. Serde's `deny_unknown_fields` does not apply to unit
/// variants.
fn no_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoFields {}

    NoFields::deserialize(deserializer).map(|NoFields {}| ())
}

/// A [`Target`] in a client message, where unknown fields are rejected.
#[derive(Deserialize)]
#[serde(
    remote = "Target",
    tag = "type",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub(crate) enum StrictTarget {
    #[serde(deserialize_with = "no_fields")]
    Everyone,
    Team {
        team: String,
    },
    Player {
        player: String,
    },
}

/// Subscribes a spectator to the session's public board, without a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The last number seen of the public updates; without it, they begin with the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}
