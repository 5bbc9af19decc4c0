//! An archive as a folder of files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use futures_util::FutureExt;

use super::super::answer::{Answer, JournalError};
use super::error::ArchiveError;
use super::file::{encode, file_name, verify_archive};
use super::piece::Piece;
use super::{Archive, ArchivePermit};

/// Extension of a file that is being written. A crash may leave one; it can be deleted.
const PARTIAL: &str = "partial";

/// A folder with one file per piece, named by session, first and last event.
#[derive(Debug, Clone)]
pub struct ArchiveFolder {
    folder: PathBuf,
}

impl ArchiveFolder {
    /// Opens an archive in a folder, which is created if it is missing.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|error| JournalError {
            action: "open the archive",
            reason: format!("{}: {error}", folder.display()),
        })?;
        Ok(Self { folder })
    }
}

impl Archive for ArchiveFolder {
    fn store(&self, piece: Piece, permit: ArchivePermit) -> Answer<(), ArchiveError> {
        let folder = self.folder.clone();
        let storing = tokio::task::spawn_blocking(move || {
            let stored = store(&folder, &piece);
            drop(permit);
            stored
        });
        async move {
            storing
                .await
                .expect("it does not panic and is never aborted")
        }
        .boxed()
    }
}

/// Writes a file under a temporary name, renames it once it is on the disk, and reads it back.
fn store(folder: &Path, piece: &Piece) -> Result<(), ArchiveError> {
    let (bytes, digest) = encode(piece);
    let name = file_name(piece.session(), piece.first_seq(), piece.last_seq());
    let path = folder.join(&name);
    // Unique: a former owner may still be writing the same piece.
    let partial = folder.join(format!("{name}.{:016x}.{PARTIAL}", rand::random::<u64>()));
    let written = write(&partial, &bytes).and_then(|()| fs::rename(&partial, &path));
    if let Err(error) = written {
        // The file may not exist, and a leftover is harmless.
        drop(fs::remove_file(&partial));
        return Err(error.into());
    }
    // The rename is durable once the folder is synchronised.
    File::open(folder)?.sync_all()?;
    let found = verify_archive(&path)?;
    if found.digest != digest {
        return Err(ArchiveError::ReadBack);
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::super::super::ledger::StoredBatch;
    use super::super::{Archive, ArchivePermit, Piece, verify_archive};
    use super::ArchiveFolder;
    use crate::ids::{Epoch, SessionId};

    fn piece() -> Piece {
        let batch = StoredBatch {
            first_seq: 1,
            last_seq: 5,
            epoch: Epoch(1),
            events: vec![9; 1_000],
        };
        Piece::new(SessionId::new(7), vec![batch]).expect("it has a batch")
    }

    async fn permit() -> ArchivePermit {
        ArchivePermit::acquire(&Arc::new(Semaphore::new(1))).await
    }

    #[tokio::test]
    async fn a_piece_is_one_file_however_often_it_is_stored() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("archive");
        let archive = ArchiveFolder::open(&folder).expect("it can be created");
        for _ in 0..2 {
            let stored = archive.store(piece(), permit().await).await;
            stored.expect("there is room");
        }
        let files: Vec<_> = fs::read_dir(&folder).expect("it is there").collect();
        assert_eq!(files.len(), 1);
        let path = files[0].as_ref().expect("it is read").path();
        let name = path.file_name().and_then(|name| name.to_str());
        assert_eq!(
            name,
            Some("0000000000000007-00000000000000000001-00000000000000000005.cluearc")
        );
        let file = verify_archive(&path).expect("it was read back before");
        assert_eq!((file.first_seq, file.last_seq), (1, 5));
    }

    #[tokio::test]
    async fn a_piece_that_cannot_be_written_fails_and_leaves_nothing() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let archive = ArchiveFolder::open(parent.path()).expect("it is there");
        // A folder under the name of the file blocks the rename.
        let name = "0000000000000007-00000000000000000001-00000000000000000005.cluearc";
        let blocked = parent.path().join(name).join("full");
        fs::create_dir_all(&blocked).expect("it can be created");
        let stored = archive.store(piece(), permit().await).await;
        stored.expect_err("the name is taken");
        let count = fs::read_dir(parent.path()).expect("it is there").count();
        assert_eq!(count, 1, "only the blocking folder");
    }
}
