//! `cluecast hunt check`: every mistake in a hunt, with its place.

use std::path::{Path, PathBuf};

use clap::Args;
use hunt::{Bundle, Hunt, Mistake};

use super::CommandError;

/// How deep folders in a hunt's folder may lie, so that a link in a circle ends.
const DEPTH_MAX: usize = 8;

/// See there.
#[derive(Args)]
pub(super) struct CheckHunt {
    /// The hunt's folder, with its hunt.toml.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl CheckHunt {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let checked = hunt::parse(&read_folder(&self.folder)?);
        if self.json {
            println!("{}", as_json(&checked));
        } else {
            print_for_people(&self.folder, &checked);
        }
        checked.map(drop).map_err(|_| CommandError::Reported)
    }
}

fn print_for_people(folder: &Path, checked: &Result<Hunt, Vec<Mistake>>) {
    match checked {
        Ok(hunt) => println!(
            "{}: \"{}\", {} rounds, {} puzzles, no mistakes",
            folder.display(),
            hunt.title,
            hunt.rounds.len(),
            hunt.puzzles.len()
        ),
        Err(mistakes) => {
            for mistake in mistakes {
                eprintln!("{}", mistake.render());
            }
            let plural = if mistakes.len() == 1 { "" } else { "s" };
            eprintln!("{}: {} mistake{plural}", folder.display(), mistakes.len());
        }
    }
}

fn as_json(checked: &Result<Hunt, Vec<Mistake>>) -> serde_json::Value {
    let mistakes = checked.as_ref().err().into_iter().flatten().map(|mistake| {
        serde_json::json!({
            "file": mistake.file,
            "line": mistake.line,
            "column": mistake.column,
            "message": mistake.message,
        })
    });
    serde_json::json!({ "mistakes": mistakes.collect::<Vec<_>>() })
}

/// The texts of a hunt's folder by their path in it. Files that are no text, such as pictures, are
/// left out.
pub(super) fn read_folder(folder: &Path) -> Result<Bundle, CommandError> {
    let mut files = Bundle::new();
    collect(folder, "", DEPTH_MAX, &mut files)?;
    Ok(files)
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth_left: usize,
    files: &mut Bundle,
) -> Result<(), CommandError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| CommandError::File { path, reason }
    };
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            if depth_left > 0 {
                collect(&path, &format!("{name}/"), depth_left - 1, files)?;
            }
        } else if let Ok(text) = String::from_utf8(std::fs::read(&path).map_err(failed(&path))?) {
            files.insert(name, text);
        }
    }
    Ok(())
}
