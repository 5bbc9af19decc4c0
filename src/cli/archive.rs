//! `cluecast archive`: verifies archive files, and prints their events.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::command::{print_error, print_line};
use super::errors::CommandError;
use crate::http::export_lines;
use crate::journal::{ArchiveError, ArchiveFile, StoredBatch, read_archive, verify_archive};

#[derive(Subcommand)]
pub(super) enum ArchiveCommand {
    /// Read and verify each file completely. The exit status is 1 if one is damaged.
    Verify(Verify),
    /// Print the events in one session's files as JSON lines, in the format of an export. The exit status
    /// is 1 if events are missing between the files.
    Show(Show),
}

#[derive(Args)]
pub(super) struct Verify {
    /// Files in the directory `journal.archive_dir`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object instead of text.
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

#[derive(Args)]
pub(super) struct Show {
    /// Files in the directory `journal.archive_dir`, in any order, all of one session.
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
                "the files belong to several sessions; file names start with the session id";
            return Err(CommandError::Failed(reason.to_owned()));
        }
        let mut last_printed = None;
        let mut is_complete = true;
        for (path, file) in files {
            let next = last_printed.map_or(file.first_seq, |last: u64| last + 1);
            if file.first_seq > next {
                is_complete = false;
                print_error(format_args!(
                    "events {next} to {} are missing from these files",
                    file.first_seq - 1
                ));
            }
            let batches = read_archive(path).map_err(|error| failed(path, &error))?;
            // Files may overlap after a crash; the common events are identical.
            for batch in batches.iter().filter(|batch| batch.first_seq >= next) {
                print_batch(path, batch)?;
            }
            last_printed = last_printed.max(Some(file.last_seq));
        }
        if is_complete {
            Ok(())
        } else {
            Err(CommandError::Reported)
        }
    }
}

fn print_batch(path: &Path, batch: &StoredBatch) -> Result<(), CommandError> {
    let lines = export_lines(batch).map_err(|error| failed(path, &error))?;
    Ok(io::stdout().lock().write_all(&lines)?)
}

fn failed(path: &Path, error: &dyn std::error::Error) -> CommandError {
    CommandError::Failed(format!("{}: {error}", path.display()))
}

type VerifyResult = Result<ArchiveFile, ArchiveError>;

impl Verify {
    fn run(self) -> Result<(), CommandError> {
        let verified = self.files.iter().map(|path| (path, verify_archive(path)));
        let verified: Vec<(&PathBuf, VerifyResult)> = verified.collect();
        if self.json {
            let files = verified.iter().map(|(path, file)| to_json(path, file));
            print_line(json!({ "files": files.collect::<Vec<_>>() }))?;
        } else {
            for (path, file) in &verified {
                print_text(path, file)?;
            }
        }
        if verified.iter().all(|(_, file)| file.is_ok()) {
            Ok(())
        } else {
            Err(CommandError::Reported)
        }
    }
}

fn print_text(path: &Path, file: &VerifyResult) -> io::Result<()> {
    match file {
        Ok(file) => print_line(format_args!(
            "{}: session {}, events {} to {} in {} batches, verified",
            path.display(),
            file.session,
            file.first_seq,
            file.last_seq,
            file.batches
        ))?,
        Err(error) => print_error(format_args!("{}: {error}", path.display())),
    }
    Ok(())
}

fn to_json(path: &Path, file: &VerifyResult) -> Value {
    let name = path.display().to_string();
    match file {
        Ok(file) => json!({
            "file": name,
            "ok": true,
            "session": file.session.to_string(),
            "first_seq": file.first_seq,
            "last_seq": file.last_seq,
            "batches": file.batches,
            "sha256": hex::encode(file.digest),
        }),
        Err(error) => json!({ "file": name, "ok": false, "error": error.to_string() }),
    }
}
