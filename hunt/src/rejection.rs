//! Reasons for rejecting a command. A rejected command changes nothing.

use crate::ids::CommandId;
use crate::text::TextError;

/// A user's mistake, or a conflict with an earlier command. Each variant has a stable code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The session has not started.
    #[error("the session has not started yet; wait until it starts")]
    NotStarted,
    /// The session is paused.
    #[error("the session is paused; wait until it resumes")]
    Paused,
    /// The session has finished.
    #[error("the session has finished")]
    Finished,
    /// The session's phase does not allow the order.
    #[error("the session's current phase does not allow this")]
    WrongPhase,
    /// The team has not unlocked a puzzle with this id.
    #[error("your team has not unlocked a puzzle with this id; check the list of unlocked puzzles")]
    UnknownPuzzle,
    /// The team has already solved the puzzle.
    #[error("your team has already solved this puzzle")]
    AlreadySolved,
    /// The team has already made this guess.
    #[error("your team has already made this guess")]
    AlreadyGuessed,
    /// The normalised guess is empty.
    #[error("the guess contains no letters or digits")]
    EmptyGuess,
    /// The guess is too long.
    #[error("the guess is longer than {max} characters", max = crate::limits::GUESS_CHARS_MAX)]
    GuessTooLong,
    /// The team has used up its guesses on this puzzle.
    #[error("your team has reached the limit of {max} guesses on this puzzle", max = crate::limits::GUESSES_PER_PUZZLE_MAX)]
    TooManyGuesses,
    /// No team has this code.
    #[error("there is no such team; check its code or id")]
    UnknownTeam,
    /// The session has reached its limit of teams.
    #[error("the session has reached its limit of {max} teams", max = crate::limits::TEAMS_MAX)]
    SessionFull,
    /// The team has reached its limit of players.
    #[error("the team has reached its limit of {max} players", max = crate::limits::PLAYERS_PER_TEAM_MAX)]
    TeamFull,
    /// The player has reached the limit of devices, at once or in total.
    #[error(
        "the player has reached the limit of {max} devices at once or {ever} in total; \
         revoke a device or join again as a new player",
        max = crate::limits::DEVICES_PER_PLAYER_MAX,
        ever = crate::limits::DEVICES_PER_PLAYER_EVER_MAX
    )]
    TooManyDevices,
    /// The session does not know the device.
    #[error("the session does not know this device; join again")]
    UnknownDevice,
    /// The command's id is lower than those of all receipts that are kept.
    #[error(
        "the command's id is lower than those of the last {max} accepted commands; \
         its outcome is no longer known",
        max = crate::limits::RECEIPTS_PER_DEVICE_MAX
    )]
    StaleCommand {
        /// The highest id of an accepted command of the same sender.
        last_command: Option<CommandId>,
    },
    /// The id belongs to another command.
    #[error("this id was used for another command; send this one with a new id")]
    IdReused,
    /// A finish must be confirmed.
    #[error("finishing ends the hunt for everyone; send it again with `confirm`: true")]
    NeedsConfirmation,
    /// The finish is too long ago to be undone.
    #[error("a finish can be undone only within {minutes} minutes", minutes = crate::limits::REOPEN_WITHIN_MS / 60_000)]
    TooLate,
    /// The time is in the past or too far ahead.
    #[error("the time must be in the future, and at most 366 days ahead")]
    BadTime,
    /// The session has no such player.
    #[error("the session has no such player")]
    UnknownPlayer,
    /// The requester's access was revoked.
    #[error("your access was revoked; ask your captain or a game master to restore it")]
    Revoked,
    /// The device or game master was already revoked.
    #[error("this access was already revoked")]
    AlreadyRevoked,
    /// The role or its scopes do not allow the order.
    #[error("your role or scopes do not allow this")]
    Forbidden,
    /// The one-time link was already used.
    #[error("this link was already used; create a new one")]
    LinkUsed,
    /// The session has no such game master.
    #[error("the session has no such game master")]
    UnknownGameMaster,
    /// The session has reached its limit of game masters.
    #[error("the session has reached its limit of {max} game masters, including revoked ones", max = crate::limits::GAME_MASTERS_MAX)]
    TooManyGameMasters,
    /// No live clue has this id.
    #[error("no live clue has this id")]
    UnknownClue,
    /// The session has reached its limit of clues or announcements.
    #[error("the session has reached its limit of clues or announcements")]
    TooManyTexts,
    /// The text cannot be shown.
    #[error("the text {0}")]
    BadText(TextError),
    /// The clue's duration is out of range.
    #[error(
        "a clue must last from {min} to {max} ms; leave the duration out for a clue that stays",
        min = crate::limits::CLUE_LASTS_MS_MIN,
        max = crate::limits::CLUE_LASTS_MS_MAX
    )]
    BadDuration,
}
