//! Reads the log of a past hunt: which puzzles there were, and who guessed what, when.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::Verdict;
use protocol::limits::{GUESS_CHARS_MAX, NAME_CHARS_MAX};
use serde::Deserialize;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const TIME_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A puzzle of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPuzzle {
    /// Its title.
    pub title: String,
    /// Its answer.
    pub answer: String,
}

/// A guess of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedGuess {
    /// How long after the log's first guess it was made.
    pub after: Duration,
    /// The puzzle's place in [`GuessLog::puzzles`].
    pub puzzle: usize,
    /// The guess.
    pub guess: String,
    /// The verdict that it got then, and must get again.
    pub verdict: Verdict,
}

/// A team of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTeam {
    /// Its name.
    pub name: String,
    /// Its guesses, in the order of the log.
    pub guesses: Vec<LoggedGuess>,
}

/// A whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessLog {
    /// The puzzles, in the order of their file.
    pub puzzles: Vec<LoggedPuzzle>,
    /// The teams, in the order of their names.
    pub teams: Vec<LoggedTeam>,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be opened.
    #[error("cannot read {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no CSV of the expected columns.
    #[error("{what}: {source}; it needs a header with the columns {columns}")]
    Csv {
        /// Which of the files.
        what: &'static str,
        /// The columns that it needs.
        columns: &'static str,
        /// What is wrong.
        source: csv::Error,
    },
    /// A row that cannot be played.
    #[error("{what}, line {line}: {problem}")]
    Row {
        /// Which of the files.
        what: &'static str,
        /// The line, from 1 on.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to play.
    #[error("the guess log has no guesses")]
    Empty,
}

#[derive(Deserialize)]
struct PuzzleRow {
    puzzle: String,
    answer: String,
}

#[derive(Deserialize)]
struct GuessRow {
    time_utc: String,
    team: String,
    puzzle: String,
    guess: String,
    verdict: String,
}

const PUZZLES: &str = "the puzzle file";
const GUESSES: &str = "the guess log";

impl GuessLog {
    /// Reads both files. The columns are `puzzle,answer`, and
    /// `time_utc,team,puzzle,guess,verdict` with times as `2018-03-16 19:18:19`, in their order,
    /// and verdicts `Y` or `N`.
    pub fn open(guesses: &Path, puzzles: &Path) -> Result<Self, LogError> {
        Self::read(open(guesses)?, open(puzzles)?)
    }

    /// The same from open files.
    pub fn read(guesses: impl Read, puzzles: impl Read) -> Result<Self, LogError> {
        let puzzles = read_puzzles(puzzles)?;
        let teams = read_guesses(guesses, &puzzles)?;
        Ok(Self { puzzles, teams })
    }

    /// The number of guesses of all teams.
    pub fn guesses(&self) -> usize {
        self.teams.iter().map(|team| team.guesses.len()).sum()
    }

    /// How long after the first guess the last one was made.
    pub fn length(&self) -> Duration {
        let last = |team: &LoggedTeam| team.guesses.last().map(|guess| guess.after);
        self.teams.iter().filter_map(last).max().unwrap_or_default()
    }
}

fn open(path: &Path) -> Result<File, LogError> {
    File::open(path).map_err(|source| LogError::Open {
        path: path.to_owned(),
        source,
    })
}

fn read_puzzles(file: impl Read) -> Result<Vec<LoggedPuzzle>, LogError> {
    let mut puzzles = Vec::new();
    for row in csv::Reader::from_reader(file).deserialize() {
        let row: PuzzleRow = row.map_err(|source| LogError::Csv {
            what: PUZZLES,
            columns: "puzzle,answer",
            source,
        })?;
        puzzles.push(LoggedPuzzle {
            title: row.puzzle,
            answer: row.answer,
        });
    }
    Ok(puzzles)
}

fn read_guesses(file: impl Read, puzzles: &[LoggedPuzzle]) -> Result<Vec<LoggedTeam>, LogError> {
    let titles = puzzles.iter().enumerate();
    let index: HashMap<&str, usize> = titles.map(|(at, puzzle)| (&*puzzle.title, at)).collect();
    let mut teams: BTreeMap<String, Vec<LoggedGuess>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().cloned().map_err(csv_error)?;
    let mut record = csv::StringRecord::new();
    let mut clock = LogClock::default();
    while reader.read_record(&mut record).map_err(csv_error)? {
        let line = record.position().map_or(0, csv::Position::line);
        let row: GuessRow = record.deserialize(Some(&headers)).map_err(csv_error)?;
        let guess = checked(&row, &index, &mut clock).map_err(|problem| LogError::Row {
            what: GUESSES,
            line,
            problem,
        })?;
        teams.entry(row.team).or_default().push(guess);
    }
    if teams.is_empty() {
        return Err(LogError::Empty);
    }
    let teams = teams.into_iter();
    Ok(teams
        .map(|(name, guesses)| LoggedTeam { name, guesses })
        .collect())
}

