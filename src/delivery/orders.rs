//! Wire commands as commands of the rules.

use std::str::FromStr;

use hunt::{CommandId, DurationMs, GameMasterOrder, PlayerOrder, Rejection};
use protocol as wire;

use super::viewer::Identity;
use crate::session::{NumberedCommand, Refusal};

/// The number of an id that does not exist: ids count from 1.
const UNASSIGNED: u32 = 0;

/// A command of a connection. Rejected at once if its role may never send it.
pub fn command(identity: Identity, command: wire::Command) -> Result<NumberedCommand, Refusal> {
    let id = CommandId(command.id);
    match (identity, command.order) {
        (Identity::Device(device), wire::Order::SubmitGuess { puzzle, guess }) => {
            let puzzle = puzzle.as_str().into();
            let order = PlayerOrder::SubmitGuess { puzzle, guess };
            Ok(NumberedCommand::Player(device, id, order))
        }
        (Identity::GameMaster(_), wire::Order::SubmitGuess { .. })
        | (Identity::Device(_) | Identity::Spectator, _) => Err(Rejection::Forbidden.into()),
        (Identity::GameMaster(game_master), order) => {
            let order = game_master_order(order)?;
            Ok(NumberedCommand::GameMaster(game_master, id, order))
        }
    }
}

fn game_master_order(order: wire::Order) -> Result<GameMasterOrder, Rejection> {
    match order {
        wire::Order::SubmitGuess { .. } => Err(Rejection::Forbidden),
        wire::Order::PushClue { to, text, lasts_ms } => Ok(push_clue(&to, text, lasts_ms)),
        wire::Order::CancelClue { clue } => {
            let clue = id(&clue);
            Ok(GameMasterOrder::CancelClue { clue })
        }
        wire::Order::Announce { text } => Ok(GameMasterOrder::Announce { text }),
        wire::Order::Start => Ok(GameMasterOrder::Start),
        wire::Order::Pause => Ok(GameMasterOrder::Pause),
        wire::Order::Resume => Ok(GameMasterOrder::Resume),
        wire::Order::Finish => Ok(GameMasterOrder::Finish),
    }
}

/// The order to push a clue; without `lasts_ms` the clue never expires.
pub fn push_clue(to: &wire::Target, text: String, lasts_ms: Option<u64>) -> GameMasterOrder {
    let to = match to {
        wire::Target::Everyone => hunt::Target::Everyone,
        wire::Target::Team { team } => hunt::Target::Team { team: id(team) },
        wire::Target::Player { player } => hunt::Target::Player { player: id(player) },
    };
    let lasts = lasts_ms.map(DurationMs);
    GameMasterOrder::PushClue { to, text, lasts }
}

/// Parses an id. Malformed text becomes an unassigned id, so that the rules reject it like any unknown
/// id, and only after they have checked the sender's rights.
fn id<Id: FromStr + From<u32>>(text: &str) -> Id {
    text.parse().unwrap_or_else(|_| Id::from(UNASSIGNED))
}
