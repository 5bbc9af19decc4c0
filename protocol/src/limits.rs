//! Limits that a client may rely on and that a server enforces. Sizes are in bytes, times in
//! milliseconds, unless the name says otherwise.

/// The largest message a client may send. A longer one is closed with
/// [`CloseCode::TooLarge`](crate::CloseCode::TooLarge).
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// The deepest nesting of arrays and maps in a message.
pub const MESSAGE_DEPTH_MAX: usize = 16;

/// How long a new connection may take until its `hello` has arrived.
pub const HELLO_WAIT_MS_MAX: u64 = 5_000;

/// The longest guess, counted in Unicode scalar values as it was typed.
pub const GUESS_CHARS_MAX: usize = 1_000;

/// The longest name of a team or a player, counted in Unicode scalar values.
pub const NAME_CHARS_MAX: usize = 64;

/// The longest clue or announcement, counted in Unicode scalar values.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// The least that a clue may last.
pub const CLUE_LASTS_MS_MIN: u64 = 1_000;

/// The most that a clue may last: 30 days. One that is to stay has no end.
pub const CLUE_LASTS_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// How many commands a device may have sent whose outcome it does not know yet. It equals the
/// number of receipts kept for a device, so that each of them can be sent again after a cut.
pub const COMMANDS_OUTSTANDING_MAX: usize = 256;

/// The longest time between two `heads` frames on an idle connection.
pub const HEADS_EVERY_MS_MAX: u64 = 5_000;

/// The largest REST body, but for an uploaded hunt's. The longest text fits, however it is escaped.
pub const REST_BODY_BYTES_MAX: usize = 32 * 1024;

/// The largest REST body of all: a hunt with its texts, which takes an admin's token.
pub const HUNT_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

const _: () = assert!(
    GUESS_CHARS_MAX * 4 < CLIENT_MESSAGE_BYTES_MAX,
    "the longest guess must fit into a message"
);
const _: () = assert!(
    TEXT_CHARS_MAX * 4 < CLIENT_MESSAGE_BYTES_MAX,
    "the longest clue must fit into a message"
);
const _: () = assert!(NAME_CHARS_MAX < GUESS_CHARS_MAX);
