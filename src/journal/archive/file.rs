//! The format of an archive file.
//!
//! All numbers are big-endian.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | `CLUEARCH` |
//! | 2 | format number: 1 |
//! | 8 | session id |
//! | 8, 8 | numbers of the first and the last event |
//! | 4 | number of batches |
//! | 8, 8, 8, 4, n | per batch: first and last event, epoch, length of the events in bytes, and the events as stored in the journal |
//! | 32 | SHA-256 of everything before |
//!
//! Nothing follows. A file in another format is refused by its number.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::ledger::StoredBatch;
use super::error::ArchiveError;
use super::piece::Piece;
use crate::ids::{Epoch, SessionId};

const MAGIC: [u8; 8] = *b"CLUEARCH";
const FORMAT: u16 = 1;
/// Extension of complete files.
const EXTENSION: &str = "cluearc";

/// Content of a file that was read and verified in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveFile {
    /// The session.
    pub session: SessionId,
    /// The number of its first event.
    pub first_seq: u64,
    /// The number of its last event.
    pub last_seq: u64,
    /// Number of batches.
    pub batches: u32,
    /// SHA-256 of everything before the digest.
    pub digest: [u8; 32],
}

/// Encodes a piece; returns the file and its digest.
pub(super) fn encode(piece: &Piece) -> (Vec<u8>, [u8; 32]) {
    let payload: usize = piece.batches().iter().map(|batch| batch.events.len()).sum();
    let mut bytes = Vec::with_capacity(payload + 32 * piece.batches().len() + 128);
    let count = u32::try_from(piece.batches().len()).expect("a piece has few batches");
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_be_bytes());
    bytes.extend(piece.session().number().to_be_bytes());
    bytes.extend(piece.first_seq().to_be_bytes());
    bytes.extend(piece.last_seq().to_be_bytes());
    bytes.extend(count.to_be_bytes());
    for batch in piece.batches() {
        let length = u32::try_from(batch.events.len()).expect("a batch is far below 4 GiB");
        bytes.extend(batch.first_seq.to_be_bytes());
        bytes.extend(batch.last_seq.to_be_bytes());
        bytes.extend(batch.epoch.0.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(&batch.events);
    }
    let digest = Sha256::digest(&bytes).into();
    bytes.extend(digest);
    (bytes, digest)
}

/// Reads a file in full and verifies its digest, that its batches are contiguous from its first event to its
/// last, and that its name matches. Blocks.
pub fn verify_archive(path: &Path) -> Result<ArchiveFile, ArchiveError> {
    let file = read(BufReader::new(File::open(path)?), drop)?;
    let name = file_name(file.session, file.first_seq, file.last_seq);
    if path.file_name() != Some(name.as_ref()) {
        return Err(ArchiveError::OtherName(name));
    }
    Ok(file)
}

/// The name of a file with these events.
pub(super) fn file_name(session: SessionId, first_seq: u64, last_seq: u64) -> String {
    format!("{session}-{first_seq:020}-{last_seq:020}.{EXTENSION}")
}

/// The batches of a file; its name is not checked. Blocks.
pub fn read_archive(path: &Path) -> Result<Vec<StoredBatch>, ArchiveError> {
    let mut batches = Vec::new();
    read(BufReader::new(File::open(path)?), |batch| {
        batches.push(batch);
    })?;
    Ok(batches)
}

/// Reads a file to its end. Batches passed to `each` are unverified until this returns `Ok`.
fn read(file: impl Read, mut each: impl FnMut(StoredBatch)) -> Result<ArchiveFile, ArchiveError> {
    let mut reader = Reader {
        file,
        digest: Sha256::new(),
    };
    if reader.bytes()? != MAGIC {
        return Err(ArchiveError::NotAnArchive);
    }
    let format = u16::from_be_bytes(reader.bytes()?);
    if format != FORMAT {
        let known = FORMAT;
        return Err(ArchiveError::UnknownFormat { format, known });
    }
    let session = SessionId::new(reader.number()?);
    let first_seq = reader.number()?;
    let last_seq = reader.number()?;
    let batches = u32::from_be_bytes(reader.bytes()?);
    let mut next_seq = first_seq;
    for _ in 0..batches {
        let (first, last) = (reader.number()?, reader.number()?);
        if first != next_seq || last < first {
            return Err(ArchiveError::Damaged(
                "a batch does not follow the one before",
            ));
        }
        let epoch = Epoch(reader.number()?);
        let length = u32::from_be_bytes(reader.bytes()?);
        each(StoredBatch {
            first_seq: first,
            last_seq: last,
            epoch,
            events: reader.events(length)?,
        });
        next_seq = last.saturating_add(1);
    }
    if next_seq != last_seq.saturating_add(1) {
        return Err(ArchiveError::Damaged("batches are missing"));
    }
    let digest = reader.end()?;
    Ok(ArchiveFile {
        session,
        first_seq,
        last_seq,
        batches,
        digest,
    })
}

