//! Checks that every round and puzzle can be unlocked.

use std::collections::BTreeSet;

use super::hunt_file::Unlockable;
use super::mistake::Mistakes;
use super::suggestion::listed;
use crate::definition::{Puzzle, Round};
use crate::ids::{PuzzleId, RoundId};
use crate::unlock::{Achievements, Unlock};

/// Adds a mistake for every condition that can never become true. Conditions are monotonic, so solving every
/// unlocked puzzle until nothing new unlocks reaches everything that any team can see.
pub(super) fn check(
    rounds: &[Unlockable<Round>],
    puzzles: &[Unlockable<Puzzle>],
    mistakes: &mut Mistakes<'_>,
) {
    let (score, solved) = everything_solvable(rounds, puzzles);
    let best = Achievements {
        score,
        solved: &solved,
    };
    let rounds = rounds.iter().map(|round| {
        let item = &round.item;
        ("round", item.id.as_str(), &item.unlock, &round.unlock_span)
    });
    let puzzles = puzzles.iter().map(|puzzle| {
        let item = &puzzle.item;
        (
            "puzzle",
            item.id.as_str(),
            &item.unlock,
            &puzzle.unlock_span,
        )
    });
    for (what, id, unlock, span) in rounds.chain(puzzles) {
        if !unlock.holds(&best) {
            let reason = unreachable_reason(unlock, &best);
            let message = format!("the {what} `{id}` can never be unlocked: {reason}");
            mistakes.add(span, message);
        }
    }
}

fn everything_solvable(
    rounds: &[Unlockable<Round>],
    puzzles: &[Unlockable<Puzzle>],
) -> (u32, BTreeSet<PuzzleId>) {
    let mut score = 0;
    let mut solved = BTreeSet::new();
    // Every iteration except the last solves a puzzle, which bounds the loop.
    loop {
        let so_far = Achievements {
            score,
            solved: &solved,
        };
        let is_open = |id: &RoundId| {
            let round = rounds.iter().find(|round| round.item.id == *id);
            // A missing round was already reported.
            round.is_none_or(|round| round.item.unlock.holds(&so_far))
        };
        let puzzles = puzzles.iter().map(|puzzle| &puzzle.item);
        let newly_solved: Vec<&Puzzle> = puzzles
            .filter(|puzzle| !solved.contains(&puzzle.id))
            .filter(|puzzle| puzzle.unlock.holds(&so_far) && is_open(&puzzle.round))
            .collect();
        if newly_solved.is_empty() {
            return (score, solved);
        }
        for puzzle in newly_solved {
            score += puzzle.points;
            solved.insert(puzzle.id.clone());
        }
    }
}

fn unreachable_reason(unlock: &Unlock, best: &Achievements<'_>) -> String {
    let mut unsolvable = BTreeSet::new();
    collect_unsolvable(unlock, best, &mut unsolvable);
    if unsolvable.is_empty() {
        format!("teams can score at most {} before it", best.score)
    } else {
        let unsolvable = listed(unsolvable.into_iter().map(PuzzleId::as_str));
        format!("teams cannot solve {unsolvable} before it")
    }
}

fn collect_unsolvable<'u>(
    unlock: &'u Unlock,
    best: &Achievements<'_>,
    unsolvable: &mut BTreeSet<&'u PuzzleId>,
) {
    match unlock {
        Unlock::Solved(puzzle) if !best.solved.contains(puzzle) => {
            unsolvable.insert(puzzle);
        }
        Unlock::AtStart | Unlock::Solved(_) | Unlock::Score(_) => {}
        Unlock::AtLeast { of, .. } => {
            for condition in of {
                collect_unsolvable(condition, best, unsolvable);
            }
        }
    }
}
