//! Buffer and cache that all clients of a thread share: a read buffer, and the last decoded messages.
//!
//! A clue to everyone is the same bytes for every client. Decoding it ten thousand times would make the
//! harness the bottleneck of the measurement.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use protocol::{Codec, DecodeError, ServerMessage};

/// Size of the read buffer.
const BUFFER_BYTES: usize = 64 * 1024;

/// Capacity of the cache; the oldest message is evicted first.
const REMEMBERED_MAX: usize = 8;

/// Longer messages are not cached: they are snapshots, which hardly ever repeat.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    static REMEMBERED: RefCell<VecDeque<(Vec<u8>, Arc<ServerMessage>)>> = const {
        RefCell::new(VecDeque::new())
    };
}

/// Passes the buffer, limited to `bytes_max`, to `read`. Not reentrant.
pub(super) fn with_buffer<T>(bytes_max: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| read(&mut buffer[..bytes_max.min(BUFFER_BYTES)]))
}

/// Decodes a message, from the cache if possible.
pub(super) fn decode(codec: Codec, bytes: &[u8]) -> Result<Arc<ServerMessage>, DecodeError> {
    let known = REMEMBERED.with_borrow(|remembered| {
        let mut newest_first = remembered.iter().rev();
        newest_first
            .find(|(known, _)| known == bytes)
            .map(|(_, message)| message.clone())
    });
    if let Some(message) = known {
        return Ok(message);
    }
    let message: Arc<ServerMessage> = Arc::new(codec.decode(bytes)?);
    if matches!(*message, ServerMessage::Update(_)) && bytes.len() <= REMEMBERED_BYTES_MAX {
        REMEMBERED.with_borrow_mut(|remembered| {
            if remembered.len() == REMEMBERED_MAX {
                remembered.pop_front();
            }
            remembered.push_back((bytes.to_vec(), message.clone()));
        });
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::{Audience, Codec, Event, ServerMessage, Update};

    use super::{REMEMBERED_MAX, decode};

    fn bytes(number: u64) -> Vec<u8> {
        Codec::Json.encode(&ServerMessage::Update(Update {
            audience: Audience::Everyone,
            number,
            at_ms: 0,
            event: Event::SessionFinished,
        }))
    }

    #[test]
    fn the_same_bytes_are_the_same_message_and_others_are_not() {
        let decode = |number| decode(Codec::Json, &bytes(number)).expect("it is a message");
        let first = decode(1);
        assert!(Arc::ptr_eq(&first, &decode(1)));
        for number in 2..=1 + REMEMBERED_MAX as u64 {
            let ServerMessage::Update(update) = &*decode(number) else {
                panic!("it is an update");
            };
            assert_eq!(update.number, number);
        }
        assert!(!Arc::ptr_eq(&first, &decode(1)), "it was forgotten");
        assert_eq!(first, decode(1));
    }
}
