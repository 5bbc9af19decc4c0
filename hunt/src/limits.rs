//! Limits of a hunt and of a session's state. A command that would exceed one is rejected.

/// Teams of a session.
pub const TEAMS_MAX: usize = 20_000;

/// Players of a team.
pub const PLAYERS_PER_TEAM_MAX: usize = 100;

/// Devices of a player that are not revoked.
pub const DEVICES_PER_PLAYER_MAX: usize = 5;

/// Devices of a player, including revoked ones. Bounds repeated adding and revoking.
pub const DEVICES_PER_PLAYER_EVER_MAX: usize = 100;

/// Used one-time links remembered for each player; the newest are kept. A link expires long before a person
/// can use that many.
pub const LINKS_REMEMBERED_MAX: usize = 32;

/// Game masters of a session, including revoked ones.
pub const GAME_MASTERS_MAX: usize = 100;

/// Client instances of a game master whose receipts are kept: the newest.
pub const INSTANCES_PER_GAME_MASTER_MAX: usize = 16;

/// Milliseconds after a finish within which it can be undone: 15 minutes.
pub const REOPEN_WITHIN_MS: u64 = 15 * 60 * 1_000;

/// Milliseconds by which a start may be scheduled ahead: 366 days.
pub const SCHEDULE_AHEAD_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

/// Clues of a session, including expired and cancelled ones.
pub const CLUES_MAX: usize = 1_000;

/// Announcements of a session.
pub const ANNOUNCEMENTS_MAX: usize = 1_000;

/// Characters of a clue or an announcement.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// Minimum duration of a clue in milliseconds. A shorter clue would disappear before it is read.
pub const CLUE_LASTS_MS_MIN: u64 = 1_000;

/// Maximum duration of a clue in milliseconds: 30 days. A clue without a duration stays until it is
/// cancelled.
pub const CLUE_LASTS_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Receipts kept for each device or game master. A client may have as many unanswered commands.
pub const RECEIPTS_PER_DEVICE_MAX: usize = 256;

/// Guesses of a team on one puzzle. In a real hunt with 458 teams, the maximum was 179.
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

/// Bytes of a puzzle's text.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Aliases of an answer.
pub const ALIASES_MAX: usize = 100;

/// Points of a puzzle.
pub const POINTS_MAX: u32 = 100_000;

/// Maximum duration of a session in milliseconds: 366 days.
pub const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

const _: () = assert!(
    PUZZLES_MAX <= (u32::MAX / POINTS_MAX) as usize,
    "a score fits into a u32"
);

const _: () = assert!(CLUE_LASTS_MS_MIN < CLUE_LASTS_MS_MAX);

const _: () = assert!(DEVICES_PER_PLAYER_MAX <= DEVICES_PER_PLAYER_EVER_MAX);
