//! The hunt played under faults, and each player's guesses: they follow from the numbers of player and
//! guess, so that the origin of any guess is known.

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::Verdict;
use protocol::rest::CreateHunt;

/// Players per team.
pub(super) const TEAM_SIZE: u32 = 2;

/// The rules allow 1,000 guesses per puzzle and team; each player uses its part of them.
const GUESSES_PER_WELL: u32 = 1_000 / TEAM_SIZE;

/// Puzzles that are never solved.
const WELLS: u32 = 20;

/// Puzzles that are solved once by each team.
const PRIZES: u32 = 40;

/// A player solves a prize puzzle once in this many guesses, while there are any.
const SOLVE_EVERY: u32 = 16;

/// Maximum number of guesses of one player.
pub(super) const GUESSES_MAX: u32 = WELLS * GUESSES_PER_WELL;

/// A player's guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) puzzle: String,
    pub(super) guess: String,
    pub(super) verdict: Verdict,
}

/// The guess with this number, counted from 0, of the player with this index in its team. `player`
/// distinguishes the players of a team.
pub(super) fn planned(player: u32, index: u32, number: u32) -> Planned {
    let prize = index + TEAM_SIZE * (number / SOLVE_EVERY);
    if number % SOLVE_EVERY == SOLVE_EVERY - 1 && prize < PRIZES {
        return Planned {
            puzzle: format!("prize-{prize}"),
            guess: format!("PRIZE{prize}"),
            verdict: Verdict::Correct,
        };
    }
    Planned {
        puzzle: format!("well-{}", (number / GUESSES_PER_WELL) % WELLS),
        guess: format!("P{player}N{number}"),
        verdict: Verdict::Wrong,
    }
}

/// The hunt with all of these puzzles, unlocked from the start.
pub(super) fn hunt() -> CreateHunt {
    let mut text = "[hunt]\ntitle = \"Chaos\"\n\n[round.all]\ntitle = \"All\"\n".to_owned();
    let mut puzzle = |id: String, answer: String| {
        let _ = write!(
            text,
            "\n[puzzle.{id}]\nround = \"all\"\ntitle = \"{id}\"\npoints = 1\nanswer = \"{answer}\"\n"
        );
    };
    for well in 0..WELLS {
        puzzle(format!("well-{well}"), "NEVERFOUND".to_owned());
    }
    for prize in 0..PRIZES {
        puzzle(format!("prize-{prize}"), format!("PRIZE{prize}"));
    }
    CreateHunt {
        files: BTreeMap::from([("hunt.toml".to_owned(), text)]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use protocol::Verdict;

    use super::{GUESSES_MAX, TEAM_SIZE, hunt, planned};

    #[test]
    fn a_team_never_guesses_the_same_twice_nor_too_much() {
        let mut made = HashSet::new();
        let mut of_puzzle: HashMap<String, u32> = HashMap::new();
        let mut solved = HashSet::new();
        for index in 0..TEAM_SIZE {
            for number in 0..GUESSES_MAX {
                let planned = planned(index, index, number);
                *of_puzzle.entry(planned.puzzle.clone()).or_default() += 1;
                if planned.verdict == Verdict::Correct {
                    assert!(solved.insert(planned.puzzle.clone()), "{planned:?}");
                }
                assert!(made.insert((planned.puzzle, planned.guess)));
            }
        }
        assert!(of_puzzle.values().all(|guesses| *guesses <= 1_000));
        assert!(solved.len() > 10, "{}", solved.len());
        let text = &hunt().files["hunt.toml"];
        for puzzle in of_puzzle.keys() {
            assert!(text.contains(&format!("[puzzle.{puzzle}]")), "{puzzle}");
        }
    }
}
