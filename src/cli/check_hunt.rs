//! `cluecast hunt check`: every mistake in a hunt, with its place.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use hunt::{Bundle, Hunt, Mistake};

use super::CommandError;
use super::output::{complain, say};

/// How deep folders in a hunt's folder may lie, so that a link in a circle ends.
const DEPTH_MAX: usize = 8;

/// The files that hunts are written in.
const TEXTS: [&str; 2] = ["toml", "md"];

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
            say(as_json(&checked))?;
        } else {
            print_for_people(&self.folder, &checked)?;
        }
        checked.map(drop).map_err(|_| CommandError::Reported)
    }
}

fn print_for_people(folder: &Path, checked: &Result<Hunt, Vec<Mistake>>) -> io::Result<()> {
    match checked {
        Ok(hunt) => say(format_args!(
            "{}: \"{}\", {}, {}, no mistakes",
            folder.display(),
            hunt.title,
            counted(hunt.rounds.len(), "round"),
            counted(hunt.puzzles.len(), "puzzle")
        ))?,
        Err(mistakes) => {
            for mistake in mistakes {
                complain(mistake.render());
            }
            let count = counted(mistakes.len(), "mistake");
            complain(format_args!("{}: {count}", folder.display()));
        }
    }
    Ok(())
}

/// `1 round`, `2 rounds`.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
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
/// left out; what a hunt consists of must be text, and lie in the folder.
pub(super) fn read_folder(folder: &Path) -> Result<Bundle, CommandError> {
    if folder.is_file() {
        return Err(refused(folder, "is a file; name the folder that it is in"));
    }
    let mut files = Bundle::new();
    let root = folder.canonicalize().map_err(failed(folder))?;
    collect(&root, folder, "", DEPTH_MAX, &mut files)?;
    Ok(files)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> CommandError {
    let path = path.to_owned();
    move |reason| CommandError::File {
        path: path.clone(),
        reason,
    }
}

fn refused(path: &Path, what: &str) -> CommandError {
    CommandError::Failed(format!("{}: it {what}", path.display()))
}

fn collect(
    root: &Path,
    folder: &Path,
    prefix: &str,
    depth_left: usize,
    files: &mut Bundle,
) -> Result<(), CommandError> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        let real = path.canonicalize().map_err(failed(&path))?;
        if !real.starts_with(root) {
            return Err(refused(
                &path,
                "leads out of the hunt's folder; put a copy there",
            ));
        }
        if real.is_dir() {
            if depth_left > 0 {
                collect(root, &path, &format!("{name}/"), depth_left - 1, files)?;
            }
        } else {
            match String::from_utf8(fs::read(&path).map_err(failed(&path))?) {
                Ok(text) => {
                    files.insert(name, text);
                }
                Err(error) if is_text(&path) => {
                    let at = error.utf8_error().valid_up_to();
                    let lines = error.as_bytes()[..at].split(|byte| *byte == b'\n');
                    let line = lines.count();
                    let what = format!("is not UTF-8 in line {line}; save it as UTF-8");
                    return Err(refused(&path, &what));
                }
                Err(_picture) => {}
            }
        }
    }
    Ok(())
}

/// Whether a hunt would read it.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| TEXTS.contains(&extension))
}
