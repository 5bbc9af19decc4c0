//! View of a device, built from its snapshot and updates like a player's page.

use std::collections::{BTreeMap, HashMap};

use protocol::{Announcement, Clue, Event, Guess, Overview, Phase, Snapshot, Verdict};

/// Maximum number of guesses per puzzle in a snapshot; older ones are kept from before.
const SNAPSHOT_GUESSES_MAX: usize = 200;

/// The state that a device knows.
#[derive(Debug, Clone, Default)]
pub struct View {
    phase: Option<Phase>,
    score: u32,
    puzzles: HashMap<String, HashMap<String, Verdict>>,
    clues: BTreeMap<String, Clue>,
    announcements: BTreeMap<String, Announcement>,
}

impl View {
    /// The session's phase; none before the first snapshot.
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// The team's score.
    pub fn score(&self) -> u32 {
        self.score
    }

    /// How many puzzles the team can see.
    pub fn puzzles_visible(&self) -> usize {
        self.puzzles.len()
    }

    /// Whether the team can see this puzzle.
    pub fn sees(&self, puzzle: &str) -> bool {
        self.puzzles.contains_key(puzzle)
    }

    /// The verdict on a guess of the team, spelled as the server normalised it.
    pub fn verdict(&self, puzzle: &str, guess: &str) -> Option<Verdict> {
        self.puzzles.get(puzzle)?.get(guess).copied()
    }

    /// Every known guess of the team: puzzle, guess and verdict.
    pub fn guesses(&self) -> impl Iterator<Item = (&str, &str, Verdict)> {
        let puzzles = self.puzzles.iter();
        puzzles.flat_map(|(puzzle, guesses)| {
            let guesses = guesses.iter();
            guesses.map(|(guess, verdict)| (puzzle.as_str(), guess.as_str(), *verdict))
        })
    }

    /// Live clues by id.
    pub fn clues(&self) -> &BTreeMap<String, Clue> {
        &self.clues
    }

    /// Announcements by id.
    pub fn announcements(&self) -> &BTreeMap<String, Announcement> {
        &self.announcements
    }

    /// Replaces the view by a snapshot.
    pub fn replace(&mut self, snapshot: &Snapshot) {
        self.phase = Some(snapshot.phase);
        self.score = snapshot.team.score;
        self.replace_messages(snapshot.clues.iter().cloned(), &snapshot.announcements);
        let mut before = std::mem::take(&mut self.puzzles);
        for puzzle in &snapshot.puzzles {
            let mut known = before.remove(&puzzle.id).unwrap_or_default();
            if puzzle.guesses.len() < SNAPSHOT_GUESSES_MAX {
                known.clear();
            }
            known.extend(puzzle.guesses.iter().map(judged));
            self.puzzles.insert(puzzle.id.clone(), known);
        }
    }

    /// Replaces the view by a game master's overview.
    pub fn replace_by_overview(&mut self, overview: &Overview) {
        self.phase = Some(overview.phase);
        let clues = overview.clues.iter().map(|targeted| targeted.clue.clone());
        self.replace_messages(clues, &overview.announcements);
    }

    fn replace_messages(
        &mut self,
        clues: impl Iterator<Item = Clue>,
        announcements: &[Announcement],
    ) {
        self.clues = clues.map(|clue| (clue.id.clone(), clue)).collect();
        let announcements = announcements.iter().cloned();
        self.announcements = announcements
            .map(|received| (received.id.clone(), received))
            .collect();
    }

