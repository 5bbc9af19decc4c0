//! Guess logs: the puzzles of a past hunt, and which team guessed what, when.
//!
//! Reports every mistake of both files at once. Never contacts a server.

mod mistakes;
mod table;
mod times;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use protocol::Verdict;
use protocol::limits::GUESS_CHARS_MAX;

pub use mistakes::{Mistake, Mistakes};
pub use table::Source;
use table::{Row, Table};
use times::LogClock;
pub use verdicts::Verdicts;

/// Maximum number of characters in a team's name. Real hunts had names of 182.
const TEAM_NAME_CHARS_MAX: usize = 200;

const PUZZLE_COLUMNS: [&str; 2] = ["puzzle", "answer"];
const GUESS_COLUMNS: [&str; 5] = ["time_utc", "team", "puzzle", "guess", "verdict"];

/// A puzzle of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPuzzle {
    /// Title.
    pub title: String,
    /// Answer.
    pub answer: String,
}

/// A guess of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedGuess {
    /// Time since the log's first guess.
    pub after: Duration,
    /// Index in [`GuessLog::puzzles`].
    pub puzzle: usize,
    /// The guess as typed.
    pub guess: String,
    /// The verdict in the log, which the server must repeat.
    pub verdict: Verdict,
}

/// A team of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTeam {
    /// Name, which the server may not accept.
    pub name: String,
    /// Guesses in the order of the log.
    pub guesses: Vec<LoggedGuess>,
}

/// A whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessLog {
    /// Puzzles in the order of their file.
    pub puzzles: Vec<LoggedPuzzle>,
    /// Teams in the order of their names.
    pub teams: Vec<LoggedTeam>,
    /// Oddities that were accepted, in words.
    pub remarks: Vec<String>,
}

/// Error of reading a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The files have mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// The log is empty.
    #[error("the guess log has no guesses")]
    Empty,
}

impl GuessLog {
    /// Reads both files: CSV in UTF-8, with a header.
    ///
    /// The columns are `puzzle,answer`, and `time_utc,team,puzzle,guess,verdict` in chronological order.
    /// Times are `2018-03-16 19:18:19`, with an optional fraction and zone.
    pub fn open(guesses: &Path, puzzles: &Path, verdicts: &Verdicts) -> Result<Self, LogError> {
        let guess_bytes = read_file(guesses)?;
        let puzzle_bytes = read_file(puzzles)?;
        let guesses = Source {
            file: &guesses.display().to_string(),
            bytes: &guess_bytes,
        };
        let puzzles = Source {
            file: &puzzles.display().to_string(),
            bytes: &puzzle_bytes,
        };
        Self::read(guesses, puzzles, verdicts)
    }

    /// Reads both files from memory.
    pub fn read(
        guesses: Source<'_>,
        puzzles: Source<'_>,
        verdicts: &Verdicts,
    ) -> Result<Self, LogError> {
        let mut mistakes = Mistakes::default();
        let puzzles = read_puzzles(puzzles, &mut mistakes);
        let titles = puzzles.as_deref().map(Titles::new);
        let rows = Table::read(guesses, GUESS_COLUMNS, &mut mistakes);
        let (mut teams, mut remarks) = (BTreeMap::new(), BTreeSet::new());
        if let Some(table) = &rows {
            let mut reader = GuessReader {
                table,
                titles: titles.as_ref(),
                verdicts,
                clock: LogClock::default(),
                mistakes: &mut mistakes,
                remarks: &mut remarks,
            };
            for row in &table.rows {
                reader.read(row, &mut teams);
            }
        }
        if mistakes.total() > 0 {
            mistakes.sort();
            return Err(LogError::Mistakes(mistakes));
        }
        if teams.is_empty() {
            return Err(LogError::Empty);
        }
        let teams = teams.into_iter();
        Ok(Self {
            puzzles: puzzles.unwrap_or_default(),
            teams: teams
                .map(|(name, guesses)| LoggedTeam { name, guesses })
                .collect(),
            remarks: remarks.into_iter().collect(),
        })
    }

    /// Number of guesses of all teams.
    pub fn guesses(&self) -> usize {
        self.teams.iter().map(|team| team.guesses.len()).sum()
    }

