//! The rules of a hunt: pure, synchronous, deterministic.
//!
//! The driver's contract, for the loop that does the IO:
//!
//! 1. Call [`State::decide`] with a [`Command`] and the time. It does not change the state. It returns an
//!    [`Entry`] to append to the session's journal, the receipt of the same command if it was accepted
//!    before, or a [`Rejection`].
//! 2. Pass the entry's events to [`State::apply`] immediately, in order. It returns the numbers of each
//!    event in its audiences' streams. Then call [`State::record_receipt`].
//! 3. Release no output that depends on the entry before the journal contains it.
//! 4. Before each command, do the same with the entries of [`State::due_entry`] until it returns `None`.
//!    [`State::next_deadline`] returns the time of the next call.
//!
//! Replaying the journal's entries from [`State::new`] gives the same state; [`State::hash`] verifies it.
//!
//! Never uses tokio, clocks, randomness, IO, floating point, or an iteration order that differs between
//! runs. Randomness and time are data in a command.

#![forbid(unsafe_code)]
#![deny(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::iter_over_hash_type,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod apply;
mod command;
mod deadlines;
mod decide;
mod definition;
mod event;
mod guesses;
mod ids;
pub mod limits;
mod parse;
mod receipts;
mod rejection;
mod scoreboard;
mod state;
pub mod text;
mod unlock;

pub use apply::UpdateNumber;
pub use command::{Command, GameMasterOrder, Issuer, NewEnd, PlayerOrder, RegistrationOrder};
pub use decide::Decision;
pub use definition::{ContentHash, Hunt, Puzzle, Round, TieBreak};
pub use event::{Audience, Entry, Event, Origin, Scope, Target, Verdict};
pub use guesses::{Guesses, JudgedGuess};
pub use ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, DurationMs, Fingerprint, GameMasterId, InstanceId,
    InvalidId, NameId, NumberedCommand, PlayerId, PuzzleId, RoundId, TeamId, Timestamp,
    normalise_code,
};
pub use parse::{Bundle, Mistake, parse};
pub use receipts::Receipt;
pub use rejection::Rejection;
pub use scoreboard::RankedTeam;
pub use state::{
    Announcement, Clue, Device, GameMaster, Phase, Player, Progress, PuzzleProgress, State, Team,
};
pub use unlock::Unlock;
