//! Conditions for unlocking rounds and puzzles.

use std::collections::BTreeSet;

use crate::ids::PuzzleId;

/// A condition on a team's progress. Conditions are monotonic: once true they stay true, because teams
/// never lose points or solves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlock {
    /// Always true.
    AtStart,
    /// The team has solved this puzzle.
    Solved(PuzzleId),
    /// The team's score is at least this.
    Score(u32),
    /// At least `count` of the conditions hold.
    AtLeast {
        /// The number of conditions that must hold.
        count: usize,
        /// The conditions.
        of: Vec<Unlock>,
    },
}

/// The progress of a team, for evaluating conditions.
pub(crate) struct Achievements<'a> {
    pub(crate) score: u32,
    pub(crate) solved: &'a BTreeSet<PuzzleId>,
}

impl Achievements<'static> {
    /// Those of a team that has done nothing yet.
    pub(crate) fn none() -> Self {
        static NOTHING: BTreeSet<PuzzleId> = BTreeSet::new();
        Self {
            score: 0,
            solved: &NOTHING,
        }
    }
}

impl Unlock {
    /// True if all of the conditions hold.
    pub fn all(of: Vec<Self>) -> Self {
        Self::AtLeast {
            count: of.len(),
            of,
        }
    }

    /// True if at least one of the conditions holds.
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
