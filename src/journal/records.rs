//! What the bytes in a journal mean: entries and states as named MessagePack, each with the
//! number of its format.
//!
//! A node reads every format up to the one that it writes; it refuses a higher one, which a later version
//! wrote.

use std::io::{Read, Write};

use hunt::{Entry, Progress};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format in which entries are written.
const ENTRIES_FORMAT: u16 = 1;
/// The format in which states are written. In the first, guesses and receipts had the names of their
/// fields.
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

/// Stored bytes cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version wrote them.
    #[error("written in format {format}, and this version reads up to {max}; run a later version")]
    LaterFormat {
        /// The one that it is written in.
        format: u16,
        /// The highest that this version reads.
        max: u16,
    },
    /// They are damaged.
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

/// Decodes a state as it comes, which takes longer. One in a later format may be taken for damaged.
pub fn read_state(from: impl Read) -> Result<Progress, RecordError> {
    let record: State = rmp_serde::from_read(from)?;
    check_format(record.format, STATE_FORMAT)?;
    Ok(record.progress)
}

/// Decodes a record. Only of one that cannot be decoded the format is looked at alone, since that reads
/// all of it once more.
fn decode<T: DeserializeOwned>(bytes: &[u8], max: u16) -> Result<T, RecordError> {
    rmp_serde::from_slice(bytes).or_else(|damaged| {
        let FormatOnly { format } = rmp_serde::from_slice(bytes)?;
        check_format(format, max)?;
        Err(damaged.into())
    })
}

fn check_format(format: u16, max: u16) -> Result<(), RecordError> {
    if format > max {
        return Err(RecordError::LaterFormat { format, max });
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
    fn a_later_format_is_refused_by_its_number() {
        let mut bytes = encode_entries(&[]);
        let place = bytes
            .iter()
            .position(|byte| u16::from(*byte) == ENTRIES_FORMAT);
        bytes[place.expect("the format is there")] = 2;
        let refused = decode_entries(&bytes);
        assert!(
            matches!(refused, Err(RecordError::LaterFormat { format: 2, max: 1 })),
            "{refused:?}"
        );
    }
    /// Of a later version's record only the number is sure to be there.
    #[test]
    fn a_later_format_is_refused_by_its_number_whatever_it_holds() {
        #[derive(serde::Serialize)]
        struct Later {
            format: u16,
            other: &'static str,
        }
        let other = "what nobody knows yet";
        let bytes = |format| rmp_serde::to_vec_named(&Later { format, other }).expect("it is text");
        let refused = decode_entries(&bytes(2));
        assert!(
            matches!(refused, Err(RecordError::LaterFormat { format: 2, max: 1 })),
            "{refused:?}"
        );
        let refused = decode_state(&bytes(3));
        assert!(
            matches!(refused, Err(RecordError::LaterFormat { format: 3, max: 2 })),
            "{refused:?}"
        );
        let damaged = decode_state(&bytes(2));
        assert!(
            matches!(damaged, Err(RecordError::Damaged(_))),
            "{damaged:?}"
        );
    }
}
