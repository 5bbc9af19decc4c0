//! An archive as a folder of files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use futures_util::FutureExt;

use super::super::{Answer, JournalError, SessionId};
use super::file::{ArchiveError, encode, verify_archive};
use super::{Archive, ArchivePlace, Piece};

/// How the names of files end.
const ENDING: &str = "cluearc";
/// What is added while a file is being written. A crash may leave one; nobody needs it.
const PARTIAL: &str = "partial";

/// A folder with a file for each piece: session, first and last event are its name.
#[derive(Debug, Clone)]
pub struct ArchiveFolder {
    folder: PathBuf,
}

impl ArchiveFolder {
    /// An archive in a folder, which is created if it is missing.
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
    fn store(&self, piece: Piece, place: ArchivePlace) -> Answer<(), ArchiveError> {
        let folder = self.folder.clone();
        let storing = tokio::task::spawn_blocking(move || {
            let stored = store(&folder, &piece);
            drop(place);
            stored
        });
        async move {
            storing
                .await
                .expect("it does not panic, and nobody aborts it")
        }
        .boxed()
    }
}

/// Writes a file under another name, gives it its own when it is on the disk, and reads it back.
fn store(folder: &Path, piece: &Piece) -> Result<(), ArchiveError> {
    let (bytes, digest) = encode(piece);
    let name = file_name(piece.session(), piece.first_seq(), piece.last_seq());
    let path = folder.join(&name);
    // Of its own: a node that was replaced may still be writing the same piece.
    let partial = folder.join(format!("{name}.{:016x}.{PARTIAL}", rand::random::<u64>()));
    let written = write(&partial, &bytes).and_then(|()| fs::rename(&partial, &path));
    if let Err(error) = written {
        // It may not even be there; and what is left of it harms nobody.
        drop(fs::remove_file(&partial));
        return Err(error.into());
    }
    // The name is durable with its folder.
    File::open(folder)?.sync_all()?;
    let found = verify_archive(&path)?;
    if found.digest != digest {
        return Err(ArchiveError::ReadBack);
    }
    Ok(())
}

/// What the file of these events is called.
pub(super) fn file_name(session: SessionId, first_seq: u64, last_seq: u64) -> String {
    format!("{session}-{first_seq:020}-{last_seq:020}.{ENDING}")
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

    use super::super::super::{Epoch, SessionId, StoredBatch};
    use super::super::{Archive, ArchivePlace, Piece, verify_archive};
    use super::ArchiveFolder;

    fn piece() -> Piece {
        let batch = StoredBatch {
            first_seq: 1,
            last_seq: 5,
            epoch: Epoch(1),
            events: vec![9; 1_000],
        };
        Piece::new(SessionId::new(7), vec![batch]).expect("it has a batch")
    }

    async fn place() -> ArchivePlace {
        ArchivePlace::of(&Arc::new(Semaphore::new(1))).await
    }

    #[tokio::test]
    async fn a_piece_is_one_file_however_often_it_is_stored() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("archive");
        let archive = ArchiveFolder::open(&folder).expect("it can be made");
        for _ in 0..2 {
            let stored = archive.store(piece(), place().await).await;
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
    async fn a_piece_that_cannot_be_written_is_told_and_leaves_nothing() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let archive = ArchiveFolder::open(parent.path()).expect("it is there");
        // In the place of the file, so that it cannot get its name.
        let name = "0000000000000007-00000000000000000001-00000000000000000005.cluearc";
        let blocked = parent.path().join(name).join("full");
        fs::create_dir_all(&blocked).expect("it can be made");
        let stored = archive.store(piece(), place().await).await;
        stored.expect_err("the name is taken");
        let count = fs::read_dir(parent.path()).expect("it is there").count();
        assert_eq!(count, 1, "only what was in the way");
    }
}
