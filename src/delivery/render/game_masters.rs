//! Game masters.

use std::collections::BTreeSet;

use hunt::{GameMasterId, NameId};
use protocol as wire;

use super::scope::scope;
use crate::session::View;

/// Every game master of the session, in the order of being invited.
pub fn game_masters(view: View<'_>) -> Vec<wire::GameMaster> {
    let known = view.state.game_masters();
    let shown = known.map(|(id, known)| wire::GameMaster {
        revoked: known.revoked,
        ..invited_game_master(view, id, known.name, &known.scopes)
    });
    shown.collect()
}

/// A game master at the moment of being invited.
pub(super) fn invited_game_master(
    view: View<'_>,
    id: GameMasterId,
    name: NameId,
    scopes: &BTreeSet<hunt::Scope>,
) -> wire::GameMaster {
    wire::GameMaster {
        id: id.to_string(),
        name: view.name(name),
        scopes: scopes.iter().copied().map(scope).collect(),
        revoked: false,
    }
}
