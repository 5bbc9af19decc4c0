//! Judged guesses of the journal, as game masters read them over REST.

use hunt::{Entry, Event, PuzzleId, TeamId, Timestamp, Verdict};
use protocol::rest::GuessRecord;

use super::outcome::verdict;

/// Which guesses are read.
#[derive(Debug, Clone)]
pub enum GuessesOf {
    /// Those of all teams.
    All,
    /// Those of a team on a puzzle, which the team has seen since a time.
    Team(TeamId, PuzzleId, Timestamp),
}

impl GuessesOf {
    /// Whether no guess is older than an entry of this time.
    pub fn begin_after(&self, at: Timestamp) -> bool {
        match self {
            Self::All => false,
            Self::Team(_, _, unlocked_at) => at < *unlocked_at,
        }
    }

    fn includes(&self, team: TeamId, puzzle: &PuzzleId) -> bool {
        match self {
            Self::All => true,
            Self::Team(of_team, of_puzzle, _) => *of_team == team && of_puzzle == puzzle,
        }
    }
}

/// The guess that an entry judged, if it is one of these. `first_seq` is the sequence number of the entry's
/// first event. Without `reads_answers` a correct guess has no text.
pub fn judged_guess(
    first_seq: u64,
    entry: &Entry,
    of: &GuessesOf,
    reads_answers: bool,
) -> Option<GuessRecord> {
    (first_seq..).zip(&entry.events).find_map(|(seq, event)| {
        let Event::GuessJudged {
            team,
            player,
            puzzle,
            guess,
            normaliser: _,
            verdict: judged,
            points,
        } = event
        else {
            return None;
        };
        of.includes(*team, puzzle).then(|| GuessRecord {
            seq,
            at_ms: entry.at.0,
            team: team.to_string(),
            player: player.to_string(),
            puzzle: puzzle.to_string(),
            verdict: verdict(*judged),
            points: *points,
            guess: (reads_answers || *judged == Verdict::Wrong).then(|| guess.clone()),
        })
    })
}