    /// Applies the next update's event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::SessionStarted { .. } | Event::SessionResumed { .. } => {
                self.phase = Some(Phase::Running);
            }
            Event::SessionPaused { .. } | Event::SessionReopened { .. } => {
                self.phase = Some(Phase::Paused);
            }
            Event::SessionFinished => self.phase = Some(Phase::Finished),
            Event::Unlocked { puzzles, .. } => {
                for puzzle in puzzles {
                    let guesses = puzzle.guesses.iter().map(judged).collect();
                    self.puzzles.insert(puzzle.id.clone(), guesses);
                }
            }
            Event::GuessJudged {
                puzzle,
                guess,
                verdict,
                score,
                ..
            } => {
                self.score = *score;
                let guesses = self.puzzles.entry(puzzle.clone()).or_default();
                guesses.extend(guess.clone().map(|guess| (guess, *verdict)));
            }
            Event::CluePushed { clue, .. } => {
                self.clues.insert(clue.id.clone(), clue.clone());
            }
            Event::ClueCancelled { clue } | Event::ClueExpired { clue } => {
                self.clues.remove(clue);
            }
            Event::Announced { announcement } => {
                let received = announcement.clone();
                self.announcements.insert(received.id.clone(), received);
            }
            Event::PlayerJoined { .. }
            | Event::StartScheduled { .. }
            | Event::StartCancelled
            | Event::EndMoved { .. }
            | Event::PlayerRenamed { .. }
            | Event::TeamRenamed { .. }
            | Event::TeamCodeRotated { .. }
            | Event::Solved { .. }
            | Event::DeviceAdded { .. }
            | Event::DeviceRevoked { .. }
            | Event::TeamCreated { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. }
            | Event::Unknown => {}
        }
    }
}

fn judged(guess: &Guess) -> (String, Verdict) {
    (guess.guess.clone(), guess.verdict)
}

#[cfg(test)]
mod tests {
    use protocol::{Event, Guess, Heads, Phase, Puzzle, Snapshot, Team, Verdict};

    use super::{SNAPSHOT_GUESSES_MAX, View};

    fn guess(number: usize) -> Guess {
        Guess {
            player: "p1".to_owned(),
            guess: format!("G{number}"),
            verdict: Verdict::Wrong,
        }
    }

    /// A running session with one puzzle and these guesses on it.
    fn snapshot(guesses: Vec<Guess>) -> Snapshot {
        Snapshot {
            heads: Heads {
                everyone: 1,
                team: 1,
                player: 1,
                public: 0,
                view: 0,
                hints: 0,
                answers: 0,
            },
            title: "Harbour".to_owned(),
            phase: Phase::Running,
            starts_at_ms: None,
            paused_at_ms: None,
            ends_at_ms: None,
            left_ms: None,
            team: Team {
                id: "t1".to_owned(),
                name: "Owls".to_owned(),
                code: "R7QM".to_owned(),
                score: 7,
                players: Vec::new(),
            },
            rounds: Vec::new(),
            puzzles: vec![Puzzle {
                index: 0,
                id: "maze".to_owned(),
                round: "quay".to_owned(),
                title: "Maze".to_owned(),
                content: None,
                points: 1,
                unlocked_at_ms: 0,
                solved_at_ms: None,
                guesses,
            }],
            clues: Vec::new(),
            announcements: Vec::new(),
        }
    }

    fn judged(guess: &str) -> Event {
        Event::GuessJudged {
            team: None,
            puzzle: "maze".to_owned(),
            player: "p1".to_owned(),
            guess: Some(guess.to_owned()),
            verdict: Verdict::Correct,
            points: 1,
            score: 8,
        }
    }

    #[test]
    fn a_snapshot_replaces_what_it_does_not_have() {
        let mut view = View::default();
        view.replace(&snapshot(vec![guess(1)]));
        view.apply(&judged("EXIT"));
        assert_eq!(view.verdict("maze", "EXIT"), Some(Verdict::Correct));
        assert_eq!((view.score(), view.phase()), (8, Some(Phase::Running)));
        view.replace(&snapshot(vec![guess(1)]));
        assert_eq!(view.verdict("maze", "EXIT"), None);
        assert_eq!(view.verdict("maze", "G1"), Some(Verdict::Wrong));
        assert_eq!(view.score(), 7);
    }

    #[test]
    fn guesses_that_a_full_snapshot_leaves_out_are_kept() {
        let mut view = View::default();
        view.replace(&snapshot(vec![guess(0)]));
        view.replace(&snapshot((1..=SNAPSHOT_GUESSES_MAX).map(guess).collect()));
        assert_eq!(view.verdict("maze", "G0"), Some(Verdict::Wrong));
    }
}
