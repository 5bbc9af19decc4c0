//! Rules that tell when a team sees a round or a puzzle.

use std::collections::BTreeSet;

use crate::ids::PuzzleId;

/// A condition on what a team has done. Conditions are monotonic: once true they stay true,
/// because teams neither lose points nor solves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlock {
    /// From the start.
    AtStart,
    /// The team has solved this puzzle.
    Solved(PuzzleId),
    /// The team's score is at least this.
    Score(u32),
    /// At least `count` of the conditions hold.
    AtLeast {
        /// How many must hold.
        count: usize,
        /// The conditions.
        of: Vec<Unlock>,
    },
}

/// What a condition is judged by.
pub(crate) struct Achievements<'a> {
    pub(crate) score: u32,
    pub(crate) solved: &'a BTreeSet<PuzzleId>,
}

impl Unlock {
    /// Every one of the conditions holds.
    pub fn all(of: Vec<Self>) -> Self {
        Self::AtLeast {
            count: of.len(),
            of,
        }
    }

    /// One of the conditions holds.
    pub fn any(of: Vec<Self>) -> Self {
        Self::AtLeast { count: 1, of }
    }

    pub(crate) fn holds(&self, team: &Achievements<'_>) -> bool {
        match self {
            Self::AtStart => true,
            Self::Solved(puzzle) => team.solved.contains(puzzle),
            Self::Score(score) => team.score >= *score,
            Self::AtLeast { count, of } => {
                of.iter().filter(|condition| condition.holds(team)).count() >= *count
            }
        }
    }
}
