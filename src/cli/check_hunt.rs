//! `cluecast hunt check`: reports all mistakes in a hunt, with file, line and column.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use hunt::{Bundle, Hunt, Mistake};

use super::command::{print_error, print_line};
use super::errors::CommandError;

/// Depth of directories below a hunt's directory. Bounds recursion through circular links.
const DEPTH_MAX: usize = 8;

/// Extensions of the files that hunts are written in.
const TEXT_EXTENSIONS: [&str; 2] = ["toml", "md"];

#[derive(Args)]
pub(super) struct CheckHunt {
    /// Directory of the hunt, which contains hunt.toml.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl CheckHunt {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let checked = hunt::parse(&read_folder(&self.folder)?);
        if self.json {
            print_line(to_json(&checked))?;
        } else {
            print_text(&self.folder, &checked)?;
        }
        checked.map(drop).map_err(|_| CommandError::Reported)
    }
}

fn print_text(folder: &Path, checked: &Result<Hunt, Vec<Mistake>>) -> io::Result<()> {
    match checked {
        Ok(hunt) => print_line(format_args!(
            "{}: \"{}\", {} rounds, {} puzzles, no mistakes",
            folder.display(),
            hunt.title,
            hunt.rounds.len(),
            hunt.puzzles.len()
        ))?,
        Err(mistakes) => {
            for mistake in mistakes {
                print_error(mistake.render());
            }
            let plural = if mistakes.len() == 1 { "" } else { "s" };
            print_error(format_args!(
                "{}: {} mistake{plural}",
                folder.display(),
                mistakes.len()
            ));
        }
    }
    Ok(())
}

fn to_json(checked: &Result<Hunt, Vec<Mistake>>) -> serde_json::Value {
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

/// Reads the text files of a hunt's directory, by relative path. Skips binary files such as pictures. Fails
/// on a `.toml` or `.md` file that is not UTF-8, and on a link that leads out of the directory.
pub(super) fn read_folder(folder: &Path) -> Result<Bundle, CommandError> {
    if folder.is_file() {
        return Err(refusal(
            folder,
            "is a file; give the directory that contains it",
        ));
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

fn refusal(path: &Path, what: &str) -> CommandError {
    CommandError::Failed(format!("{} {what}", path.display()))
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
            return Err(refusal(
                &path,
                "is a link out of the hunt's directory; copy the file into it",
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
                    let what = format!("is not valid UTF-8 in line {line}; save it as UTF-8");
                    return Err(refusal(&path, &what));
                }
                Err(_binary_file) => {}
            }
        }
    }
    Ok(())
}

/// Whether a hunt may consist of this file.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| TEXT_EXTENSIONS.contains(&extension))
}
