//! What an author writes, once it has been checked: a hunt that never changes.

use std::collections::BTreeMap;

use crate::ids::{DurationMs, PuzzleId, RoundId};
use crate::unlock::Unlock;

/// A published revision of a hunt. Values of this type are consistent: every id that is referred
/// to exists, every puzzle can be reached, and every answer is normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunt {
    /// Its title.
    pub title: String,
    /// How long a session runs before it finishes by itself; pauses do not count.
    pub duration: Option<DurationMs>,
    /// What ranks teams, first to last; teams that are equal in all of it share a rank.
    pub tie_break: Vec<TieBreak>,
    /// The rounds, in the order of the file.
    pub rounds: Vec<Round>,
    /// The puzzles, in the order of the file.
    pub puzzles: Vec<Puzzle>,
    /// Where a puzzle stands in `puzzles`.
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
    /// The round that it belongs to.
    pub round: RoundId,
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
    /// The points that a solve gains.
    pub points: u32,
    /// When a team that sees the round sees it.
    pub unlock: Unlock,
    /// Every normalised text that solves it: the answer and its aliases.
    pub answers: Vec<String>,
}

/// What ranks teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TieBreak {
    /// The higher score first.
    Score,
    /// Whoever gained its last points earlier first; a team without any comes last.
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
    /// The puzzle with this id.
    pub fn puzzle(&self, id: &str) -> Option<&Puzzle> {
        self.puzzle_index.get(id).map(|index| &self.puzzles[*index])
    }
}
