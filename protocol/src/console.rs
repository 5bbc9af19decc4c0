//! Contents of a game master's console other than the teams: the hunt's puzzles, the players, and the progress of
//! every team on every puzzle.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A puzzle of the hunt, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PuzzleSummary {
    /// The puzzle's id.
    pub id: String,
    /// Its position among all puzzles of the hunt, from 0.
    pub index: u32,
    /// The id of the puzzle's round.
    pub round: String,
    /// Its title.
    pub title: String,
    /// The points for solving it.
    pub points: u32,
}

/// A player as game masters see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlayerSummary {
    /// The player's id.
    pub id: String,
    /// The player's name.
    pub name: String,
    /// The id of the player's team.
    pub team: String,
}

/// The progress of every team on every puzzle, a byte a cell: for each team one byte for each puzzle.
///
/// In JSON it is one string in Base64 (RFC 4648, section 4, with padding), in MessagePack one binary value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells(pub Vec<u8>);

/// The progress of a team on a puzzle, as a cell shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellProgress {
    /// The team does not see the puzzle.
    Locked,
    /// The team sees the puzzle and has made this many wrong guesses.
    Open {
        /// Number of wrong guesses. A cell encodes more than [`Cells::WRONG_MAX`] as that many.
        wrong: usize,
    },
    /// The team solved the puzzle.
    Solved {
        /// Whether it was the first to solve it.
        first: bool,
    },
}

impl Cells {
    /// A cell shows this many wrong guesses, or more.
    pub const WRONG_MAX: usize = 8;
    /// The bits of a cell that hold the progress.
    pub const PROGRESS_BITS: u8 = 0x0f;
    /// The bit of a cell that says that the team asked for a hint. Always 0 in this version.
    pub const HINT_ASKED: u8 = 0x10;

    /// The low four bits of a cell: 0 locked, 1 open, 2 to 9 that many wrong guesses less one, 14 solved,
    /// 15 first to solve.
    pub fn progress_bits(progress: CellProgress) -> u8 {
        match progress {
            CellProgress::Locked => 0,
            CellProgress::Open { wrong } => {
                1 + u8::try_from(wrong.min(Self::WRONG_MAX)).unwrap_or(0)
            }
            CellProgress::Solved { first: false } => 14,
            CellProgress::Solved { first: true } => 15,
        }
    }
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Cells {
    /// Accepts either form: a message is buffered before its fields are read, and the buffer does not know
    /// the codec.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellsVisitor)
    }
}

struct CellsVisitor;

impl Visitor<'_> for CellsVisitor {
    type Value = Cells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string in Base64, or bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cells, E> {
        let decoded = STANDARD.decode(text);
        decoded
            .map(Cells)
            .map_err(|_| E::custom("cells are not in Base64"))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Cells, E> {
        Ok(Cells(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Cells, E> {
        Ok(Cells(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{CellProgress, Cells};

    #[test]
    fn a_cell_counts_wrong_guesses_up_to_its_limit() {
        let bits = |wrong| Cells::progress_bits(CellProgress::Open { wrong });
        assert_eq!([0, 1, 2, 7, 8, 9, 1_000].map(bits), [1, 2, 3, 8, 9, 9, 9]);
        assert_eq!(Cells::progress_bits(CellProgress::Locked), 0);
        let solved = |first| Cells::progress_bits(CellProgress::Solved { first });
        assert_eq!([false, true].map(solved), [14, 15]);
    }
}
