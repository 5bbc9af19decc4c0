//! Configuration: mutated files, each refused with file, line and key or accepted and working; the
//! defaults' own explanations; and the commands that tell about settings.

mod accepted;
mod command;
mod hunts;
mod keys;
mod mutations;

use cluecast::config::{Config, ConfigMistake, Layers, Origin};
use mutations::{Expected, Mutation, mutations};

/// What the mutated files are called.
const FILE: &str = "mutated.toml";

/// At least as many must be tried, and each class of them must occur.
const MUTATIONS_MIN: usize = 200;

fn read(text: &str) -> Result<Config, Vec<ConfigMistake>> {
    let mut layers = Layers::built_in();
    layers.add_text(FILE, text);
    Config::read(layers)
}

/// The line, key and text of a mistake, which must be in the file.
fn place(mistake: &ConfigMistake) -> (usize, Option<&str>) {
    let Origin::File { name, line } = &mistake.origin else {
        panic!("{mistake} names no line");
    };
    assert_eq!(name, FILE);
    (*line, mistake.key.as_deref())
}

fn check(mutation: &Mutation) -> Result<(), String> {
    let read = read(&mutation.text);
    let lines = mutation.text.lines().count() + 1;
    match (&mutation.expected, &read) {
        (Expected::Accepted | Expected::Either, Ok(_)) => Ok(()),
        (Expected::Refused { line, key }, Err(mistakes)) => {
            let wanted = (*line, Some(key.as_str()));
            if mistakes.iter().map(place).eq([wanted]) {
                Ok(())
            } else {
                Err(format!("exactly {wanted:?} is wrong, but {mistakes:?}"))
            }
        }
        // Wherever it was broken, a mistake has a line of the file.
        (Expected::Either, Err(mistakes)) => {
            let within = |mistake| (1..=lines).contains(&place(mistake).0);
            if mistakes.is_empty() || !mistakes.iter().all(within) {
                return Err(format!("a line of the file is wrong, but {mistakes:?}"));
            }
            Ok(())
        }
        (Expected::Accepted, Err(mistakes)) => Err(format!("nothing is wrong, but {mistakes:?}")),
        (Expected::Refused { line, key }, Ok(_)) => {
            Err(format!("line {line}, {key:?} is wrong, but was accepted"))
        }
    }
}

#[test]
fn mutated_files_are_refused_with_line_and_key_or_accepted() {
    let mutations = mutations();
    assert!(mutations.len() >= MUTATIONS_MIN, "{}", mutations.len());
    let mut failures = Vec::new();
    for mutation in &mutations {
        if let Err(failure) = check(mutation) {
            failures.push(format!("{}: {failure}", mutation.name));
        }
    }
    let count = |of: fn(&Expected) -> bool| {
        let all = mutations.iter().map(|mutation| &mutation.expected);
        all.filter(|expected| of(expected)).count()
    };
    println!(
        "{} mutated files: {} to be refused, {} to be accepted, {} broken anywhere",
        mutations.len(),
        count(|expected| matches!(expected, Expected::Refused { .. })),
        count(|expected| matches!(expected, Expected::Accepted)),
        count(|expected| matches!(expected, Expected::Either)),
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
