//! The wire protocol of Cluecast between clients and servers.
//!
//! Owns the WebSocket messages, the REST bodies, their codecs, the limits, and the rejection and close
//! codes. The written specification is `README.md` in this package; `golden/` contains vectors for every
//! message.
//!
//! Never contains the rules of a hunt, IO, or details of the server's implementation.

#![forbid(unsafe_code)]

mod client;
mod close;
mod codec;
mod console;
pub mod cost;
mod event;
mod latest;
pub mod limits;
#[cfg(feature = "openapi")]
mod openapi;
mod refusal;
mod rejection;
pub mod rest;
mod server;
mod state;

pub use client::{ClientMessage, Command, Cursor, Hello, Order, OrderKind, Resync, Watch};
pub use close::{Advice, CloseCode};
pub use codec::{Codec, DecodeError, FrameKind, decode_body};
pub use console::{CellProgress, Cells, PlayerSummary, PuzzleSummary};
pub use event::{Audience, Event, Update};
pub use latest::{
    Attendance, Board, BoardRow, PlayerPresence, Presence, Standing, TeamAttendance, WrongBase,
};
pub use refusal::{RefusalClass, Retry};
pub use rejection::{Rejection, RejectionCode};
pub use server::{GoAway, HeadsFrame, Receipt, Reconnect, Resume, ServerMessage, Welcome};
pub use state::{
    Announcement, Clue, GameMaster, Guess, Heads, Member, Overview, Phase, Puzzle, Round, Scope,
    Snapshot, Target, TargetedClue, Team, TeamSummary, Verdict,
};