/// Reads and computes the digest.
struct Reader<R> {
    file: R,
    digest: Sha256,
}

impl<R: Read> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(truncated)?;
        self.digest.update(bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64, ArchiveError> {
        Ok(u64::from_be_bytes(self.bytes()?))
    }

    fn events(&mut self, length: u32) -> Result<Vec<u8>, ArchiveError> {
        let mut part = self.file.by_ref().take(length.into());
        let mut events = Vec::new();
        if part.read_to_end(&mut events)? < length as usize {
            return Err(ArchiveError::Damaged("it is truncated"));
        }
        self.digest.update(&events);
        Ok(events)
    }

    /// Verifies the digest and the end of the file; returns the digest.
    fn end(mut self) -> Result<[u8; 32], ArchiveError> {
        let found: [u8; 32] = self.digest.clone().finalize().into();
        if self.bytes()? != found {
            return Err(ArchiveError::Damaged("its digest does not match"));
        }
        if self.file.read(&mut [0])? > 0 {
            return Err(ArchiveError::Damaged("something follows its end"));
        }
        Ok(found)
    }
}

fn truncated(error: io::Error) -> ArchiveError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        ArchiveError::Damaged("it is truncated")
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ledger::StoredBatch;
    use super::super::piece::Piece;
    use super::{ArchiveError, ArchiveFile, encode, read};
    use crate::ids::{Epoch, SessionId};

    fn verify(file: &[u8]) -> Result<ArchiveFile, ArchiveError> {
        read(file, drop)
    }

    fn piece() -> Piece {
        let batch = |first_seq, last_seq| StoredBatch {
            first_seq,
            last_seq,
            epoch: Epoch(3),
            events: format!("{first_seq} to {last_seq}").into_bytes(),
        };
        let batches = vec![batch(4, 4), batch(5, 9), batch(10, 12)];
        Piece::new(SessionId::new(7), batches).expect("it has batches")
    }

    #[test]
    fn a_file_reads_back() {
        let (bytes, digest) = encode(&piece());
        let mut batches = Vec::new();
        let file = read(&*bytes, |batch| batches.push(batch)).expect("just written");
        assert_eq!(batches, piece().batches());
        assert_eq!((file.first_seq, file.last_seq), (4, 12));
        assert_eq!((file.session, file.batches), (SessionId::new(7), 3));
        assert_eq!(file.digest, digest);
    }

    #[test]
    fn any_changed_missing_or_extra_byte_is_detected() {
        let (bytes, _) = encode(&piece());
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            verify(&changed).expect_err("a bit is flipped");
            verify(&bytes[..index]).expect_err("the end is missing");
        }
        let longer = [&*bytes, &[0]].concat();
        verify(&longer).expect_err("a byte follows");
    }

    #[test]
    fn an_unknown_format_is_refused_by_its_number() {
        let (mut bytes, _) = encode(&piece());
        bytes[9] = 2;
        let refused = verify(&bytes);
        assert!(
            matches!(
                refused,
                Err(ArchiveError::UnknownFormat {
                    format: 2,
                    known: 1
                })
            ),
            "{refused:?}"
        );
    }

    /// A file of this format, byte by byte.
    #[test]
    fn the_format_is_unchanged() {
        let batch = StoredBatch {
            first_seq: 1,
            last_seq: 2,
            epoch: Epoch(3),
            events: vec![0xaa, 0xbb],
        };
        let piece = Piece::new(SessionId::new(0x0102), vec![batch]).expect("it has a batch");
        let (bytes, digest) = encode(&piece);
        let expected = "CLUEARCH\0\x01\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\
                      \0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x02";
        assert_eq!(bytes[..expected.len()], *expected.as_bytes());
        assert_eq!(
            bytes[expected.len()..],
            [&[0xaa, 0xbb], &digest[..]].concat()
        );
    }
}
