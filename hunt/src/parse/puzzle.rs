//! Parses the `[puzzle.ID]` tables of `hunt.toml`.

use super::Bundle;
use super::expression::{KEYWORDS, Names};
use super::hunt_file::{Unlockable, check_id, read_title_or_id, read_unlock};
use super::mistake::Mistakes;
use super::section::{Section, Text};
use super::suggestion::{did_you_mean, listed};
use crate::definition::{ContentHash, Puzzle};
use crate::limits;
use crate::text::Forms;

/// The default points of a puzzle.
const POINTS: u32 = 1;

const KEYS: [&str; 7] = [
    "round", "title", "body", "points", "answer", "aliases", "unlock",
];

/// Parses the points of all puzzles. Must run first, because the conditions are checked against the total.
pub(super) fn read_points(sections: &[Section<'_>], mistakes: &mut Mistakes<'_>) -> Vec<u32> {
    let sections = sections.iter();
    let points = sections.map(|section| section.number("points", limits::POINTS_MAX, mistakes));
    points.map(|points| points.unwrap_or(POINTS)).collect()
}

/// Parses a puzzle.
pub(super) fn read(
    section: &Section<'_>,
    points: u32,
    names: &Names<'_>,
    files: &Bundle,
    mistakes: &mut Mistakes<'_>,
) -> Unlockable<Puzzle> {
    section.reject_unknown_keys(&KEYS, mistakes);
    check_id(section, mistakes);
    if KEYWORDS.contains(&section.key) {
        let message = format!(
            "`{}` is a keyword of unlock conditions; choose another id",
            section.key
        );
        mistakes.add(&section.span, message);
    }
    let body = read_body(section, files, mistakes);
    Unlockable {
        item: Puzzle {
            id: section.key.into(),
            round: read_round_id(section, names, mistakes).into(),
            title: read_title_or_id(section, mistakes),
            content: ContentHash::of_text(&body),
            body,
            points,
            unlock: read_unlock(section, names, mistakes),
            answers: read_answers(section, mistakes),
        },
        unlock_span: section.span_of("unlock"),
    }
}

fn read_round_id<'d>(
    section: &Section<'d>,
    names: &Names<'_>,
    mistakes: &mut Mistakes<'_>,
) -> &'d str {
    let Some(Text { value: id, span }) = section.required_text("round", mistakes) else {
        return "";
    };
    if !names.rounds.contains(id) {
        let suggestion = did_you_mean(id, names.rounds.iter().copied());
        let message = match names.rounds.is_empty() {
            true => format!("there is no round `{id}`; add a [round.{id}]"),
            false if suggestion.is_empty() => {
                let known = listed(names.rounds.iter().copied());
                format!("there is no round `{id}`; the rounds are {known}")
            }
            false => format!("there is no round `{id}`{suggestion}"),
        };
        mistakes.add(&span, message);
    }
    id
}

fn read_body(section: &Section<'_>, files: &Bundle, mistakes: &mut Mistakes<'_>) -> String {
    let Some(Text { value: path, span }) = section.text("body", mistakes) else {
        return String::new();
    };
    let max = limits::BODY_BYTES_MAX;
    let is_inside = path
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\\'));
    let message = if !is_inside {
        "a body's path must stay inside the hunt's folder: names separated by `/`".to_owned()
    } else if path
        .rsplit_once('.')
        .is_none_or(|(_, ending)| ending != "md")
    {
        "a body must be a Markdown file with a name that ends in `.md`".to_owned()
    } else {
        match files.get(path) {
            None => {
                let suggestion = did_you_mean(path, files.keys().map(String::as_str));
                format!("there is no file `{path}` in the hunt's folder{suggestion}")
            }
            Some(body) if body.len() > max => {
                format!(
                    "`{path}` has {} bytes; a body may have at most {max}",
                    body.len()
                )
            }
            Some(body) => return body.clone(),
        }
    };
    mistakes.add(&span, message);
    String::new()
}

/// The normal forms of the answer and the aliases, the answer first.
fn read_answers(section: &Section<'_>, mistakes: &mut Mistakes<'_>) -> Vec<Forms> {
    let answer = section.required_text("answer", mistakes);
    let aliases = section.texts("aliases", mistakes).unwrap_or_default();
    let max = limits::ALIASES_MAX;
    if aliases.len() > max {
        let message = format!("a puzzle may have at most {max} aliases");
        mistakes.add(&section.span_of("aliases"), message);
    }
    let mut answers: Vec<Forms> = Vec::new();
    for Text { value, span } in answer.into_iter().chain(aliases.into_iter().take(max)) {
        let forms = Forms::new(value);
        let message = if forms.is_empty() {
            "no guess can match this: it has no letters or digits".to_owned()
        } else if forms.plain().chars().count() > limits::GUESS_CHARS_MAX {
            let max = limits::GUESS_CHARS_MAX;
            format!("no guess can match this: a guess may have at most {max} characters")
        } else if answers.contains(&forms) {
            format!(
                "the puzzle already accepts `{}`; guesses are compared in this normalised form",
                forms.plain()
            )
        } else {
            answers.push(forms);
            continue;
        };
        mistakes.add(&span, message);
    }
    answers
}
