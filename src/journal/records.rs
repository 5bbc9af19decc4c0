//! What the bytes in a journal mean: entries and states as named MessagePack, each with the
//! number of its format.
//!
//! A node writes [`FORMAT`] and reads every format up to it; it refuses a higher one, which a later
//! version wrote.

use hunt::{Entry, Progress};
use serde::{Deserialize, Serialize};

/// The format that is written.
pub const FORMAT: u16 = 1;

#[derive(Serialize)]
struct EntriesRef<'a> {
    format: u16,
    entries: &'a [Entry],
}

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct StateRef<'a> {
    format: u16,
    progress: &'a Progress,
}

#[derive(Deserialize)]
struct State {
    progress: Progress,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u16,
}

/// Stored bytes cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version wrote them.
    #[error("written in format {0}, and this version reads up to {FORMAT}; run a later version")]
    LaterFormat(u16),
    /// They are damaged.
    #[error("damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
}

/// Encodes the entries of one batch.
pub fn encode_entries(entries: &[Entry]) -> Vec<u8> {
    let format = FORMAT;
    rmp_serde::to_vec_named(&EntriesRef { format, entries })
        .expect("entries hold only numbers, text and lists")
}

/// Decodes the entries of one batch.
pub fn decode_entries(bytes: &[u8]) -> Result<Vec<Entry>, RecordError> {
    check_format(bytes)?;
    Ok(rmp_serde::from_slice::<Entries>(bytes)?.entries)
}

/// Encodes a state for a snapshot.
pub fn encode_state(progress: &Progress) -> Vec<u8> {
    let format = FORMAT;
    rmp_serde::to_vec_named(&StateRef { format, progress })
        .expect("a state holds only numbers, text, lists and maps")
}

/// Decodes the state of a snapshot.
pub fn decode_state(bytes: &[u8]) -> Result<Progress, RecordError> {
    check_format(bytes)?;
    Ok(rmp_serde::from_slice::<State>(bytes)?.progress)
}

fn check_format(bytes: &[u8]) -> Result<(), RecordError> {
    let FormatOnly { format } = rmp_serde::from_slice(bytes)?;
    if format > FORMAT {
        return Err(RecordError::LaterFormat(format));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, RecordError, decode_entries, decode_state, encode_entries, encode_state};

    #[test]
    fn entries_and_states_read_back() {
        let entry = hunt::Entry {
            at: hunt::Timestamp(5),
            origin: hunt::Origin::Timer,
            events: vec![hunt::Event::SessionFinished],
        };
        let read = decode_entries(&encode_entries(std::slice::from_ref(&entry)));
        assert_eq!(read.expect("just written"), [entry]);
        let progress = hunt::Progress::default();
        assert_eq!(
            decode_state(&encode_state(&progress)).expect("just written"),
            progress
        );
    }

    #[test]
    fn a_later_format_is_refused_by_its_number() {
        let mut bytes = encode_entries(&[]);
        let place = bytes.iter().position(|byte| u16::from(*byte) == FORMAT);
        bytes[place.expect("the format is there")] = 2;
        let refused = decode_entries(&bytes);
        assert!(
            matches!(refused, Err(RecordError::LaterFormat(2))),
            "{refused:?}"
        );
    }
}
