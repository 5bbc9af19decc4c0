//! The wire contract of Cluecast: what clients and servers say to each other.
//!
//! Owns the WebSocket messages, the REST bodies, their codecs, the limits that both sides rely on,
//! and the rejection and close codes. The written specification is `README.md` beside this crate;
//! `golden/` holds one vector for each message.
//!
//! Never here: rules of a hunt, IO, or anything about how the server is built.

#![forbid(unsafe_code)]

mod close;
mod codec;
pub mod cost;
mod latest;
pub mod limits;
mod message;
#[cfg(feature = "openapi")]
mod openapi;
pub mod rest;

pub use close::{Advice, CloseCode};
pub use codec::{Codec, DecodeError, FrameKind, decode_body};
pub use latest::{
    Attendance, Board, BoardRow, PlayerPresence, Presence, Standing, TeamAttendance, Watch,
    WrongBase,
};
pub use message::{
    Announcement, Audience, ClientMessage, Clue, Command, Cursor, Event, GameMaster, GoAway, Guess,
    Heads, HeadsFrame, Hello, Member, Order, Overview, Phase, Puzzle, Receipt, Reconnect,
    Rejection, RejectionCode, Resume, Resync, Round, Scope, ServerMessage, Snapshot, Target,
    TargetedClue, Team, TeamSummary, Update, Verdict, Welcome,
};
