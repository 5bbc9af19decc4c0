//! What carries no number: of each kind only the latest counts.
//!
//! A newer one takes the place of one that waits, and is encoded once for all who get it. What is
//! sent as a change is a change of what was sent last on the same connection: a connection's reader
//! says so when it takes a frame, so that nothing which was replaced while it waited is built upon.

mod attendance;
mod board;
mod bulletin;
mod versions;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

use crate::telemetry::metrics;

pub(super) use attendance::Connected;
pub(super) use bulletin::{Bulletin, Scores};
pub(super) use versions::Versioned;

/// Something that waits in a connection's outbox until a newer one of its kind replaces it.
#[derive(Debug, Clone)]
pub(super) enum Latest {
    /// The first places of the scoreboard.
    Board(Arc<Versioned<board::Places>>),
    /// Where a team stands.
    Standing(Arc<Shared>),
    /// Who of a team is connected.
    Presence(Arc<Shared>),
    /// How many are connected.
    Attendance(Arc<Versioned<Connected>>),
}

/// How many kinds there are.
pub(super) const KINDS: usize = 4;

/// The versions that were sent last on a connection since its last `welcome`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    board: Option<u64>,
    attendance: Option<u64>,
}

impl Latest {
    /// Its kind's place, below [`KINDS`].
    pub(super) fn place(&self) -> usize {
        match self {
            Self::Board(_) => 0,
            Self::Standing(_) => 1,
            Self::Presence(_) => 2,
            Self::Attendance(_) => 3,
        }
    }

    /// The frame to send next on a connection, and notes it as sent; none if the connection has
    /// this very version.
    pub(super) fn frame(&self, codec: Codec, sent: &mut Sent) -> Option<Bytes> {
        match self {
            Self::Board(board) => board.frame(codec, &mut sent.board),
            Self::Attendance(attendance) => attendance.frame(codec, &mut sent.attendance),
            Self::Standing(shared) | Self::Presence(shared) => Some(shared.frame(codec)),
        }
    }
}

/// A message without versions.
#[derive(Debug)]
pub(super) struct Shared {
    message: ServerMessage,
    encoded: Encoded,
}

impl Shared {
    fn new(message: ServerMessage) -> Arc<Self> {
        Arc::new(Self {
            message,
            encoded: Encoded::default(),
        })
    }

    fn frame(&self, codec: Codec) -> Bytes {
        self.encoded.get(codec, |codec| codec.encode(&self.message))
    }
}

/// A frame in each codec that somebody has asked for. The first one to ask encodes it, in its own
/// task, and not the session's actor.
#[derive(Debug, Default)]
struct Encoded {
    message_pack: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Encoded {
    fn get(&self, codec: Codec, encode: impl FnOnce(Codec) -> Vec<u8>) -> Bytes {
        let frame = match codec {
            Codec::MessagePack => &self.message_pack,
            Codec::Json => &self.json,
        };
        let encode = || {
            metrics().latest_encoded.increment(1);
            encode(codec).into()
        };
        frame.get_or_init(encode).clone()
    }
}

#[cfg(test)]
pub(super) mod examples {
    //! Things that are latest, for tests.

    use std::sync::Arc;

    use protocol::{ServerMessage, Standing};

    use super::board::Places;
    use super::{Latest, Shared, Versioned};

    pub(in crate::delivery) fn standing(rank: u32) -> Latest {
        Latest::Standing(Shared::new(ServerMessage::Standing(Standing {
            rank,
            score: 0,
            solves: 0,
        })))
    }

    /// Boards of two rows, of which each next one differs from all before it in the second.
    #[derive(Default)]
    pub(in crate::delivery) struct Boards(Option<Arc<Versioned<Places>>>);

    impl Boards {
        pub(in crate::delivery) fn next(&mut self) -> Latest {
            let score = self.0.as_ref().map_or(1, |last| last.version() + 1);
            let score = u32::try_from(score).expect("few boards are made");
            let places = Places::of_scores(&[1_000, score]);
            let board = Versioned::after(self.0.as_deref(), places);
            self.0 = Some(board.clone());
            Latest::Board(board)
        }
    }
}
