//! The MessagePack codec, with named fields.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shape::{
    DecodeError, Shape, TYPE, expected_string, malformed, not_a_map, too_deep, unexpected_list,
};
use crate::limits::MESSAGE_DEPTH_MAX;

/// The depth limit for `rmp_serde`, which rejects a message one level early.
const DEPTH_LEFT: usize = MESSAGE_DEPTH_MAX + 1;

pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(message)
        .expect("messages consist of strings, numbers, lists and named fields")
}

pub(super) fn decode<M: DeserializeOwned>(payload: &[u8], shape: Shape) -> Result<M, DecodeError> {
    match payload.first() {
        None | Some(0x80..=0x8f | 0xde | 0xdf) => {}
        Some(_) => return Err(not_a_map()),
    }
    if let Shape::Strict { lists } = shape {
        assert!(lists.is_empty(), "client messages contain no lists");
        check(payload)?;
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

/// The kind of a value, from its marker (MessagePack specification, "Formats").
enum Value<'a> {
    Map {
        fields: usize,
    },
    String(&'a [u8]),
    /// A number, nil or a boolean.
    Scalar,
}

/// Checks the structure of a payload's first value: it may contain only maps, strings and scalars. Keys
/// and the value of `type` must be strings.
fn check(payload: &[u8]) -> Result<(), DecodeError> {
    let mut rest = payload;
    // The number of remaining fields of each enclosing map.
    let mut left = [0_usize; MESSAGE_DEPTH_MAX];
    let mut depth = 0_usize;
    let mut is_type = false;
    loop {
        match read_value(&mut rest)? {
            Value::Map { .. } | Value::Scalar if is_type => return Err(expected_string()),
            Value::Map { fields } => {
                *left.get_mut(depth).ok_or_else(too_deep)? = fields;
                depth += 1;
            }
            Value::String(_) | Value::Scalar => {}
        }
        while depth > 0 && left[depth - 1] == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(());
        }
        left[depth - 1] -= 1;
        let Value::String(name) = read_value(&mut rest)? else {
            return Err(expected_string());
        };
        is_type = name == TYPE.as_bytes();
    }
}

/// Reads a value from the front; of a map, only its header.
fn read_value<'a>(rest: &mut &'a [u8]) -> Result<Value<'a>, DecodeError> {
    let (marker, after) = rest.split_first().ok_or_else(truncated)?;
    *rest = after;
    let value = match marker {
        0x80..=0x8f => Value::Map {
            fields: usize::from(marker & 0x0f),
        },
        0xde => Value::Map {
            fields: read_length(rest, 2)?,
        },
        0xdf => Value::Map {
            fields: read_length(rest, 4)?,
        },
        0xa0..=0xbf => Value::String(read_bytes(rest, usize::from(marker & 0x1f))?),
        0xd9..=0xdb => {
            let length = read_length(rest, 1 << (marker - 0xd9))?;
            Value::String(read_bytes(rest, length)?)
        }
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Value::Scalar,
        0xcc..=0xd3 => {
            read_bytes(rest, 1 << (marker & 0x03))?;
            Value::Scalar
        }
        0xca | 0xcb => {
            read_bytes(rest, 4 << (marker - 0xca))?;
            Value::Scalar
        }
        0x90..=0x9f | 0xdc | 0xdd => return Err(unexpected_list()),
        0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => {
            return Err(malformed("expected a string, not binary or an extension"));
        }
    };
    Ok(value)
}

fn read_length(rest: &mut &[u8], width: usize) -> Result<usize, DecodeError> {
    let bytes = read_bytes(rest, width)?;
    let fold = |length, byte: &u8| length << 8 | usize::from(*byte);
    Ok(bytes.iter().fold(0, fold))
}

fn read_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(truncated)?;
    *rest = after;
    Ok(bytes)
}

fn truncated() -> DecodeError {
    malformed("the message is truncated")
}
