//! Mistakes: where they are, what to do about them, and the excerpt that shows it.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

/// What a tab becomes in an excerpt, so that carets stand below what they point at.
const TAB: &str = "    ";

/// Something that is wrong with a hunt's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
    /// The column, counted in characters from 1 on.
    pub column: usize,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The line under its number, with carets below what is wrong; empty if there is no such line.
    pub excerpt: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl Mistake {
    pub(super) fn of_missing_file(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message,
            excerpt: String::new(),
        }
    }

    /// The mistake for a terminal: the one line of [`Display`](fmt::Display), then the excerpt, each
    /// line of it ended by a newline.
    pub fn render(&self) -> String {
        format!("{self}\n{}", self.excerpt)
    }

    fn at(file: &str, source: &str, place: &Range<usize>, message: String) -> Self {
        let start = source.floor_char_boundary(place.start);
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &source[line_start..];
        let text = rest.lines().next().unwrap_or("");
        // A place may begin behind the line's text, at its newline.
        let before = start.min(line_start + text.len());
        let end = source.floor_char_boundary(place.end);
        let after = end.clamp(before, line_start + text.len());
        let line = source[..line_start].matches('\n').count() + 1;
        Self {
            file: file.to_owned(),
            line,
            column: source[line_start..before].chars().count() + 1,
            message,
            excerpt: excerpt(
                line,
                &source[line_start..before],
                &source[before..after],
                &source[after..line_start + text.len()],
            ),
        }
    }
}

fn excerpt(line: usize, before: &str, wrong: &str, after: &str) -> String {
    let [before, wrong, after] = [before, wrong, after].map(printable);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(before.width());
    let carets = "^".repeat(wrong.width().max(1));
    let text = format!("{number} | {before}{wrong}{after}");
    let text = text.trim_end();
    format!("{margin} |\n{text}\n{margin} | {indent}{carets}\n")
}

/// The text as a terminal shows it: without tabs, and without what would steer the terminal.
fn printable(text: &str) -> String {
    let tabless = text.replace('\t', TAB);
    tabless.replace(char::is_control, "\u{fffd}")
}

/// The mistakes found so far in one file.
pub(super) struct Mistakes<'s> {
    file: &'static str,
    source: &'s str,
    found: Vec<(Range<usize>, String)>,
}

impl<'s> Mistakes<'s> {
    pub(super) fn of(file: &'static str, source: &'s str) -> Self {
        Self {
            file,
            source,
            found: Vec::new(),
        }
    }

    /// The text of the file.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Notes a mistake at a range of bytes of the file.
    pub(super) fn add(&mut self, place: &Range<usize>, message: impl Into<String>) {
        self.found.push((place.clone(), message.into()));
    }

    /// All of them in the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Mistake> {
        self.found
            .sort_by_key(|(place, _)| (place.start, place.end));
        let found = self.found.into_iter();
        found
            .map(|(place, message)| Mistake::at(self.file, self.source, &place, message))
            .collect()
    }
}
