//! Validation of names and reasons in requests.

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

/// Validates the reason that a game master gives, and gives it a new random id.
pub(super) fn parse_reason(typed: Option<&str>) -> Result<Option<PrivateRecord>, Failed> {
    typed.map(|typed| parse_name(typed, "reason")).transpose()
}

/// Refuses a reason of a player: only orders of game masters have one.
pub(super) fn no_reason(typed: Option<&str>) -> Result<(), Failed> {
    match typed {
        None => Ok(()),
        Some(_) => Err(Failed::bad_request(
            "Only game masters and admins give a `reason`; leave it out.",
        )),
    }
}
