//! A hunt as its author wrote it, after validation. It never changes.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::ids::{DurationMs, PuzzleId, RoundId};
use crate::text::Forms;
use crate::unlock::Unlock;

/// A revision of a hunt. Values of this type are consistent: every referenced id exists, every puzzle
/// can be unlocked, and every answer is normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunt {
    /// Its title.
    pub title: String,
    /// How long a session runs before it finishes automatically; pauses do not count.
    pub duration: Option<DurationMs>,
    /// The ranking criteria, most important first. Teams that are equal in all of them share a rank.
    pub tie_break: Vec<TieBreak>,
    /// The rounds, in the order of the file.
    pub rounds: Vec<Round>,
    /// The puzzles, in the order of the file.
    pub puzzles: Vec<Puzzle>,
    /// The index of each puzzle in `puzzles`.
    pub(crate) puzzle_index: BTreeMap<PuzzleId, usize>,
}

/// A group of puzzles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Its id.
    pub id: RoundId,
    /// Its title.
    pub title: String,
    /// When a team sees it.
    pub unlock: Unlock,
}

/// A thing to solve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puzzle {
    /// Its id.
    pub id: PuzzleId,
    /// The round to which it belongs.
    pub round: RoundId,
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
    /// The hash of the text; none if it is blank.
    pub content: Option<ContentHash>,
    /// The points for a solve.
    pub points: u32,
    /// When a team that sees the round sees it.
    pub unlock: Unlock,
    /// The answer and its aliases, normalised.
    pub answers: Vec<Forms>,
}

/// The identity of a puzzle's text: the SHA-256 of its Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of a text; none if it is blank.
    pub fn of_text(markdown: &str) -> Option<Self> {
        let is_blank = markdown.trim().is_empty();
        (!is_blank).then(|| Self(Sha256::digest(markdown).into()))
    }
}

/// A criterion for ranking teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TieBreak {
    /// Higher score first.
    Score,
    /// The team that gained its last points earlier first; a team without points comes last.
    LastScored,
}

impl TieBreak {
    /// The name in hunt files and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::LastScored => "last_scored",
        }
    }
}

impl Hunt {
    /// The position of a puzzle among all puzzles, from 0.
    pub fn puzzle_position(&self, id: &str) -> Option<usize> {
        self.puzzle_index.get(id).copied()
    }

    /// The puzzle with this id.
    pub fn puzzle(&self, id: &str) -> Option<&Puzzle> {
        self.puzzle_index.get(id).map(|index| &self.puzzles[*index])
    }
}
