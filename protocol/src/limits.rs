//! Limits that the server enforces and clients can rely on.

/// Maximum length of a client message. A longer one closes the connection with
/// [`CloseCode::TooLarge`](crate::CloseCode::TooLarge).
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Maximum nesting depth of lists and maps in a message.
pub const MESSAGE_DEPTH_MAX: usize = 16;

/// Maximum time from the handshake to the arrival of `hello`.
pub const HELLO_WAIT_MS_MAX: u64 = 5_000;

/// Maximum length of a guess as typed, in Unicode scalar values.
pub const GUESS_CHARS_MAX: usize = 1_000;

/// Maximum length of a team's, player's or game master's name, in Unicode scalar values.
pub const NAME_CHARS_MAX: usize = 200;

/// Maximum length of a clue or announcement, in Unicode scalar values.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// Minimum duration of a clue.
pub const CLUE_LASTS_MS_MIN: u64 = 1_000;

/// Maximum duration of a clue: 30 days. A clue without a duration stays until it is cancelled.
pub const CLUE_LASTS_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Maximum number of unanswered commands of a device or game master. It equals the number of receipts that
/// the server keeps for each, so that every command can be repeated after a disconnect.
pub const COMMANDS_OUTSTANDING_MAX: usize = 256;

/// Refusals as `rate_limited` within a minute after which the next one closes the connection with
/// [`CloseCode::Overloaded`](crate::CloseCode::Overloaded).
pub const REFUSALS_PER_MINUTE_MAX: u32 = 1_000;

/// Maximum time between two `heads` messages on a connection.
pub const HEADS_EVERY_MS_MAX: u64 = 5_000;

/// Maximum length of a REST body, except an uploaded hunt. The longest text fits, even if every character
/// is escaped.
pub const REST_BODY_BYTES_MAX: usize = 32 * 1024;

/// Maximum length of an uploaded hunt with its texts; the upload requires an admin's token.
pub const HUNT_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Maximum number of rows in a page of guesses or of the audit, and of players.
pub const PAGE_ROWS_MAX: usize = 200;

const _: () = assert!(
    GUESS_CHARS_MAX * 4 < CLIENT_MESSAGE_BYTES_MAX,
    "the longest guess must fit into a message"
);
const _: () = assert!(
    TEXT_CHARS_MAX * 4 < CLIENT_MESSAGE_BYTES_MAX,
    "the longest clue must fit into a message"
);
const _: () = assert!(NAME_CHARS_MAX < GUESS_CHARS_MAX);
