//! The bounds of a session's state. What would go over one is refused, never dropped.

/// Teams of a session.
pub const TEAMS_MAX: usize = 20_000;

/// Players of a team.
pub const PLAYERS_PER_TEAM_MAX: usize = 100;

/// Devices of a player that are not revoked.
pub const DEVICES_PER_PLAYER_MAX: usize = 5;

/// Devices of a player, revoked or not, so that adding and revoking in turn comes to an end.
pub const DEVICES_PER_PLAYER_EVER_MAX: usize = 100;

/// One-use links of a player that are remembered as used: the newest. A link is good for far less
/// time than a person needs to make so many.
pub const LINKS_REMEMBERED_MAX: usize = 32;

/// Game masters of a session, revoked or not.
pub const GAME_MASTERS_MAX: usize = 100;

/// Clues of a session, live or not.
pub const CLUES_MAX: usize = 1_000;

/// Announcements of a session.
pub const ANNOUNCEMENTS_MAX: usize = 1_000;

/// Characters of a clue or an announcement.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// The least that a clue lasts, in milliseconds: one that is over as it is seen tells nobody anything.
pub const CLUE_LASTS_MS_MIN: u64 = 1_000;

/// The most that a clue lasts, in milliseconds: 30 days. One that is to stay has no end.
pub const CLUE_LASTS_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Receipts kept of a device, so many commands may be under way without a known outcome.
pub const RECEIPTS_PER_DEVICE_MAX: usize = 256;

/// Guesses of a team on one puzzle. The busiest team of a real hunt of 458 made 179.
pub const GUESSES_PER_PUZZLE_MAX: usize = 1_000;

/// Characters of a guess, as typed and as normalised.
pub const GUESS_CHARS_MAX: usize = 1_000;

/// Rounds of a hunt.
pub const ROUNDS_MAX: usize = 200;

/// Puzzles of a hunt.
pub const PUZZLES_MAX: usize = 1_000;

/// Characters of a round's or a puzzle's id.
pub const ID_CHARS_MAX: usize = 64;

/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;

/// Bytes of a puzzle's body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Aliases of an answer.
pub const ALIASES_MAX: usize = 100;

/// Points of a puzzle.
pub const POINTS_MAX: u32 = 100_000;

/// How long a session may run, in milliseconds: 366 days.
pub const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

const _: () = assert!(
    PUZZLES_MAX <= (u32::MAX / POINTS_MAX) as usize,
    "a score fits into a u32"
);

const _: () = assert!(CLUE_LASTS_MS_MIN < CLUE_LASTS_MS_MAX);

const _: () = assert!(DEVICES_PER_PLAYER_MAX <= DEVICES_PER_PLAYER_EVER_MAX);
