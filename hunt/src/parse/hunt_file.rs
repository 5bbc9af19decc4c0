//! Parses `hunt.toml`: the hunt's settings, its rounds, and the checks across all tables.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::expression::{self, Names};
use super::mistake::Mistakes;
use super::section::{Section, Text};
use super::suggestion::did_you_mean;
use super::{Bundle, duration, puzzle, reach};
use crate::definition::{Hunt, Round, TieBreak};
use crate::ids::DurationMs;
use crate::limits;
use crate::unlock::Unlock;

/// The default ranking criteria.
const TIE_BREAK: [TieBreak; 2] = [TieBreak::Score, TieBreak::LastScored];

/// A round or puzzle, with the span of its unlock condition.
pub(super) struct Unlockable<T> {
    pub(super) item: T,
    pub(super) unlock_span: Range<usize>,
}

/// Parses the document. The returned hunt is valid only if no mistake was added. Returns `None` if the
/// document exceeds the limits of rounds or puzzles.
pub(super) fn read<'d>(
    document: &'d DeTable<'d>,
    files: &'d Bundle,
    mistakes: &mut Mistakes<'d>,
) -> Option<Hunt> {
    let root = Section::root(document);
    root.reject_unknown_keys(&["hunt", "round", "puzzle"], mistakes);
    let (title, duration, tie_break) = read_settings(&root, mistakes);
    let round_sections = root.sections("round", mistakes);
    let puzzle_sections = root.sections("puzzle", mistakes);
    reject_excess(limits::ROUNDS_MAX, "rounds", &round_sections, mistakes)?;
    reject_excess(limits::PUZZLES_MAX, "puzzles", &puzzle_sections, mistakes)?;
    if root.is_empty_or_missing("puzzle") {
        mistakes.add(&root.span, "the hunt has no puzzles; add a [puzzle.ID]");
    }
    let points = puzzle::read_points(&puzzle_sections, mistakes);
    let names = Names {
        rounds: round_sections.iter().map(|section| section.key).collect(),
        puzzles: puzzle_sections.iter().map(|section| section.key).collect(),
        points_total: points.iter().sum(),
    };
    let rounds: Vec<Unlockable<Round>> = round_sections
        .iter()
        .map(|section| read_round(section, &names, mistakes))
        .collect();
    let puzzles: Vec<_> = puzzle_sections
        .iter()
        .zip(points)
        .map(|(section, points)| puzzle::read(section, points, &names, files, mistakes))
        .collect();
    reach::check(&rounds, &puzzles, mistakes);
    let puzzles: Vec<_> = puzzles
        .into_iter()
        .map(|unlockable| unlockable.item)
        .collect();
    let indexed = puzzles.iter().enumerate();
    let puzzle_index: BTreeMap<_, _> = indexed
        .map(|(at, puzzle)| (puzzle.id.clone(), at))
        .collect();
    Some(Hunt {
        title,
        duration,
        tie_break,
        rounds: rounds
            .into_iter()
            .map(|unlockable| unlockable.item)
            .collect(),
        puzzles,
        puzzle_index,
    })
}

