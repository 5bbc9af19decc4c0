//! `cluecast archive`: whether files of an archive are in order, and what is in them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::CommandError;
use super::output::{complain, say};
use crate::http::export_lines;
use crate::journal::{ArchiveError, ArchiveFile, StoredBatch, read_archive, verify_archive};

/// See there.
#[derive(Subcommand)]
pub(super) enum ArchiveCommand {
    /// Reads each file to its end and checks it; status 1 if one is not in order.
    Verify(Verify),
    /// Prints the events of one session's files as JSON lines, like its export; status 1 if some are
    /// missing between them.
    Show(Show),
}

/// See there.
#[derive(Args)]
pub(super) struct Verify {
    /// Files of the folder `journal.archive_dir`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl ArchiveCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Show(show) => show.run(),
        }
    }
}

/// See there.
#[derive(Args)]
pub(super) struct Show {
    /// Files of the folder `journal.archive_dir`, in any order, all of one session.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Show {
    fn run(self) -> Result<(), CommandError> {
        let mut files = Vec::new();
        for path in &self.files {
            files.push((
                path,
                verify_archive(path).map_err(|error| failed(path, &error))?,
            ));
        }
        files.sort_by_key(|(_, file)| (file.session.number(), file.first_seq));
        if files
            .windows(2)
            .any(|pair| pair[0].1.session != pair[1].1.session)
        {
            let reason =
                "these files are of several sessions; their names begin with the session's";
            return Err(CommandError::Failed(reason.to_owned()));
        }
        let mut shown = None;
        let mut is_whole = true;
        for (path, file) in files {
            let next = shown.map_or(file.first_seq, |last: u64| last + 1);
            if file.first_seq > next {
                is_whole = false;
                complain(format_args!(
                    "events {next} to {} are in none of these files",
                    file.first_seq - 1
                ));
            }
            let batches = read_archive(path).map_err(|error| failed(path, &error))?;
            // Files may overlap, and what they have in common is the same.
            for batch in batches.iter().filter(|batch| batch.first_seq >= next) {
                print(path, batch)?;
            }
            shown = shown.max(Some(file.last_seq));
        }
        if is_whole {
            Ok(())
        } else {
            Err(CommandError::Reported)
        }
    }
}

fn print(path: &Path, batch: &StoredBatch) -> Result<(), CommandError> {
    let lines = export_lines(batch).map_err(|error| failed(path, &error))?;
    Ok(io::stdout().lock().write_all(&lines)?)
}

fn failed(path: &Path, error: &dyn std::error::Error) -> CommandError {
    CommandError::Failed(format!("{}: {error}", path.display()))
}

type Verified = Result<ArchiveFile, ArchiveError>;

impl Verify {
    fn run(self) -> Result<(), CommandError> {
        let verified = self.files.iter().map(|path| (path, verify_archive(path)));
        let verified: Vec<(&PathBuf, Verified)> = verified.collect();
        if self.json {
            let files = verified.iter().map(|(path, file)| as_json(path, file));
            say(json!({ "files": files.collect::<Vec<_>>() }))?;
        } else {
            for (path, file) in &verified {
                print_for_people(path, file)?;
            }
        }
        if verified.iter().all(|(_, file)| file.is_ok()) {
            Ok(())
        } else {
            Err(CommandError::Reported)
        }
    }
}

fn print_for_people(path: &Path, file: &Verified) -> io::Result<()> {
    match file {
        Ok(file) => say(format_args!(
            "{}: session {}, events {} to {} in {} batches, in order",
            path.display(),
            file.session,
            file.first_seq,
            file.last_seq,
            file.batches
        ))?,
        Err(error) => complain(format_args!("{}: {error}", path.display())),
    }
    Ok(())
}

fn as_json(path: &Path, file: &Verified) -> Value {
    let name = path.display().to_string();
    match file {
        Ok(file) => json!({
            "file": name,
            "ok": true,
            "session": file.session.to_string(),
            "first_seq": file.first_seq,
            "last_seq": file.last_seq,
            "batches": file.batches,
            "sha256": hex(&file.digest),
        }),
        Err(error) => json!({ "file": name, "ok": false, "error": error.to_string() }),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}
