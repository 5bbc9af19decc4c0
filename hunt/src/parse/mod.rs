//! Parses the files of a hunt into a [`Hunt`], or into a list of mistakes.
//!
//! Never reads files or prints. A mistake does not stop the parser: it records the mistake, substitutes the
//! most lenient value and continues. Authors therefore see all mistakes at once, without mistakes that only
//! follow from others.

mod duration;
mod expression;
mod hunt_file;
mod mistake;
mod puzzle;
mod reach;
mod section;
mod suggestion;
mod tokens;

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::definition::Hunt;

pub use mistake::Mistake;
use mistake::Mistakes;

/// The files of a hunt by their path in its folder, with `/` as the separator.
pub type Bundle = BTreeMap<String, String>;

/// The required file.
const HUNT_FILE: &str = "hunt.toml";

/// Parses a hunt. On failure, returns all mistakes in the order of the file; if the TOML is invalid, only
/// the syntax errors.
pub fn parse(files: &Bundle) -> Result<Hunt, Vec<Mistake>> {
    let Some(source) = files.get(HUNT_FILE) else {
        let message = format!("there is no {HUNT_FILE}; every hunt needs one in its top folder");
        return Err(vec![Mistake::missing_file(HUNT_FILE, message)]);
    };
    let mut mistakes = Mistakes::new(HUNT_FILE, source);
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        mistakes.add(&error.span().unwrap_or(0..0), error.message());
    }
    if !errors.is_empty() {
        return Err(mistakes.into_sorted());
    }
    let hunt = hunt_file::read(document.get_ref(), files, &mut mistakes);
    let mistakes = mistakes.into_sorted();
    match hunt {
        Some(hunt) if mistakes.is_empty() => Ok(hunt),
        Some(_) | None => Err(mistakes),
    }
}