fn reject_excess(
    max: usize,
    what: &str,
    sections: &[Section<'_>],
    mistakes: &mut Mistakes<'_>,
) -> Option<()> {
    let Some(first_beyond) = sections.get(max) else {
        return Some(());
    };
    let message = format!(
        "a hunt may have at most {max} {what}; this one has {}",
        sections.len()
    );
    mistakes.add(&first_beyond.span, message);
    None
}

fn read_settings(
    root: &Section<'_>,
    mistakes: &mut Mistakes<'_>,
) -> (String, Option<DurationMs>, Vec<TieBreak>) {
    let Some(section) = root.section("hunt", mistakes) else {
        if root.is_empty_or_missing("hunt") {
            mistakes.add(
                &root.span,
                "the table [hunt] with the hunt's title is missing",
            );
        }
        return (String::new(), None, TIE_BREAK.to_vec());
    };
    section.reject_unknown_keys(&["title", "duration", "tie_break"], mistakes);
    let title = section.required_text("title", mistakes);
    let title = title.map(|title| read_title(&title, mistakes));
    let duration = section.text("duration", mistakes).and_then(|text| {
        let duration = duration::parse(text.value);
        duration
            .map_err(|message| mistakes.add(&text.span, message))
            .ok()
    });
    let tie_break = read_tie_break(&section, mistakes);
    (title.unwrap_or_default(), duration, tie_break)
}

fn read_tie_break(section: &Section<'_>, mistakes: &mut Mistakes<'_>) -> Vec<TieBreak> {
    let Some(texts) = section.texts("tie_break", mistakes) else {
        return TIE_BREAK.to_vec();
    };
    if texts.is_empty() {
        let message = "`tie_break` must not be empty; leave the key out for the default";
        mistakes.add(&section.span_of("tie_break"), message);
    }
    let mut criteria = Vec::new();
    for Text { value, span } in texts {
        match TIE_BREAK.into_iter().find(|known| known.name() == value) {
            Some(known) if criteria.contains(&known) => {
                mistakes.add(&span, format!("`{value}` is listed twice"));
            }
            Some(known) => criteria.push(known),
            None => {
                let suggestion = did_you_mean(value, TIE_BREAK.map(TieBreak::name));
                let message = format!(
                    "a tie break must be `score` or `last_scored`, not `{value}`{suggestion}"
                );
                mistakes.add(&span, message);
            }
        }
    }
    criteria
}

fn read_round(
    section: &Section<'_>,
    names: &Names<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Unlockable<Round> {
    section.reject_unknown_keys(&["title", "unlock"], mistakes);
    check_id(section, mistakes);
    Unlockable {
        item: Round {
            id: section.key.into(),
            title: read_title_or_id(section, mistakes),
            unlock: read_unlock(section, names, mistakes),
        },
        unlock_span: section.span_of("unlock"),
    }
}

/// Adds a mistake if an id does not match `[a-z0-9][a-z0-9-]*` or is too long.
pub(super) fn check_id(section: &Section<'_>, mistakes: &mut Mistakes<'_>) {
    let id = section.key;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.starts_with('-') || !id.chars().all(allowed) {
        let message = "an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash";
        mistakes.add(&section.span, message);
    } else if id.len() > limits::ID_CHARS_MAX {
        let message = format!("an id may have at most {} characters", limits::ID_CHARS_MAX);
        mistakes.add(&section.span, message);
    }
}

/// The title; by default derived from the id.
pub(super) fn read_title_or_id(section: &Section<'_>, mistakes: &mut Mistakes<'_>) -> String {
    match section.text("title", mistakes) {
        Some(title) => read_title(&title, mistakes),
        None => readable(section.key),
    }
}

fn read_title(title: &Text<'_>, mistakes: &mut Mistakes<'_>) -> String {
    let max = limits::TITLE_CHARS_MAX;
    if title.value.trim().is_empty() {
        mistakes.add(&title.span, "a title must not be empty");
    } else if title.value.chars().count() > max {
        mistakes.add(
            &title.span,
            format!("a title may have at most {max} characters"),
        );
    } else if title.value.contains(char::is_control) {
        mistakes.add(
            &title.span,
            "a title must be a single line without control characters",
        );
    }
    title.value.trim().to_owned()
}

/// Derives a title from an id: `gull-meta` becomes `Gull meta`.
fn readable(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// The condition under `unlock`; by default always true.
pub(super) fn read_unlock(
    section: &Section<'_>,
    names: &Names<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Unlock {
    let Some(text) = section.text("unlock", mistakes) else {
        return Unlock::AtStart;
    };
    if text.value.trim().is_empty() {
        let message = "the condition is empty; leave `unlock` out to unlock from the start";
        mistakes.add(&text.span, message);
        return Unlock::AtStart;
    }
    let (unlock, found) = expression::parse(text.value, names);
    for (part, message) in found {
        let span = text.span_within(part, mistakes.source());
        mistakes.add(&span, message);
    }
    unlock
}
