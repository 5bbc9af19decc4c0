//! The encoding of events and states in a journal: named MessagePack, each record with its format number.
//!
//! A program reads only the formats that it writes. It refuses any other by its number.

use std::io::{Read, Write};

use hunt::{Entry, Progress};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format of entries.
const ENTRIES_FORMAT: u16 = 2;
/// The format of states.
const STATE_FORMAT: u16 = 2;

#[derive(Serialize)]
struct EntriesRef<'a> {
    format: u16,
    entries: &'a [Entry],
}

#[derive(Deserialize)]
struct Entries {
    format: u16,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct StateRef<'a> {
    format: u16,
    progress: &'a Progress,
}

#[derive(Deserialize)]
struct State {
    format: u16,
    progress: Progress,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u16,
}

/// Why stored bytes were not decoded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another version of the program wrote them.
    #[error("written in format {format}, and this version reads format {known} only")]
    UnknownFormat {
        /// The format of the record.
        format: u16,
        /// The format that this version reads.
        known: u16,
    },
    /// They are malformed.
    #[error("damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
}

/// Encodes the entries of one batch.
pub fn encode_entries(entries: &[Entry]) -> Vec<u8> {
    let format = ENTRIES_FORMAT;
    rmp_serde::to_vec_named(&EntriesRef { format, entries })
        .expect("entries hold only numbers, text and lists")
}

/// Decodes the entries of one batch.
pub fn decode_entries(bytes: &[u8]) -> Result<Vec<Entry>, RecordError> {
    let record: Entries = decode(bytes, ENTRIES_FORMAT)?;
    check_format(record.format, ENTRIES_FORMAT)?;
    Ok(record.entries)
}

/// Encodes a state for a snapshot.
///
/// # Panics
/// If `into` fails.
pub fn encode_state(progress: &Progress, into: impl Write) {
    let format = STATE_FORMAT;
    rmp_serde::encode::write_named(&mut { into }, &StateRef { format, progress })
        .expect("a state holds only numbers, text, lists and maps");
}

/// Decodes the state of a snapshot.
pub fn decode_state(bytes: &[u8]) -> Result<Progress, RecordError> {
    let record: State = decode(bytes, STATE_FORMAT)?;
    check_format(record.format, STATE_FORMAT)?;
    Ok(record.progress)
}

/// Decodes a state from a stream, which is slower than [`decode_state`]. A state in another format may be
/// reported as damaged.
pub fn read_state(from: impl Read) -> Result<Progress, RecordError> {
    let record: State = rmp_serde::from_read(from)?;
    check_format(record.format, STATE_FORMAT)?;
    Ok(record.progress)
}

/// Decodes a record. The format is read alone only after a failure, because that parses the whole record a
/// second time.
fn decode<T: DeserializeOwned>(bytes: &[u8], known: u16) -> Result<T, RecordError> {
    rmp_serde::from_slice(bytes).or_else(|damaged| {
        let FormatOnly { format } = rmp_serde::from_slice(bytes)?;
        check_format(format, known)?;
        Err(damaged.into())
    })
}

fn check_format(format: u16, known: u16) -> Result<(), RecordError> {
    if format != known {
        return Err(RecordError::UnknownFormat { format, known });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES_FORMAT, RecordError, decode_entries, decode_state, encode_entries};
    use super::{encode_state, read_state};

    #[test]
    fn entries_and_states_read_back() {
        let entry = hunt::Entry {
            at: hunt::Timestamp(5),
            origin: hunt::Origin::Timer,
            reason: None,
            events: vec![hunt::Event::SessionFinished],
        };
        let read = decode_entries(&encode_entries(std::slice::from_ref(&entry)));
        assert_eq!(read.expect("just written"), [entry]);
        let progress = hunt::Progress::default();
        let mut state = Vec::new();
        encode_state(&progress, &mut state);
        assert_eq!(decode_state(&state).expect("just written"), progress);
        assert_eq!(read_state(&state[..]).expect("just written"), progress);
    }

    #[test]
    fn an_unknown_format_is_refused_by_its_number() {
        let written = encode_entries(&[]);
        let index = written
            .iter()
            .position(|byte| u16::from(*byte) == ENTRIES_FORMAT)
            .expect("the format is there");
        for other in [1, 3] {
            let mut bytes = written.clone();
            bytes[index] = other;
            let refused = decode_entries(&bytes);
            assert!(
                matches!(
                    refused,
                    Err(RecordError::UnknownFormat { format, known: 2 }) if format == u16::from(other)
                ),
                "{refused:?}"
            );
        }
    }

    /// Of another version's record only the format number is known.
    #[test]
    fn an_unknown_format_is_refused_by_its_number_whatever_it_holds() {
        #[derive(serde::Serialize)]
        struct Unknown {
            format: u16,
            other: &'static str,
        }
        let other = "fields of another version";
        let bytes =
            |format| rmp_serde::to_vec_named(&Unknown { format, other }).expect("it is text");
        for format in [1, 3] {
            let entries = decode_entries(&bytes(format)).map(drop);
            let state = decode_state(&bytes(format)).map(drop);
            for refused in [entries, state] {
                assert!(
                    matches!(
                        refused,
                        Err(RecordError::UnknownFormat { format: found, known: 2 })
                            if found == format
                    ),
                    "{refused:?}"
                );
            }
        }
        let damaged = decode_state(&bytes(2));
        assert!(
            matches!(damaged, Err(RecordError::Damaged(_))),
            "{damaged:?}"
        );
    }
}
