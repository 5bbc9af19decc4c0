//! MessagePack with named fields.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DecodeError, malformed, not_a_map};
use crate::limits::MESSAGE_DEPTH_MAX;

/// What `rmp_serde` counts down from; it refuses when nothing is left, which is one level early.
const DEPTH_LEFT: usize = MESSAGE_DEPTH_MAX + 1;

pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(message)
        .expect("messages hold only strings, numbers, lists and named fields")
}

pub(super) fn decode<M: DeserializeOwned>(payload: &[u8]) -> Result<M, DecodeError> {
    match payload.first() {
        None | Some(0x80..=0x8f | 0xde | 0xdf) => {}
        Some(_) => return Err(not_a_map()),
    }
    let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(payload));
    deserializer.set_max_depth(DEPTH_LEFT);
    let message = M::deserialize(&mut deserializer).map_err(malformed)?;
    let read = usize::try_from(deserializer.position()).expect("a position within the payload");
    match payload.len() - read {
        0 => Ok(message),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}
