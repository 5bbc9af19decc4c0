//! `cluecast archive verify`: whether files of an archive are in order.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::CommandError;
use super::output::{complain, say};
use crate::journal::{ArchiveError, ArchiveFile, verify_archive};

/// See there.
#[derive(Subcommand)]
pub(super) enum ArchiveCommand {
    /// Reads each file to its end and checks it; status 1 if one is not in order.
    Verify(Verify),
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
        }
    }
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
