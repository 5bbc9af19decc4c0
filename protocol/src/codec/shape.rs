//! What a payload may be made of, looked at before anything is built from it.
//!
//! Serde's derived types take more than the contract says: a list of a map's fields in their order, and
//! a number in place of a variant's name. Whoever sends such things depends on the order of our source.

use super::{DecodeError, malformed};
use crate::limits::MESSAGE_DEPTH_MAX;

/// The field that tells what a map is; its value is text.
pub(super) const TYPE: &str = "type";

/// What is checked beside the depth of nesting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Nothing: a later version of a server may add anything.
    Any,
    /// Maps and single values.
    Strict {
        /// The fields that are lists, each of nothing but text.
        lists: &'static [&'static str],
    },
}

impl Shape {
    pub(super) fn is_strict(self) -> bool {
        matches!(self, Self::Strict { .. })
    }
}

pub(super) fn too_deep() -> DecodeError {
    malformed(format_args!(
        "nested deeper than {MESSAGE_DEPTH_MAX} levels"
    ))
}

pub(super) fn no_list() -> DecodeError {
    malformed("a list stands where a map or a single value belongs")
}

pub(super) fn no_text() -> DecodeError {
    malformed("something else stands where text belongs")
}
