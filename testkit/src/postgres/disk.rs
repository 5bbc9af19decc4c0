//! A disk that is small enough to fill.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory (tmpfs). Mounting it requires root. Dropping it unmounts it; drop its users
/// first.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a file system of this size.
    pub fn mount(bytes: u64) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("cluecast-disk-")
            .tempdir()?;
        let size = format!("size={bytes},mode=0755");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "cluecast-disk"])
            .arg(folder.path())
            .status()?;
        if !status.success() {
            let message = format!("mount ended with {status}; mounting a file system needs root");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self { folder })
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it completely. Returns the file to remove to free the space again.
    pub fn fill(&self) -> io::Result<PathBuf> {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path)?;
        match io::copy(&mut io::repeat(0), &mut file) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(path),
            Err(error) => Err(error),
            Ok(_) => unreachable!("an endless source has no end"),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a server that is still ending does not prevent it.
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
    }
}
