//! From the files of a hunt to a [`Hunt`], or to everything that is wrong with them.
//!
//! Text in, values out: reading the folder and printing mistakes are somebody else's. A mistake never
//! ends the reading; what is wrong is noted, replaced by the most lenient value, and the rest is read
//! on, so that authors see all of their mistakes at once and no mistake that only follows from
//! another.

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

/// The files of a hunt by their path in its folder, with `/` between folders.
pub type Bundle = BTreeMap<String, String>;

/// The file that every hunt has.
const HUNT_FILE: &str = "hunt.toml";

/// Reads a hunt. What cannot be read comes back as every mistake in it, in the order of the file;
/// after a mistake in the TOML itself, only those of that kind.
pub fn parse(files: &Bundle) -> Result<Hunt, Vec<Mistake>> {
    let Some(source) = files.get(HUNT_FILE) else {
        let message = format!("there is no {HUNT_FILE}; every hunt needs one in its top folder");
        return Err(vec![Mistake::of_missing_file(HUNT_FILE, message)]);
    };
    let mut mistakes = Mistakes::of(HUNT_FILE, source);
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
