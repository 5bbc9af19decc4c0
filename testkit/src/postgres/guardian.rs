//! A process that cleans up after a cluster when its owner drops it or dies.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Owns a folder and the server that runs in it, if there is one. When this is dropped, or the process that
/// holds it ends in any way, the server is ended and the folder removed.
#[derive(Debug)]
pub(super) struct Guardian {
    folder: PathBuf,
    /// Open for as long as the owner lives. The guardian waits for it to be closed.
    pipe: Option<ChildStdin>,
    process: Child,
}

impl Guardian {
    /// Creates a folder and the process that guards it.
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
            // An interrupt from the terminal must end only the owner; this process then cleans up.
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

    /// Closes the pipe, which starts the cleanup.
    pub(super) fn let_go(&mut self) {
        drop(self.pipe.take());
    }

    /// Blocks until the cleanup is complete.
    pub(super) fn wait(&mut self) {
        // It fails only if the process has already been reaped.
        let _ = self.process.wait();
    }
}

impl Drop for Guardian {
    /// Blocks until the cleanup is complete, for some hundredths of a second.
    fn drop(&mut self) {
        self.let_go();
        self.wait();
    }
}
