//! Checks after the last guess that the server's export and standings agree with its receipts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use protocol::Verdict;
use protocol::rest::{ExportLine, SessionCreated, Standings};
use serde::Deserialize;
use testkit::{Rest, RestError};
use tokio::time::sleep;

use super::log::normalize_guess;

/// Retries while a killed server restarts.
const TRIES_MAX: u32 = 40;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// A session as exported by the server.
#[derive(Debug, Default)]
pub(super) struct StoredSession {
    pub(super) guesses: Vec<ExportedGuess>,
    /// Score of each team by id.
    pub(super) scores: HashMap<String, u32>,
}

/// A judged guess of the export.
#[derive(Debug, Clone)]
pub(super) struct ExportedGuess {
    /// Device and command id of the guess.
    pub(super) origin: Option<(String, u64)>,
    /// The team as exported.
    pub(super) team: String,
    pub(super) puzzle: String,
    pub(super) guess: String,
    pub(super) verdict: Verdict,
}

/// A guess that a client sent.
#[derive(Debug, Clone)]
pub(super) struct SentGuess<'a> {
    pub(super) device: &'a str,
    pub(super) command: u64,
    pub(super) team: &'a str,
    pub(super) puzzle: &'a str,
    pub(super) guess: &'a str,
    /// Verdict of its receipt, if any.
    pub(super) acknowledged: Option<Verdict>,
}

/// Differences in words.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) lost: Vec<String>,
    pub(super) duplicated: Vec<String>,
    pub(super) mismatches: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ExportedEvent {
    GuessJudged {
        team: String,
        puzzle: String,
        guess: String,
        verdict: Verdict,
    },
    #[serde(other)]
    Other,
}

/// Fetches the export and the standings.
pub(super) async fn fetch(
    rest: &Rest,
    session: &SessionCreated,
) -> Result<StoredSession, RestError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match fetch_once(rest, session).await {
            Err(RestError::Connect { .. } | RestError::Broken(_)) if tries < TRIES_MAX => {
                sleep(TRY_AGAIN_AFTER).await;
            }
            fetched => return fetched,
        }
    }
}

async fn fetch_once(rest: &Rest, session: &SessionCreated) -> Result<StoredSession, RestError> {
    let mut guesses = Vec::new();
    let SessionCreated {
        session,
        game_master_token: token,
    } = session;
    let path = format!("/sessions/{session}/export");
    rest.get_lines(&path, Some(token), |line: ExportLine<ExportedEvent>| {
        guesses.extend(exported_guess(line));
    })
    .await?;
    let path = format!("/sessions/{session}/standings");
    let standings: Standings = rest.get(&path, None).await?;
    let rows = standings.rows.into_iter();
    let scores = rows.map(|row| (row.team, row.score)).collect();
    Ok(StoredSession { guesses, scores })
}

fn exported_guess(line: ExportLine<ExportedEvent>) -> Option<ExportedGuess> {
    let origin = line.device.zip(line.command);
    match line.event {
        ExportedEvent::GuessJudged {
            team,
            puzzle,
            guess,
            verdict,
        } => Some(ExportedGuess {
            origin,
            team,
            puzzle,
            guess,
            verdict,
        }),
        ExportedEvent::Other => None,
    }
}

