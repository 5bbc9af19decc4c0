//! MessagePack with named fields.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shape::{Shape, TYPE, no_list, no_text, too_deep};
use super::{DecodeError, malformed, not_a_map};
use crate::limits::MESSAGE_DEPTH_MAX;

/// What `rmp_serde` counts down from; it refuses when nothing is left, which is one level early.
const DEPTH_LEFT: usize = MESSAGE_DEPTH_MAX + 1;

pub(super) fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(message)
        .expect("messages hold only strings, numbers, lists and named fields")
}

pub(super) fn decode<M: DeserializeOwned>(payload: &[u8], shape: Shape) -> Result<M, DecodeError> {
    match payload.first() {
        None | Some(0x80..=0x8f | 0xde | 0xdf) => {}
        Some(_) => return Err(not_a_map()),
    }
    if let Shape::Strict { lists } = shape {
        assert!(lists.is_empty(), "no message of a client has any");
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

/// A value as its first bytes tell it (the MessagePack specification, "Formats").
enum Value<'a> {
    Map {
        fields: usize,
    },
    Text(&'a [u8]),
    /// A number, nil, true or false.
    Single,
}

/// Looks at how the one value of a payload is put together: maps with text for names, text in `type`,
/// and nothing but maps, text and single values.
fn check(payload: &[u8]) -> Result<(), DecodeError> {
    let mut rest = payload;
    // The fields that are still to come in each map around.
    let mut left = [0_usize; MESSAGE_DEPTH_MAX];
    let mut depth = 0_usize;
    let mut is_type = false;
    loop {
        match take(&mut rest)? {
            Value::Map { .. } | Value::Single if is_type => return Err(no_text()),
            Value::Map { fields } => {
                *left.get_mut(depth).ok_or_else(too_deep)? = fields;
                depth += 1;
            }
            Value::Text(_) | Value::Single => {}
        }
        while depth > 0 && left[depth - 1] == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(());
        }
        left[depth - 1] -= 1;
        let Value::Text(name) = take(&mut rest)? else {
            return Err(no_text());
        };
        is_type = name == TYPE.as_bytes();
    }
}

/// Takes a value; of a map, what comes before its first field.
fn take<'a>(rest: &mut &'a [u8]) -> Result<Value<'a>, DecodeError> {
    let (marker, after) = rest.split_first().ok_or_else(cut_off)?;
    *rest = after;
    let value = match marker {
        0x80..=0x8f => Value::Map {
            fields: usize::from(marker & 0x0f),
        },
        0xde => Value::Map {
            fields: take_length(rest, 2)?,
        },
        0xdf => Value::Map {
            fields: take_length(rest, 4)?,
        },
        0xa0..=0xbf => Value::Text(take_bytes(rest, usize::from(marker & 0x1f))?),
        0xd9..=0xdb => {
            let length = take_length(rest, 1 << (marker - 0xd9))?;
            Value::Text(take_bytes(rest, length)?)
        }
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Value::Single,
        0xcc..=0xd3 => {
            take_bytes(rest, 1 << (marker & 0x03))?;
            Value::Single
        }
        0xca | 0xcb => {
            take_bytes(rest, 4 << (marker - 0xca))?;
            Value::Single
        }
        0x90..=0x9f | 0xdc | 0xdd => return Err(no_list()),
        0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => {
            return Err(malformed("bytes or an extension stand where text belongs"));
        }
    };
    Ok(value)
}

fn take_length(rest: &mut &[u8], width: usize) -> Result<usize, DecodeError> {
    let bytes = take_bytes(rest, width)?;
    let fold = |length, byte: &u8| length << 8 | usize::from(*byte);
    Ok(bytes.iter().fold(0, fold))
}

fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    *rest = after;
    Ok(bytes)
}

fn cut_off() -> DecodeError {
    malformed("it ends too early")
}
