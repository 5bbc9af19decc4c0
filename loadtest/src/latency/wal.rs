//! Counts the commits of a SQLite database from outside: the last frame of each commit in the
//! write-ahead log is marked. See the SQLite documentation, "WAL-mode File Format".

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// Header of the log: page size, and the salts of its frames until it restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    page_bytes: u64,
    salts: [u8; 8],
}

/// Follows a log while it is written.
#[derive(Debug)]
pub(super) struct WalReader {
    path: PathBuf,
    header: Option<Header>,
    /// Offset of the next frame.
    position: u64,
}

impl WalReader {
    /// Creates a reader positioned at the current end of the log.
    pub(super) fn from_end(path: PathBuf) -> io::Result<Self> {
        let mut reader = Self {
            path,
            header: None,
            position: HEADER_BYTES,
        };
        reader.commits()?;
        Ok(reader)
    }

    /// Number of commits since the last call. Frames written just before the log restarted are missed,
    /// so call it often.
    pub(super) fn commits(&mut self) -> io::Result<u64> {
        let file = File::open(&self.path)?;
        let mut header = [0; 32];
        if file.read_exact_at(&mut header, 0).is_err() {
            return Ok(0);
        }
        let header = Header {
            page_bytes: u64::from(u32::from_be_bytes(four(&header, 8))),
            salts: std::array::from_fn(|at| header[16 + at]),
        };
        if self.header.replace(header) != Some(header) {
            self.position = HEADER_BYTES;
        }
        let mut commits = 0;
        while let Some(is_commit) = frame(&file, self.position, header) {
            commits += u64::from(is_commit);
            self.position += FRAME_HEADER_BYTES + header.page_bytes;
        }
        Ok(commits)
    }
}

/// Whether the frame at an offset ends a commit; `None` without a frame.
fn frame(file: &File, position: u64, log: Header) -> Option<bool> {
    let mut header = [0; 24];
    file.read_exact_at(&mut header, position).ok()?;
    let is_current = header[8..16] == log.salts;
    is_current.then(|| u32::from_be_bytes(four(&header, 4)) != 0)
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    std::array::from_fn(|offset| bytes[at + offset])
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::WalReader;

    #[test]
    fn commits_are_counted_after_the_log_restarts() {
        let folder = testkit::temporary_folder().expect("a temporary folder can be made");
        let path = folder.path().join("a.sqlite");
        let database = Connection::open(&path).expect("it opens");
        let run = |sql: &str| database.execute_batch(sql).expect("it runs");
        run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x);");
        let log = folder.path().join("a.sqlite-wal");
        let mut reader = WalReader::from_end(log).expect("it is there");
        let mut commits = || reader.commits().expect("it can be read");
        assert_eq!(commits(), 0);
        run("BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT;");
        run("INSERT INTO t VALUES (randomblob(100000));");
        assert_eq!(commits(), 2);
        run("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (3);");
        assert_eq!((commits(), commits()), (1, 0));
    }
}
