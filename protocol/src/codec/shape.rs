//! The structure that a payload may have, checked before serde decodes it, and decoding errors.
//!
//! Serde's derived types accept more than the specification allows: a list of a struct's fields in
//! declaration order, and a number instead of a variant's name. A client that sent these would depend on
//! the order of declarations in this source.

use std::fmt;

use crate::limits::MESSAGE_DEPTH_MAX;

/// Why a payload is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The payload is not valid in its encoding, or does not have the structure of a message.
    #[error("not a valid message: {0}")]
    Malformed(String),
    /// Further bytes follow the message.
    #[error("{0} bytes follow the message; send one message per frame")]
    TrailingBytes(usize),
}

/// The field that names the variant of a map; its value is a string.
pub(super) const TYPE: &str = "type";

/// The checks in addition to the depth of nesting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// No further checks: a later version of the server may add anything.
    Any,
    /// Only maps and scalar values are allowed.
    Strict {
        /// The fields that may be lists; their items must be strings.
        lists: &'static [&'static str],
    },
}

impl Shape {
    pub(super) fn is_strict(self) -> bool {
        matches!(self, Self::Strict { .. })
    }
}

pub(super) fn malformed(error: impl fmt::Display) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}

pub(super) fn not_a_map() -> DecodeError {
    malformed("a message must be a map with named fields")
}

pub(super) fn too_deep() -> DecodeError {
    malformed(format_args!(
        "nested deeper than {MESSAGE_DEPTH_MAX} levels"
    ))
}

pub(super) fn unexpected_list() -> DecodeError {
    malformed("expected a map or a scalar value, not a list")
}

pub(super) fn expected_string() -> DecodeError {
    malformed("expected a string")
}