    /// Time from the first guess to the last one.
    pub fn length(&self) -> Duration {
        let last = |team: &LoggedTeam| team.guesses.last().map(|guess| guess.after);
        self.teams.iter().filter_map(last).max().unwrap_or_default()
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, LogError> {
    fs::read(path).map_err(|source| LogError::Open {
        path: path.to_owned(),
        source,
    })
}

/// Reads the puzzle list; `None` if the file as a whole cannot be read.
fn read_puzzles(source: Source<'_>, mistakes: &mut Mistakes) -> Option<Vec<LoggedPuzzle>> {
    let table = Table::read(source, PUZZLE_COLUMNS, mistakes)?;
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut puzzles = Vec::new();
    for row in &table.rows {
        let (title, answer) = (row.field(0), row.field(1));
        if title.is_empty() {
            mistakes.add(table.mistake(row, 0, "the title is empty".to_owned()));
        }
        if let Some(first) = lines.insert(title.to_lowercase(), row.line) {
            let problem = format!("the puzzle is already listed in line {first}");
            mistakes.add(table.mistake(row, 0, problem));
        }
        if normalize_guess(answer).is_empty() {
            let problem = "the answer has no letter or digit".to_owned();
            mistakes.add(table.mistake(row, 1, problem));
        }
        puzzles.push(LoggedPuzzle {
            title: title.to_owned(),
            answer: answer.to_owned(),
        });
    }
    Some(puzzles)
}

/// Puzzles by title, exact and in lower case.
struct Titles<'a> {
    exact: HashMap<&'a str, usize>,
    lower: HashMap<String, (usize, &'a str)>,
}

impl<'a> Titles<'a> {
    fn new(puzzles: &'a [LoggedPuzzle]) -> Self {
        let titles = || puzzles.iter().map(|puzzle| &*puzzle.title).enumerate();
        Self {
            exact: titles().map(|(index, title)| (title, index)).collect(),
            lower: titles()
                .map(|(index, title)| (title.to_lowercase(), (index, title)))
                .collect(),
        }
    }
}

/// Reads the rows of a guess log.
struct GuessReader<'a> {
    table: &'a Table<'a, 5>,
    /// `None` if the puzzle list cannot be read.
    titles: Option<&'a Titles<'a>>,
    verdicts: &'a Verdicts,
    clock: LogClock,
    mistakes: &'a mut Mistakes,
    remarks: &'a mut BTreeSet<String>,
}

impl GuessReader<'_> {
    /// Adds the guess of a row to its team, or a mistake for every bad field.
    fn read(&mut self, row: &Row<5>, teams: &mut BTreeMap<String, Vec<LoggedGuess>>) {
        let after = self.clock.since_first(row.field(0));
        let after = self.checked(row, 0, after);
        let team = self.checked(row, 1, check_team(row.field(1)));
        let puzzle = self.puzzle(row);
        let guess = self.checked(row, 3, check_guess(row.raw(3)));
        let verdict = self.checked(row, 4, self.verdicts.verdict(row.field(4)));
        let (Some(after), Some(team), Some(puzzle)) = (after, team, puzzle) else {
            return;
        };
        let (Some(guess), Some(verdict)) = (guess, verdict) else {
            return;
        };
        teams.entry(team).or_default().push(LoggedGuess {
            after,
            puzzle,
            guess,
            verdict,
        });
    }

    fn checked<T>(&mut self, row: &Row<5>, column: usize, read: Result<T, String>) -> Option<T> {
        read.map_err(|problem| self.mistakes.add(self.table.mistake(row, column, problem)))
            .ok()
    }

    /// Index of the row's puzzle. A title in other letter case is accepted with a remark.
    fn puzzle(&mut self, row: &Row<5>) -> Option<usize> {
        let titles = self.titles?;
        let title = row.field(2);
        if let Some(index) = titles.exact.get(title) {
            return Some(*index);
        }
        if let Some((index, listed)) = titles.lower.get(&title.to_lowercase()) {
            let remark = format!("the log's puzzle {title:?} was read as {listed:?}");
            self.remarks.insert(remark);
            return Some(*index);
        }
        let problem = "the puzzle is not in the puzzle list".to_owned();
        self.mistakes.add(self.table.mistake(row, 2, problem));
        None
    }
}

fn check_team(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("the team's name is empty".to_owned());
    }
    if name.contains(['\r', '\n']) {
        return Err("a line break within the team's name".to_owned());
    }
    if name.chars().count() > TEAM_NAME_CHARS_MAX {
        return Err(format!(
            "the team's name is longer than {TEAM_NAME_CHARS_MAX} characters"
        ));
    }
    Ok(name.to_owned())
}

fn check_guess(guess: &str) -> Result<String, String> {
    if guess.chars().count() > GUESS_CHARS_MAX {
        return Err(format!(
            "the guess is longer than {GUESS_CHARS_MAX} characters"
        ));
    }
    Ok(guess.to_owned())
}

/// Normalizes a guess for comparison: letters and digits in upper case. Approximates the server's
/// normalization, which the harness does not link.
pub fn normalize_guess(guess: &str) -> String {
    let kept = guess.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests;
