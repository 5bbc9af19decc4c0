//! The content of a folder's files that would survive a power loss at this moment.
//!
//! A write or truncation is durable from the file's next sync on, a file's creation from its first sync on,
//! and a deletion from the next sync of its folder on. SQLite syncs the folder at the first
//! sync of a journal or log that it has created, and with a deletion if it asks for that. This is
//! the least that a file system may do, and what SQLite relies on.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A change of a file that is not durable yet.
#[derive(Debug)]
pub(crate) enum Change {
    /// These bytes were written at this offset.
    Write { offset: usize, bytes: Vec<u8> },
    /// The file was truncated or extended to this size.
    Resize { size: usize },
}

/// The role of a file in SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A database.
    Database,
    /// A rollback journal or a write-ahead log.
    Journal,
}

#[derive(Debug, Default)]
struct FileState {
    /// The content as of the last sync; none before the first.
    durable: Option<Vec<u8>>,
    /// The changes since then, in order.
    pending: Vec<Change>,
    /// Deleted, without a sync of its folder since: the durable content may reappear.
    is_deletion_pending: bool,
    /// The next sync also syncs the folder.
    syncs_folder: bool,
}

/// Records changes of the files below a folder and which of them are durable.
#[derive(Debug)]
pub(crate) struct Recorder {
    root: PathBuf,
    files: Mutex<BTreeMap<PathBuf, FileState>>,
}

impl Recorder {
    /// Records the files below `root`, which must exist.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: root.canonicalize()?,
            files: Mutex::default(),
        })
    }

    /// Writes every durable file into another folder, all as of one moment between two syncs.
    pub(crate) fn write_image_to(&self, folder: &Path) -> io::Result<()> {
        let image: Vec<(PathBuf, Vec<u8>)> = {
            let files = self.files();
            let durable = |(path, file): (&PathBuf, &FileState)| {
                Some((path.clone(), file.durable.as_ref()?.clone()))
            };
            files.iter().filter_map(durable).collect()
        };
        for (path, content) in image {
            let target = folder.join(path);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(target, content)?;
        }
        Ok(())
    }

    /// The name under which a file is recorded; `None` if it is not below the root.
    pub(crate) fn recorded_name(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// To be called before a file is opened. Content from before the recording is durable.
    pub(crate) fn before_open(&self, name: &Path, kind: Kind) {
        let path = self.root.join(name);
        let mut files = self.files();
        let file = files.entry(name.to_owned()).or_insert_with(|| FileState {
            durable: fs::read(&path).ok(),
            ..FileState::default()
        });
        if kind == Kind::Journal && !path.exists() {
            file.syncs_folder = true;
        }
    }

    /// Applies a change to a file and records it on success.
    pub(crate) fn change(&self, name: &Path, change: Change, apply: impl FnOnce() -> bool) {
        let mut files = self.files();
        if apply() {
            let file = files.entry(name.to_owned()).or_default();
            file.pending.push(change);
        }
    }

    /// Synchronises a file; on success all of its changes so far are durable.
    pub(crate) fn sync(&self, name: &Path, apply: impl FnOnce() -> bool) {
        let mut files = self.files();
        if !apply() {
            return;
        }
        let file = files.entry(name.to_owned()).or_default();
        if std::mem::take(&mut file.syncs_folder) {
            sync_folder_of(name, &mut files);
        }
        files.entry(name.to_owned()).or_default().make_durable();
    }

    /// Deletes a file. Without `and_sync_folder` the old content may reappear after a power loss.
    pub(crate) fn delete(&self, name: &Path, and_sync_folder: bool, apply: impl FnOnce() -> bool) {
        let mut files = self.files();
        if !apply() {
            return;
        }
        if let Some(file) = files.get_mut(name) {
            // A new file of this name begins empty, and replaces the old one at its first sync.
            file.pending = vec![Change::Resize { size: 0 }];
            file.is_deletion_pending = true;
        }
        if and_sync_folder {
            sync_folder_of(name, &mut files);
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, FileState>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the deletions in a file's folder durable.
fn sync_folder_of(name: &Path, files: &mut BTreeMap<PathBuf, FileState>) {
    for (path, file) in files {
        if path.parent() == name.parent() && std::mem::take(&mut file.is_deletion_pending) {
            file.durable = None;
        }
    }
}

impl FileState {
    fn make_durable(&mut self) {
        // From here on the name refers to the new file.
        self.is_deletion_pending = false;
        let content = self.durable.get_or_insert_default();
        for change in self.pending.drain(..) {
            match change {
                Change::Resize { size } => content.resize(size, 0),
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len();
                    if content.len() < end {
                        content.resize(end, 0);
                    }
                    content[offset..end].copy_from_slice(&bytes);
                }
            }
        }
    }
}

/// A file of the durable image; `None` if it would be lost.
#[cfg(test)]
fn durable(recorder: &Recorder, name: &str) -> Option<Vec<u8>> {
    recorder.files().get(Path::new(name))?.durable.clone()
}

#[test]
fn a_change_is_durable_from_the_next_sync_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recorder = Recorder::new(folder.path()).expect("it exists");
    let name = Path::new("db");
    let write = |offset, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        recorder.change(name, Change::Write { offset, bytes }, || true);
    };
    write(0, b"abc");
    assert_eq!(durable(&recorder, "db"), None);
    recorder.sync(name, || true);
    write(5, b"f");
    recorder.change(name, Change::Resize { size: 1 }, || true);
    write(2, b"c");
    assert_eq!(durable(&recorder, "db").as_deref(), Some(&b"abc"[..]));
    recorder.sync(name, || false);
    assert_eq!(durable(&recorder, "db").as_deref(), Some(&b"abc"[..]));
    recorder.sync(name, || true);
    assert_eq!(durable(&recorder, "db").as_deref(), Some(&b"a\0c"[..]));
}

#[test]
fn a_deletion_is_durable_when_the_folder_is_synced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recorder = Recorder::new(folder.path()).expect("it exists");
    let name = Path::new("db-wal");
    let write = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        recorder.change(name, Change::Write { offset: 0, bytes }, || true);
    };
    write(b"old frames");
    recorder.sync(name, || true);
    recorder.delete(name, false, || true);
    write(b"new");
    let old = Some(&b"old frames"[..]);
    assert_eq!(durable(&recorder, "db-wal").as_deref(), old);
    recorder.sync(name, || true);
    assert_eq!(durable(&recorder, "db-wal").as_deref(), Some(&b"new"[..]));
    recorder.delete(name, true, || true);
    assert_eq!(durable(&recorder, "db-wal"), None);
}

#[test]
fn the_first_sync_of_a_new_journal_makes_deletions_durable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recorder = Recorder::new(folder.path()).expect("it exists");
    let (journal, log) = (Path::new("db-journal"), Path::new("db-wal"));
    recorder.before_open(journal, Kind::Journal);
    recorder.sync(journal, || true);
    recorder.delete(journal, false, || true);
    recorder.before_open(Path::new("db"), Kind::Database);
    recorder.sync(Path::new("db"), || true);
    assert!(durable(&recorder, "db-journal").is_some());
    recorder.before_open(log, Kind::Journal);
    assert!(durable(&recorder, "db-journal").is_some());
    recorder.sync(log, || true);
    assert!(durable(&recorder, "db-journal").is_none());
}
