//! Rejections of commands and their stable codes.

use serde::{Deserialize, Serialize};

/// A command was rejected and changed nothing. If it is sent again, the server decides it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The command's id.
    pub id: u64,
    /// The stable reason.
    pub code: RejectionCode,
    /// The reason in English, with advice, to show to people.
    pub message: String,
    /// When a retry may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<u64>,
    /// For `stale_command`: the highest id of an accepted command of the same device or client instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_command: Option<u64>,
}

/// Why a command was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// The session has not started.
    NotStarted,
    /// The session is paused.
    Paused,
    /// The session has finished.
    Finished,
    /// The session's phase does not allow the order, for example a second `start`.
    WrongPhase,
    /// The team has not unlocked a puzzle with this id.
    UnknownPuzzle,
    /// The team has already solved the puzzle.
    AlreadySolved,
    /// The team has already made this guess.
    AlreadyGuessed,
    /// The guess contains no letters or digits.
    EmptyGuess,
    /// The guess is longer than [`GUESS_CHARS_MAX`](crate::limits::GUESS_CHARS_MAX).
    GuessTooLong,
    /// The team has used up its guesses on this puzzle.
    TooManyGuesses,
    /// No team has this code.
    UnknownTeam,
    /// A limit of the session or the team is reached.
    Full,
    /// The player has reached the limit of devices, at once or in total.
    TooManyDevices,
    /// There is no such player.
    UnknownPlayer,
    /// The session does not know the device.
    UnknownDevice,
    /// The requester's access was revoked.
    Revoked,
    /// The device or game master was already revoked.
    AlreadyRevoked,
    /// The role or its scopes do not allow the order.
    Forbidden,
    /// The one-time link was already used.
    LinkUsed,
    /// There is no such game master.
    UnknownGameMaster,
    /// No live clue has this id.
    UnknownClue,
    /// The text is empty, longer than [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX), or contains
    /// control characters.
    BadText,
    /// The duration is not within [`CLUE_LASTS_MS_MIN`](crate::limits::CLUE_LASTS_MS_MIN) and
    /// [`CLUE_LASTS_MS_MAX`](crate::limits::CLUE_LASTS_MS_MAX).
    BadDuration,
    /// The id is lower than all receipts that the server keeps; the outcome is no longer known.
    StaleCommand,
    /// The name, or one that looks the same, is taken.
    NameTaken,
    /// The id was used for another command.
    IdReused,
    /// A finish needs a confirmation.
    NeedsConfirmation,
    /// The finish is too long ago to be undone.
    TooLate,
    /// The time is in the past or too far ahead.
    BadTime,
    /// The connection sends faster than its rate limit.
    RateLimited,
    /// The server cannot accept the command now; it was not applied.
    Unavailable,
    /// The server failed while it processed this command and will not try it again.
    Refused,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}