fn csv_error(source: csv::Error) -> LogError {
    LogError::Csv {
        what: GUESSES,
        columns: "time_utc,team,puzzle,guess,verdict",
        source,
    }
}

/// Follows the log's times, which may not go back.
#[derive(Default)]
struct LogClock {
    first_and_last: Option<(PrimitiveDateTime, PrimitiveDateTime)>,
}

impl LogClock {
    fn after(&mut self, time: &str) -> Result<Duration, String> {
        let now = PrimitiveDateTime::parse(time, TIME_FORMAT)
            .map_err(|_| format!("{time:?} is no time like 2018-03-16 19:18:19"))?;
        let (first, last) = self.first_and_last.unwrap_or((now, now));
        if now < last {
            return Err(format!("{time} is earlier than the line before"));
        }
        self.first_and_last = Some((first, now));
        Duration::try_from(now - first).map_err(|error| error.to_string())
    }
}

fn checked(
    row: &GuessRow,
    puzzles: &HashMap<&str, usize>,
    clock: &mut LogClock,
) -> Result<LoggedGuess, String> {
    let puzzle = puzzles.get(&*row.puzzle).copied();
    let puzzle = puzzle.ok_or_else(|| format!("{PUZZLES} has no puzzle {:?}", row.puzzle))?;
    if row.team.is_empty() || row.team.chars().count() > NAME_CHARS_MAX {
        return Err(format!(
            "a team's name has 1 to {NAME_CHARS_MAX} characters"
        ));
    }
    if row.guess.chars().count() > GUESS_CHARS_MAX {
        return Err(format!("a guess has at most {GUESS_CHARS_MAX} characters"));
    }
    let verdict = match &*row.verdict {
        "Y" => Verdict::Correct,
        "N" => Verdict::Wrong,
        other => return Err(format!("the verdict {other:?} is neither Y nor N")),
    };
    Ok(LoggedGuess {
        after: clock.after(&row.time_utc)?,
        puzzle,
        guess: row.guess.clone(),
        verdict,
    })
}

/// What is left of a guess when it is compared: letters and digits, in upper case. A log is
/// expected to hold nothing else.
pub fn normalize_guess(guess: &str) -> String {
    let stored = guess.chars().filter(|c| c.is_alphanumeric());
    stored.flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::Verdict;

    use super::{GuessLog, LogError, normalize_guess};

    const PUZZLES: &str = "puzzle,answer\nTry and Eat,SKINNY\n\"Up, Down\",ELEVATOR\n";

    fn read(rows: &str) -> Result<GuessLog, LogError> {
        let guesses = format!("time_utc,team,puzzle,guess,verdict\n{rows}");
        GuessLog::read(guesses.as_bytes(), PUZZLES.as_bytes())
    }

    #[test]
    fn guesses_are_kept_by_team_in_the_order_of_the_log() {
        let log = read(
            "2018-03-16 23:59:59,owls,Try and Eat,WAR,N\n\
             2018-03-16 23:59:59,crows,\"Up, Down\",STAIRS,N\n\
             2018-03-17 00:00:01,owls,Try and Eat,SKINNY,Y\n",
        )
        .expect("the log is good");
        let names: Vec<&str> = log.teams.iter().map(|team| &*team.name).collect();
        assert_eq!(names, ["crows", "owls"]);
        assert_eq!((log.guesses(), log.length()), (3, Duration::from_secs(2)));
        assert_eq!(log.teams[0].guesses[0].puzzle, 1);
        let solve = &log.teams[1].guesses[1];
        assert_eq!((&*solve.guess, solve.verdict), ("SKINNY", Verdict::Correct));
        assert_eq!(solve.after, Duration::from_secs(2));
    }

    #[test]
    fn bad_rows_are_named() {
        for (row, problem) in [
            ("2018-03-16 19:18:19,owls,Lost,WAR,N", "no puzzle \"Lost\""),
            ("16.3.2018,owls,Try and Eat,WAR,N", "is no time"),
            (
                "2018-03-16 19:18:19,owls,Try and Eat,WAR,yes",
                "neither Y nor N",
            ),
            ("2018-03-16 19:18:19,,Try and Eat,WAR,N", "a team's name"),
            ("2018-03-16 19:18:17,owls,Try and Eat,WAR,N", "earlier"),
        ] {
            let rows = format!("2018-03-16 19:18:18,owls,Try and Eat,PEACE,N\n{row}\n");
            let error = read(&rows).expect_err(row).to_string();
            assert!(
                error.contains("line 3") && error.contains(problem),
                "{error}"
            );
        }
        assert!(matches!(read(""), Err(LogError::Empty)));
        assert!(matches!(
            read("only,three,columns\n"),
            Err(LogError::Csv { .. })
        ));
    }

    #[test]
    fn guesses_are_compared_by_their_letters() {
        assert_eq!(normalize_guess("Spin-naker 7"), "SPINNAKER7");
    }
}
