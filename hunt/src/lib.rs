//! The rules of a hunt: pure, synchronous, deterministic.
//!
//! The driver's contract, as a loop that does the IO would follow it:
//!
//! 1. Give [`State::decide`] a [`Command`] and the time. It changes nothing; it answers with an
//!    [`Entry`] that may be appended to the session's journal, with the receipt of the same command
//!    accepted before, or with a [`Rejection`].
//! 2. Give the entry's events to [`State::apply`] one after the other, at once. It tells for each the
//!    numbers that the event has in its audiences' streams.
//! 3. Let nothing of it out before the journal holds the entry.
//! 4. Before any command of an instant, do the same with what [`State::due`] gives, until it gives
//!    nothing; [`State::next_deadline`] tells when to look again.
//!
//! Folding the journal's entries over [`State::new`] gives the same state again;
//! [`State::hash`] proves it.
//!
//! Never here: tokio, clocks, randomness, IO, floating point, or an order that differs from run to
//! run. Randomness and time are data in a command.

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
mod decide;
mod definition;
mod event;
mod guesses;
mod ids;
pub mod limits;
mod normalise;
mod parse;
mod receipts;
mod rejection;
mod scoreboard;
mod state;
pub mod text;
mod unlock;

pub use apply::Stamp;
pub use command::{By, Command, DeskOrder, GameMasterOrder, PlayerOrder};
pub use decide::Decision;
pub use definition::{Hunt, Puzzle, Round, TieBreak};
pub use event::{Audience, Entry, Event, Origin, Scope, Target, Verdict};
pub use guesses::{GuessMade, Guesses};
pub use ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, DurationMs, GameMasterId, InvalidId, NameId,
    PlayerId, PuzzleId, RoundId, TeamCode, TeamId, Timestamp, plain_code,
};
pub use normalise::normalise;
pub use parse::{Bundle, Mistake, parse};
pub use receipts::Receipt;
pub use rejection::Rejection;
pub use scoreboard::Place;
pub use state::{
    Announcement, Clue, Device, GameMaster, Phase, Player, Progress, PuzzleProgress, State, Team,
};
pub use unlock::Unlock;
