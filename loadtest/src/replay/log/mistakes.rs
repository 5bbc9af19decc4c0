//! Mistakes in the files of a log, collected so that one run reports all of them.

use std::fmt;

/// Maximum number of mistakes that are kept; the others are only counted.
const SHOWN_MAX: usize = 200;

/// Maximum number of characters of a field that are shown.
const FOUND_CHARS_MAX: usize = 100;

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Name of the file.
    pub file: String,
    /// Line of the row's beginning, from 1 on.
    pub line: u64,
    /// Name of the column; `None` for a whole row or file.
    pub column: Option<String>,
    /// Content of the field or row, shortened.
    pub found: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}; found {:?}", self.problem, self.found)
    }
}

/// All mistakes of a log: the first 200, and the total.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistakes {
    shown: Vec<Mistake>,
    total: usize,
}

impl Mistakes {
    /// The first mistakes, at most 200.
    pub fn shown(&self) -> &[Mistake] {
        &self.shown
    }

    /// Number of all mistakes.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Orders the mistakes by line within each file.
    pub(super) fn sort(&mut self) {
        self.shown
            .sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    }

    pub(super) fn add(&mut self, mut mistake: Mistake) {
        self.total += 1;
        if self.shown.len() < SHOWN_MAX {
            if let Some((end, _)) = mistake.found.char_indices().nth(FOUND_CHARS_MAX) {
                mistake.found.truncate(end);
                mistake.found.push('…');
            }
            self.shown.push(mistake);
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.total == 1 { "" } else { "s" };
        write!(f, "{} mistake{s} in the log:", self.total)?;
        for mistake in &self.shown {
            write!(f, "\n- {mistake}")?;
        }
        if self.total > self.shown.len() {
            write!(f, "\n(the first {} are shown)", self.shown.len())?;
        }
        Ok(())
    }
}
