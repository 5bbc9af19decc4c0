//! Latest values: unnumbered messages of which only the newest of each kind counts.
//!
//! A newer value replaces a queued one, and is encoded once for all its receivers. A value that is sent
//! as a change builds on the version that was sent last on the same connection. The connection's reader
//! records that version when it takes a frame, so that a value that was replaced in the queue is never
//! the base of a change.

mod attendance;
mod board;
mod coalescer;
mod encoded;
mod versions;

use std::sync::Arc;

use bytes::Bytes;
use protocol::Codec;

use super::render::BoardContent;
use attendance::AttendanceContent;
pub(super) use coalescer::{Coalescer, Scores};
use encoded::LazyMessage;
use versions::Versioned;

/// A latest value. It waits in a connection's outbox until it is sent or a newer one of its kind
/// replaces it.
#[derive(Debug, Clone)]
pub(super) enum Latest {
    /// The public board.
    Board(Arc<Versioned<BoardContent>>),
    /// The standing of a team.
    Standing(Arc<LazyMessage>),
    /// The connected players of a team.
    Presence(Arc<LazyMessage>),
    /// The numbers of connections.
    Attendance(Arc<Versioned<AttendanceContent>>),
}

/// The number of kinds.
pub(super) const KINDS: usize = 4;

/// The versions that were sent last on a connection since its last `welcome`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SentVersions {
    board: Option<u64>,
    attendance: Option<u64>,
}

impl Latest {
    /// The slot of its kind, below [`KINDS`].
    pub(super) fn slot(&self) -> usize {
        match self {
            Self::Board(_) => 0,
            Self::Standing(_) => 1,
            Self::Presence(_) => 2,
            Self::Attendance(_) => 3,
        }
    }

    /// The frame to send next on a connection, which it records as sent; none if the connection has
    /// this version already.
    pub(super) fn frame(&self, codec: Codec, sent: &mut SentVersions) -> Option<Bytes> {
        match self {
            Self::Board(board) => board.frame(codec, &mut sent.board),
            Self::Attendance(attendance) => attendance.frame(codec, &mut sent.attendance),
            Self::Standing(message) | Self::Presence(message) => Some(message.frame(codec)),
        }
    }
}

#[cfg(test)]
pub(super) mod examples {
    //! Latest values for tests.

    use std::sync::Arc;

    use protocol::{ServerMessage, Standing};

    use super::board::board_with_scores;
    use super::{BoardContent, Latest, LazyMessage, Versioned};

    pub(in crate::delivery) fn standing(rank: u32) -> Latest {
        Latest::Standing(LazyMessage::new(ServerMessage::Standing(Standing {
            rank,
            score: 0,
            solves: 0,
        })))
    }

    /// Boards of two rows. Each differs from all earlier ones in the second row.
    #[derive(Default)]
    pub(in crate::delivery) struct Boards(Option<Arc<Versioned<BoardContent>>>);

    impl Boards {
        pub(in crate::delivery) fn next(&mut self) -> Latest {
            let score = self.0.as_ref().map_or(1, |last| last.version() + 1);
            let score = u32::try_from(score).expect("few boards are made");
            let content = board_with_scores(&[1_000, score]);
            let board = Versioned::after(self.0.as_deref(), content);
            self.0 = Some(board.clone());
            Latest::Board(board)
        }
    }
}
