//! Mistakes in the files of a hunt: position, message and excerpt.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

/// The replacement for a tab in an excerpt, which keeps the carets aligned.
const TAB: &str = "    ";

/// A mistake in the files of a hunt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, starting at 1.
    pub line: usize,
    /// The column in characters, starting at 1.
    pub column: usize,
    /// What is wrong and how to fix it.
    pub message: String,
    /// The line with its number, and carets below the mistake; empty if there is no such line.
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
    pub(super) fn missing_file(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message,
            excerpt: String::new(),
        }
    }

    /// Renders the mistake for a terminal: the line of [`Display`](fmt::Display), then the excerpt. Every
    /// line ends with a newline.
    pub fn render(&self) -> String {
        format!("{self}\n{}", self.excerpt)
    }

    fn at(file: &str, source: &str, span: &Range<usize>, message: String) -> Self {
        let start = source.floor_char_boundary(span.start);
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &source[line_start..];
        let text = rest.lines().next().unwrap_or("");
        // A span may begin at the newline after the line's text.
        let before = start.min(line_start + text.len());
        let end = source.floor_char_boundary(span.end);
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

/// Replaces tabs, and control characters that a terminal would interpret.
fn printable(text: &str) -> String {
    let tabless = text.replace('\t', TAB);
    tabless.replace(char::is_control, "\u{fffd}")
}

/// Collects the mistakes in one file.
pub(super) struct Mistakes<'s> {
    file: &'static str,
    source: &'s str,
    mistakes: Vec<(Range<usize>, String)>,
}

impl<'s> Mistakes<'s> {
    pub(super) fn new(file: &'static str, source: &'s str) -> Self {
        Self {
            file,
            source,
            mistakes: Vec::new(),
        }
    }

    /// The text of the file.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Adds a mistake at a byte range of the file.
    pub(super) fn add(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.mistakes.push((span.clone(), message.into()));
    }

    /// The mistakes in the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Mistake> {
        self.mistakes
            .sort_by_key(|(span, _)| (span.start, span.end));
        let mistakes = self.mistakes.into_iter();
        mistakes
            .map(|(span, message)| Mistake::at(self.file, self.source, &span, message))
            .collect()
    }
}
