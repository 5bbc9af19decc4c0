//! Validation of names in requests.

use hunt::text::acceptable_name;
use protocol::limits::NAME_CHARS_MAX;

use super::failure::Failed;
use crate::journal::{PrivateKind, PrivateRecord};

/// Validates a name and gives it a new random id. `field` is the field of the request, for the message.
pub(super) fn parse_name(typed: &str, field: &str) -> Result<PrivateRecord, Failed> {
    match acceptable_name(typed, NAME_CHARS_MAX) {
        Ok(text) => Ok(PrivateRecord {
            kind: PrivateKind::Name,
            id: rand::random(),
            text,
        }),
        Err(error) => Err(Failed::bad_request(format!("{field} {error}."))),
    }
}
