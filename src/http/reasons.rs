//! Orders of game masters with a name or a reason, which are stored as private records.

use hunt::{Command, GameMasterOrder, Issuer, NameId};

use crate::journal::PrivateRecord;
use crate::session::Change;

/// An order with the name that it refers to, and with its reason.
pub(super) fn change(
    by: Issuer,
    order: GameMasterOrder,
    name: Option<PrivateRecord>,
    reason: Option<PrivateRecord>,
) -> Change {
    let command = command(by, order, reason.as_ref());
    Change::Command(command, name.into_iter().chain(reason).collect())
}

/// An order that refers to its reason.
pub(super) fn command(
    by: Issuer,
    order: GameMasterOrder,
    reason: Option<&PrivateRecord>,
) -> Command {
    Command::GameMaster {
        by,
        key: None,
        reason: reason.map(|reason| NameId(reason.id)),
        order,
    }
}
