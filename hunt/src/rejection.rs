//! Why a command was refused. A rejection changed nothing.

/// A player's or a game master's mistake, or bad luck; each with its own stable code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The session has not started.
    #[error("the session has not started; wait for the start")]
    NotStarted,
    /// The session is paused.
    #[error("the session is paused; wait until it goes on")]
    Paused,
    /// The session is over.
    #[error("the session is over")]
    Finished,
    /// The order does not fit the session's phase.
    #[error("the session is not in a phase in which this can be done")]
    WrongPhase,
    /// The team cannot see such a puzzle.
    #[error("your team has no such puzzle; look at the list of unlocked puzzles")]
    UnknownPuzzle,
    /// The puzzle is solved.
    #[error("your team has solved this puzzle already")]
    AlreadySolved,
    /// The guess was made before.
    #[error("your team has made this guess already")]
    AlreadyGuessed,
    /// The guess has no letters or digits.
    #[error("the guess has no letters or digits")]
    EmptyGuess,
    /// The guess is too long.
    #[error("the guess is longer than {max} characters", max = crate::limits::GUESS_CHARS_MAX)]
    GuessTooLong,
    /// The guesses on this puzzle are used up.
    #[error("your team has made {max} guesses on this puzzle, which is the limit", max = crate::limits::GUESSES_PER_PUZZLE_MAX)]
    TooManyGuesses,
    /// No team has this code.
    #[error("there is no such team; check its code, or its id")]
    UnknownTeam,
    /// The drawn team code is in use; draw another.
    #[error("this team code is in use")]
    TeamCodeTaken,
    /// The session takes no more teams.
    #[error("the session has {max} teams, which is the limit", max = crate::limits::TEAMS_MAX)]
    SessionFull,
    /// The team takes no more players.
    #[error("the team has {max} players, which is the limit", max = crate::limits::PLAYERS_PER_TEAM_MAX)]
    TeamFull,
    /// The player takes no more devices.
    #[error("the player has {max} devices, or has had too many; revoke one, or join anew", max = crate::limits::DEVICES_PER_PLAYER_MAX)]
    TooManyDevices,
    /// The session does not know the device.
    #[error("the session does not know this device; join again")]
    UnknownDevice,
    /// The command is older than the receipts that are kept.
    #[error("the command is older than the last {max} of its sender; its outcome is no longer known", max = crate::limits::RECEIPTS_PER_DEVICE_MAX)]
    StaleCommand,
    /// No such player.
    #[error("the session has no such player")]
    UnknownPlayer,
    /// Whoever asks was revoked.
    #[error("your access was revoked; ask your captain or a game master to let you in again")]
    Revoked,
    /// What is to be revoked was revoked before.
    #[error("it was revoked already")]
    AlreadyRevoked,
    /// The scope or role does not allow it.
    #[error("this is not yours to do")]
    Forbidden,
    /// The one-use link was used.
    #[error("this link was used already; make a new one")]
    LinkUsed,
    /// No such game master.
    #[error("the session has no such game master")]
    UnknownGameMaster,
    /// The session takes no more game masters.
    #[error("the session has had {max} game masters, which is the limit", max = crate::limits::GAME_MASTERS_MAX)]
    TooManyGameMasters,
    /// No live clue has this id.
    #[error("no live clue has this id")]
    UnknownClue,
    /// The session takes no more clues or announcements.
    #[error("the session has had as many clues or announcements as it may have")]
    TooManyTexts,
    /// The text is empty or too long.
    #[error("the text must have 1 to {max} characters, not only spaces and none that controls a terminal", max = crate::limits::TEXT_CHARS_MAX)]
    BadText,
    /// The clue would last for too short or too long.
    #[error("a clue lasts from {min} to {max} ms; leave the duration out for one that stays", min = crate::limits::CLUE_LASTS_MS_MIN, max = crate::limits::CLUE_LASTS_MS_MAX)]
    BadDuration,
}
