//! JSON, one value a frame.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DecodeError, malformed, not_a_map};
use crate::limits::MESSAGE_DEPTH_MAX;

pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    serde_json::to_vec(message)
        .expect("messages hold only strings, numbers, lists and named fields")
}

pub(super) fn decode<M: DeserializeOwned>(payload: &[u8]) -> Result<M, DecodeError> {
    let payload = payload.trim_ascii();
    if payload.first().is_some_and(|first| *first != b'{') {
        return Err(not_a_map());
    }
    if is_too_deep(payload) {
        return Err(malformed(format_args!(
            "nested deeper than {MESSAGE_DEPTH_MAX} levels"
        )));
    }
    let mut values = serde_json::Deserializer::from_slice(payload).into_iter();
    let message = match values.next() {
        Some(read) => read.map_err(malformed)?,
        None => return Err(malformed("the frame is empty")),
    };
    match payload.len() - values.byte_offset() {
        0 => Ok(message),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}

/// Whether maps and lists are nested too deep, before anything is built from them. For as long as
/// the payload is JSON this counts what a parser would; what comes after is refused in any case.
fn is_too_deep(payload: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = payload.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MESSAGE_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Skips the rest of a string and its closing quote.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}
