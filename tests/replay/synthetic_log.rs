//! A small generated log, replayed by the harness.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use testkit::TempDir;

use crate::harness::{assert_goaway_compliance, assert_whole, replay};

const TEAMS: usize = 20;
const PUZZLES: usize = 8;
/// One guess per second of the log, so that it takes three seconds with `--speed 200`.
pub const GUESSES: u64 = 600;

/// A guess of the log.
pub struct Line {
    team: usize,
    puzzle: usize,
    guess: String,
    pub is_correct: bool,
}

/// A log in memory.
pub struct Log {
    answers: Vec<String>,
    pub lines: Vec<Line>,
}

impl Log {
    /// Generates a log in which teams guess at random, sometimes solve, and leave solved puzzles alone.
    pub fn of_seed(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let answers: Vec<String> = (0..PUZZLES).map(|_| word(&mut random)).collect();
        let mut made = HashSet::new();
        let mut solved = HashSet::new();
        let mut lines = Vec::new();
        while lines.len() < usize::try_from(GUESSES).expect("a small number") {
            let team = random.random_range(0..TEAMS);
            let puzzle = random.random_range(0..PUZZLES);
            let is_correct = random.random_ratio(1, 8);
            let guess = if is_correct {
                answers[puzzle].clone()
            } else {
                word(&mut random)
            };
            let is_new = made.insert((team, puzzle, guess.clone()));
            let is_right = guess == answers[puzzle];
            if solved.contains(&(team, puzzle)) || !is_new || is_right != is_correct {
                continue;
            }
            if is_correct {
                solved.insert((team, puzzle));
            }
            lines.push(Line {
                team,
                puzzle,
                guess,
                is_correct,
            });
        }
        Self { answers, lines }
    }

    /// Writes the log as CSV files.
    pub fn write(&self) -> TempDir {
        let folder = testkit::temporary_folder().expect("a temporary folder can be made");
        let mut puzzles = "puzzle,answer\n".to_owned();
        for (number, answer) in self.answers.iter().enumerate() {
            let _ = writeln!(puzzles, "Puzzle {number},{answer}");
        }
        let mut guesses = "time_utc,team,puzzle,guess,verdict\n".to_owned();
        for (second, line) in self.lines.iter().enumerate() {
            let Line {
                team,
                puzzle,
                guess,
                is_correct,
            } = line;
            let (minute, second) = (second / 60, second % 60);
            let verdict = if *is_correct { 'Y' } else { 'N' };
            let _ = writeln!(
                guesses,
                "2020-02-02 12:{minute:02}:{second:02},Team {team},Puzzle {puzzle},{guess},{verdict}"
            );
        }
        for (name, text) in [("puzzles.csv", puzzles), ("guess-log.csv", guesses)] {
            fs::write(folder.path().join(name), text).expect("the folder can be written");
        }
        folder
    }
}

fn word(random: &mut StdRng) -> String {
    let letters = random.random_range(3..=12);
    (0..letters)
        .map(|_| char::from(random.random_range(b'A'..=b'Z')))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_log_is_replayed_as_it_was() {
    let log = Log::of_seed(1).write();
    let replayed = replay(log.path(), "--speed max").await;
    assert_whole(&replayed, GUESSES);
    assert_eq!(replayed.report.reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_duplicate_nothing() {
    let log = Log::of_seed(2).write();
    let options = "--speed 200 --kill-every 0.3 --reconnect-max 0.2";
    let replayed = replay(log.path(), options).await;
    assert_whole(&replayed, GUESSES);
    let report = replayed.report;
    assert!(report.kills_between_first_and_last_guess >= 3, "{report}");
    assert!(report.reconnects > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn graceful_shutdowns_lose_nothing_and_clients_reconnect_as_advised() {
    let log = Log::of_seed(3).write();
    let replayed = replay(log.path(), "--speed 60 --stop-every 6").await;
    assert_whole(&replayed, GUESSES);
    assert_goaway_compliance(&replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_stops_together_lose_nothing() {
    let log = Log::of_seed(4).write();
    let options = "--speed 200 --kill-every 0.7 --stop-every 0.7 --reconnect-max 0.2";
    let replayed = replay(log.path(), options).await;
    assert_whole(&replayed, GUESSES);
}
