//! Judges guesses, and decides what a solve unlocks.

use crate::command::PlayerOrder;
use crate::definition::Puzzle;
use crate::event::{Event, Verdict};
use crate::ids::{DeviceId, PlayerId, PuzzleId, RoundId, TeamId};
use crate::limits;
use crate::rejection::Rejection;
use crate::state::{Phase, State, Team};
use crate::text::{Forms, NORMALISER_VERSION};
use crate::unlock::Achievements;

impl State {
    pub(super) fn decide_player(
        &self,
        device: DeviceId,
        order: &PlayerOrder,
    ) -> Result<Vec<Event>, Rejection> {
        let device = self.active_device(device)?;
        match order {
            PlayerOrder::SubmitGuess { puzzle, guess } => {
                self.decide_guess(device.player, puzzle, guess)
            }
        }
    }

    fn decide_guess(
        &self,
        player: PlayerId,
        puzzle: &PuzzleId,
        typed: &str,
    ) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Lobby => return Err(Rejection::NotStarted),
            Phase::Paused => return Err(Rejection::Paused),
            Phase::Finished => return Err(Rejection::Finished),
            Phase::Running => {}
        }
        let team_id = self.player(player).ok_or(Rejection::UnknownDevice)?.team;
        let team = self.team(team_id).ok_or(Rejection::UnknownTeam)?;
        let forms = validate_guess(typed)?;
        let definition = self.guessable_puzzle(team, puzzle, &forms)?;
        let is_correct = definition
            .answers
            .iter()
            .any(|answer| answer.matches(&forms));
        let (verdict, points) = if is_correct {
            (Verdict::Correct, definition.points)
        } else {
            (Verdict::Wrong, 0)
        };
        let mut events = vec![Event::GuessJudged {
            team: team_id,
            player,
            puzzle: puzzle.clone(),
            guess: typed.to_owned(),
            normaliser: NORMALISER_VERSION,
            verdict,
            points,
        }];
        if verdict == Verdict::Correct {
            events.extend(self.unlocked_by_solve(team_id, team, definition));
        }
        Ok(events)
    }

    /// The puzzle's definition, if the team may submit this guess on it.
    fn guessable_puzzle(
        &self,
        team: &Team,
        id: &PuzzleId,
        guess: &Forms,
    ) -> Result<&Puzzle, Rejection> {
        let progress = team.puzzle(id.as_str()).ok_or(Rejection::UnknownPuzzle)?;
        let definition = self
            .hunt
            .puzzle(id.as_str())
            .ok_or(Rejection::UnknownPuzzle)?;
        if progress.solved_at.is_some() {
            return Err(Rejection::AlreadySolved);
        }
        if progress.guesses.contains(guess) {
            return Err(Rejection::AlreadyGuessed);
        }
        if progress.guesses.len() >= limits::GUESSES_PER_PUZZLE_MAX {
            return Err(Rejection::TooManyGuesses);
        }
        Ok(definition)
    }

    fn unlocked_by_solve(&self, id: TeamId, team: &Team, solved: &Puzzle) -> Option<Event> {
        let mut all_solved = team.solved.clone();
        all_solved.insert(solved.id.clone());
        let after = Achievements {
            score: team.score + solved.points,
            solved: &all_solved,
        };
        self.newly_unlocked(id, Some(team), &after)
    }

    /// What a team with these achievements unlocks beyond what it sees.
    pub(super) fn newly_unlocked(
        &self,
        id: TeamId,
        before: Option<&Team>,
        achievements: &Achievements<'_>,
    ) -> Option<Event> {
        let (rounds, puzzles) = self.newly_visible(before, achievements)?;
        Some(Event::Unlocked {
            team: id,
            rounds,
            puzzles,
        })
    }

    /// The rounds and puzzles, in the hunt's order, that these achievements unlock beyond those that a team
    /// sees; `None` if there are none.
    pub(super) fn newly_visible(
        &self,
        before: Option<&Team>,
        achievements: &Achievements<'_>,
    ) -> Option<(Vec<RoundId>, Vec<PuzzleId>)> {
        let sees_round = |round| before.is_some_and(|team| team.sees_round(round));
        let sees_puzzle =
            |puzzle: &PuzzleId| before.is_some_and(|team| team.puzzle(puzzle.as_str()).is_some());
        let mut rounds = Vec::new();
        let mut puzzles = Vec::new();
        for round in &self.hunt.rounds {
            if !sees_round(&round.id) && round.unlock.holds(achievements) {
                rounds.push(round.id.clone());
            }
        }
        for puzzle in &self.hunt.puzzles {
            let round_seen = sees_round(&puzzle.round) || rounds.contains(&puzzle.round);
            if round_seen && !sees_puzzle(&puzzle.id) && puzzle.unlock.holds(achievements) {
                puzzles.push(puzzle.id.clone());
            }
        }
        if rounds.is_empty() && puzzles.is_empty() {
            return None;
        }
        Some((rounds, puzzles))
    }
}

fn validate_guess(typed: &str) -> Result<Forms, Rejection> {
    if typed.chars().count() > limits::GUESS_CHARS_MAX {
        return Err(Rejection::GuessTooLong);
    }
    let forms = Forms::new(typed);
    if forms.is_empty() {
        return Err(Rejection::EmptyGuess);
    }
    if forms.plain().chars().count() > limits::GUESS_CHARS_MAX {
        return Err(Rejection::GuessTooLong);
    }
    Ok(forms)
}