/// Compares sent guesses with the export.
pub(super) fn compare(sent: &[SentGuess<'_>], stored: &StoredSession) -> Findings {
    let mut findings = Findings::default();
    let by_origin = index(&stored.guesses, &mut findings);
    let mut origins = HashSet::new();
    let mut correct: HashMap<&str, u32> = HashMap::new();
    for guess in sent {
        origins.insert((guess.device, guess.command));
        let Some(verdict) = guess.acknowledged else {
            continue;
        };
        let found = by_origin.get(&(guess.device, guess.command));
        if !found.is_some_and(|stored| guess.matches(stored, verdict)) {
            findings
                .lost
                .push(format!("acknowledged {guess:?} is exported as {found:?}"));
        }
        *correct.entry(guess.team).or_default() += u32::from(verdict == Verdict::Correct);
    }
    let unknown = by_origin
        .iter()
        .filter(|(origin, _)| !origins.contains(*origin));
    findings
        .mismatches
        .extend(unknown.map(|(_, stored)| format!("{stored:?} was never sent")));
    for (team, correct) in correct {
        let score = stored.scores.get(team);
        if score != Some(&correct) {
            let solved =
                format!("team {team} has {correct} correct guesses and the score {score:?}");
            findings.mismatches.push(solved);
        }
    }
    findings
}

/// Indexes the exported guesses by device and command.
fn index<'a>(
    guesses: &'a [ExportedGuess],
    findings: &mut Findings,
) -> HashMap<(&'a str, u64), &'a ExportedGuess> {
    let mut by_origin = HashMap::new();
    let mut made = HashSet::new();
    for stored in guesses {
        let is_first = made.insert((&stored.team, &stored.puzzle, &stored.guess));
        let Some((device, command)) = &stored.origin else {
            findings
                .mismatches
                .push(format!("{stored:?} has no device"));
            continue;
        };
        let earlier = by_origin.insert((device.as_str(), *command), stored);
        if !is_first || earlier.is_some() {
            findings
                .duplicated
                .push(format!("{stored:?} is exported twice"));
        }
    }
    by_origin
}

impl SentGuess<'_> {
    fn matches(&self, stored: &ExportedGuess, verdict: Verdict) -> bool {
        stored.verdict == verdict
            && stored.puzzle == self.puzzle
            && normalize_guess(&stored.guess) == normalize_guess(self.guess)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use protocol::Verdict;

    use super::{ExportedGuess, Findings, SentGuess, StoredSession, compare};

    fn sent(command: u64, acknowledged: Option<Verdict>) -> SentGuess<'static> {
        SentGuess {
            device: "d1",
            command,
            team: "t1",
            puzzle: "maze",
            guess: if command == 2 { "EXIT" } else { "DOOR" },
            acknowledged,
        }
    }

    fn stored(command: u64, verdict: Verdict) -> ExportedGuess {
        ExportedGuess {
            origin: Some(("d1".to_owned(), command)),
            team: "t1".to_owned(),
            puzzle: "maze".to_owned(),
            guess: sent(command, None).guess.to_owned(),
            verdict,
        }
    }

    /// Compares one wrong and then one correct guess, both acknowledged, with an export.
    fn findings(guesses: Vec<ExportedGuess>, score: u32) -> (usize, usize, usize) {
        let stored = StoredSession {
            guesses,
            scores: HashMap::from([("t1".to_owned(), score)]),
        };
        let sent = [
            sent(1, Some(Verdict::Wrong)),
            sent(2, Some(Verdict::Correct)),
        ];
        counts(&compare(&sent, &stored))
    }

    fn counts(findings: &Findings) -> (usize, usize, usize) {
        let Findings {
            lost,
            duplicated,
            mismatches,
        } = findings;
        (lost.len(), duplicated.len(), mismatches.len())
    }

    #[test]
    fn what_was_kept_agrees() {
        let both = vec![stored(1, Verdict::Wrong), stored(2, Verdict::Correct)];
        assert_eq!(findings(both, 1), (0, 0, 0));
    }

    #[test]
    fn an_acknowledged_guess_that_is_missing_or_differs_is_lost() {
        assert_eq!(findings(vec![stored(2, Verdict::Correct)], 1), (1, 0, 0));
        let differs = vec![stored(1, Verdict::Correct), stored(2, Verdict::Correct)];
        assert_eq!(findings(differs, 1), (1, 0, 0));
        let mut other = stored(1, Verdict::Wrong);
        other.puzzle = "park".to_owned();
        assert_eq!(
            findings(vec![other, stored(2, Verdict::Correct)], 1),
            (1, 0, 0)
        );
    }

    #[test]
    fn a_guess_that_was_kept_twice_is_duplicated() {
        let wrong = stored(1, Verdict::Wrong);
        let correct = stored(2, Verdict::Correct);
        let same_command = vec![wrong.clone(), correct.clone(), wrong.clone()];
        assert_eq!(findings(same_command, 1), (0, 1, 0));
        let mut same_guess = wrong.clone();
        same_guess.origin = Some(("d1".to_owned(), 3));
        let (lost, duplicated, _) = findings(vec![wrong, correct, same_guess], 1);
        assert_eq!((lost, duplicated), (0, 1));
    }

    #[test]
    fn strangers_and_wrong_scores_do_not_match() {
        let both = vec![stored(1, Verdict::Wrong), stored(2, Verdict::Correct)];
        assert_eq!(findings(both.clone(), 2), (0, 0, 1));
        let mut stranger = stored(9, Verdict::Wrong);
        stranger.guess = "WINDOW".to_owned();
        assert_eq!(findings([both, vec![stranger]].concat(), 1), (0, 0, 1));
    }

    #[test]
    fn a_guess_without_a_receipt_may_be_kept_or_not() {
        let sent = [sent(1, None)];
        for guesses in [vec![], vec![stored(1, Verdict::Wrong)]] {
            let stored = StoredSession {
                guesses,
                scores: HashMap::new(),
            };
            assert_eq!(counts(&compare(&sent, &stored)), (0, 0, 0));
        }
    }
}
