//! Generates the hunt of a log, with every puzzle unlocked from the start.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use protocol::rest::CreateHunt;

use super::log::LoggedPuzzle;

/// Maximum length of an id generated from a title, before a number that makes it unique.
const SLUG_CHARS_MAX: usize = 40;

const ROUND: &str = "replay";

/// A hunt, and the ids of its puzzles in the order of the log's puzzles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayHunt {
    /// The upload.
    pub upload: CreateHunt,
    /// An id for each puzzle.
    pub puzzle_ids: Vec<String>,
}

/// Builds a hunt with one round, one point per solve, and nothing locked.
pub fn build_hunt(puzzles: &[LoggedPuzzle]) -> ReplayHunt {
    let puzzle_ids = ids(puzzles);
    let mut text = format!("[hunt]\ntitle = {}\n\n", toml_string("A replayed hunt"));
    let _ = write!(text, "[round.{ROUND}]\ntitle = {}\n", toml_string("Replay"));
    for (id, puzzle) in puzzle_ids.iter().zip(puzzles) {
        let title = toml_string(&puzzle.title);
        let answer = toml_string(&puzzle.answer);
        let _ = write!(
            text,
            "\n[puzzle.{id}]\nround = \"{ROUND}\"\ntitle = {title}\npoints = 1\nanswer = {answer}\n"
        );
    }
    let files = BTreeMap::from([("hunt.toml".to_owned(), text)]);
    ReplayHunt {
        upload: CreateHunt { files },
        puzzle_ids,
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn ids(puzzles: &[LoggedPuzzle]) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |puzzle: &LoggedPuzzle| {
        let slug = slug(&puzzle.title);
        let numbered = (2..).map(|number| format!("{slug}-{number}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        candidates
            .find(|candidate| taken.insert(candidate.clone()))
            .expect("there are more numbers than puzzles")
    };
    puzzles.iter().map(unique).collect()
}

/// Converts to lower-case ASCII letters and digits, and replaces every other run of characters with a hyphen.
fn slug(title: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            ' '
        }
    };
    let words: String = title.chars().map(plain).collect();
    let joined = words.split_whitespace().collect::<Vec<_>>().join("-");
    let short: String = joined.chars().take(SLUG_CHARS_MAX).collect();
    match short.trim_end_matches('-') {
        "" => "puzzle".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::LoggedPuzzle;
    use super::build_hunt;

    fn puzzle(title: &str, answer: &str) -> LoggedPuzzle {
        LoggedPuzzle {
            title: title.to_owned(),
            answer: answer.to_owned(),
        }
    }

    #[test]
    fn ids_are_slugs_and_unique() {
        let titles = [
            "Visitor’s Guide",
            "o ea / Wrd Srch",
            "Visitor's guide",
            "…",
            "?!",
        ];
        let puzzles = titles.map(|title| puzzle(title, "A"));
        let hunt = build_hunt(&puzzles);
        assert_eq!(
            hunt.puzzle_ids,
            [
                "visitor-s-guide",
                "o-ea-wrd-srch",
                "visitor-s-guide-2",
                "puzzle",
                "puzzle-2"
            ]
        );
    }

    #[test]
    fn any_title_survives_the_file() {
        let title = "He said \"\\no'\" \u{1f}\n''' [x] = #1 \u{2019}";
        let hunt = build_hunt(&[puzzle(title, "TWO\tWORDS")]);
        let text = &hunt.upload.files["hunt.toml"];
        let document: toml::Table = text.parse().expect("the file is TOML");
        let written = &document["puzzle"][hunt.puzzle_ids[0].as_str()];
        assert_eq!(written["title"].as_str(), Some(title));
        assert_eq!(written["answer"].as_str(), Some("TWO\tWORDS"));
        assert_eq!(written["points"].as_integer(), Some(1));
    }
}
