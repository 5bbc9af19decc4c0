//! The JSON codec: one value per frame.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shape::{
    DecodeError, Shape, TYPE, expected_string, malformed, not_a_map, too_deep, unexpected_list,
};
use crate::limits::MESSAGE_DEPTH_MAX;

pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    serde_json::to_vec(message)
        .expect("messages consist of strings, numbers, lists and named fields")
}

pub(super) fn decode<M: DeserializeOwned>(payload: &[u8], shape: Shape) -> Result<M, DecodeError> {
    let payload = payload.trim_ascii();
    if payload.first().is_some_and(|first| *first != b'{') {
        return Err(not_a_map());
    }
    check(payload, shape)?;
    let mut values = serde_json::Deserializer::from_slice(payload).into_iter();
    let message = match values.next() {
        Some(read) => read.map_err(malformed)?,
        None => return Err(malformed("the message is empty")),
    };
    match payload.len() - values.byte_offset() {
        0 => Ok(message),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}

/// Checks the structure of a payload. It agrees with a JSON parser up to the first syntax error; the
/// parser rejects such a payload in any case.
fn check(payload: &[u8], shape: Shape) -> Result<(), DecodeError> {
    let mut depth = 0_usize;
    let mut is_in_list = false;
    // The last string. If a colon follows, it is the key of the next value.
    let mut last: &[u8] = b"";
    let mut field: Option<&[u8]> = None;
    let mut rest = payload;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let is_value = !b" \t\r\n,:]}".contains(byte);
        if is_value && shape.is_strict() && *byte != b'"' {
            let must_be_string = is_in_list || field.is_some_and(|field| is_name(field, TYPE));
            if must_be_string {
                return Err(expected_string());
            }
        }
        match byte {
            b'"' => {
                let length = string_length(rest);
                last = &rest[..length];
                rest = rest.get(length + 1..).unwrap_or_default();
            }
            b':' => {
                field = Some(last);
                continue;
            }
            b'[' if !may_be_list(field, shape) => return Err(unexpected_list()),
            b'{' | b'[' => {
                depth += 1;
                is_in_list = *byte == b'[';
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                // In a strict shape, the parent of a list is a map.
                is_in_list = false;
            }
            _ => {}
        }
        if depth > MESSAGE_DEPTH_MAX {
            return Err(too_deep());
        }
        if is_value {
            field = None;
        }
    }
    Ok(())
}

/// The length of a string in bytes, up to its closing quote.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

fn may_be_list(field: Option<&[u8]>, shape: Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Strict { lists } => {
            field.is_some_and(|field| lists.iter().any(|list| is_name(field, list)))
        }
    }
}

/// Whether a raw key, which may contain escapes, equals a name.
fn is_name(raw: &[u8], name: &str) -> bool {
    if !raw.contains(&b'\\') {
        return raw == name.as_bytes();
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).is_ok_and(|read: String| read == name)
}
