//! A process that cleans up after a cluster when its owner lets go of it, or dies.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Owns a folder, and the server that runs in it if there is one. When this is dropped, and also when
/// the process that holds it ends in any way, the server is ended and the folder removed.
#[derive(Debug)]
pub(super) struct Guardian {
    folder: PathBuf,
    /// Open for as long as the owner lives: its end is what the guardian waits for.
    pipe: Option<ChildStdin>,
    process: Child,
}

impl Guardian {
    /// Makes a folder and guards it.
    pub(super) fn of_new_folder() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("cluecast-postgres-")
            .tempdir()?;
        let mut process = Command::new("sh")
            .args(["-c", include_str!("guardian.sh"), "guardian"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt from the terminal ends the owner, and must not end this before it.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            folder: folder.keep(),
            pipe: process.stdin.take(),
            process,
        })
    }

    /// The guarded folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Closes the pipe, upon which everything is cleaned up.
    pub(super) fn let_go(&mut self) {
        drop(self.pipe.take());
    }

    /// Blocks until everything is cleaned up.
    pub(super) fn wait(&mut self) {
        // It fails only if nobody is there to wait for.
        let _ = self.process.wait();
    }
}

impl Drop for Guardian {
    /// Blocks until everything is cleaned up, some hundredths of a second.
    fn drop(&mut self) {
        self.let_go();
        self.wait();
    }
}
