//! How a journal's folder is opened, and the lock that gives it to one process at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::OpenFlags;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::super::files::{make_private_folder, open_private_file};

/// The database's name within its folder.
pub const DATABASE_FILE: &str = "journal.sqlite";
const LOCK_FILE: &str = "journal.lock";
/// How long a connection waits for the lock of another one: longer than any checkpoint takes.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// How a SQLite journal is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The folder; created if it is missing.
    pub folder: PathBuf,
    /// Batches per transaction at most.
    pub flush_batches_max: usize,
    /// Longest time between two checkpoints of the write-ahead log while commits never pause.
    pub checkpoint_every: Duration,
    /// Size of the write-ahead log above which the next check runs a checkpoint that restarts it.
    pub wal_bytes_max: u64,
    /// SQLite's `synchronous` setting. Anything below `Full` loses acknowledged events on power loss;
    /// tests use it to prove that they would detect that.
    pub synchronous: SqliteSynchronous,
    /// The SQLite VFS to use, for tests that record disk writes.
    pub vfs: Option<String>,
}

impl SqliteOptions {
    /// The defaults of `config/default.toml` for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            flush_batches_max: 512,
            checkpoint_every: Duration::from_secs(30),
            wal_bytes_max: 256 << 20,
            synchronous: SqliteSynchronous::Full,
            vfs: None,
        }
    }

    /// Opens the writing connection, with the same settings as the others.
    pub(super) fn open_writer(&self) -> rusqlite::Result<rusqlite::Connection> {
        let path = self.folder.join(DATABASE_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            Some(vfs) => rusqlite::Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
            None => rusqlite::Connection::open_with_flags(path, flags),
        }?;
        connection.busy_timeout(BUSY_WAIT)?;
        let synchronous = match self.synchronous {
            SqliteSynchronous::Off => "OFF",
            SqliteSynchronous::Normal => "NORMAL",
            SqliteSynchronous::Full => "FULL",
            SqliteSynchronous::Extra => "EXTRA",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }

    pub(super) fn connect_options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .filename(self.folder.join(DATABASE_FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(self.synchronous)
            .busy_timeout(BUSY_WAIT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "0")
            .disable_statement_logging();
        match &self.vfs {
            Some(vfs) => options.vfs(vfs.clone()),
            None => options,
        }
    }
}

/// Creates the folder if it is missing and locks it. The lock lasts until the file is closed.
pub(super) fn lock_folder(folder: &Path) -> Result<File, String> {
    let described = |error: std::io::Error| format!("{}: {error}", folder.display());
    make_private_folder(folder).map_err(described)?;
    let file = open_private_file(&folder.join(LOCK_FILE)).map_err(described)?;
    // SQLite creates its other files with this one's permissions.
    open_private_file(&folder.join(DATABASE_FILE)).map_err(described)?;
    file.try_lock().map_err(|_| {
        let folder = folder.display();
        format!("{folder} is in use by another server; stop it or choose another folder")
    })?;
    Ok(file)
}
