//! Wire commands as commands of the rules.

use std::str::FromStr;

use hunt::{CommandId, DurationMs, GameMasterOrder, NewEnd, PlayerOrder, Rejection, Timestamp};
use protocol as wire;

use super::viewer::Identity;
use crate::session::{ClientCommand, InstanceSlot, Refusal};

/// The number of an id that does not exist: ids count from 1.
const UNASSIGNED: u32 = 0;

/// A command of a connection. Rejected at once if its role may never send it.
///
/// `instance` is the slot of a game master's connection, which the session fills when it attaches.
pub fn command(
    identity: Identity,
    instance: &InstanceSlot,
    command: wire::Command,
) -> Result<ClientCommand, Refusal> {
    let id = CommandId(command.id);
    match (identity, command.order) {
        (Identity::Device(device), wire::Order::SubmitGuess { puzzle, guess }) => {
            let puzzle = puzzle.as_str().into();
            let order = PlayerOrder::SubmitGuess { puzzle, guess };
            Ok(ClientCommand::Player(device, id, order))
        }
        (Identity::GameMaster(_), wire::Order::SubmitGuess { .. })
        | (Identity::Device(_) | Identity::Spectator, _) => Err(Rejection::Forbidden.into()),
        (Identity::GameMaster(game_master), order) => {
            let order = game_master_order(order)?;
            let instance = instance.clone();
            Ok(ClientCommand::GameMaster(game_master, instance, id, order))
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
        wire::Order::Start { at_ms } => Ok(start(at_ms)),
        wire::Order::CancelStart => Ok(GameMasterOrder::CancelStart),
        wire::Order::Pause => Ok(GameMasterOrder::Pause),
        wire::Order::Resume => Ok(GameMasterOrder::Resume),
        wire::Order::MoveEnd {
            ends_at_ms,
            left_ms,
        } => move_end(ends_at_ms, left_ms),
        wire::Order::Finish { confirm } => Ok(GameMasterOrder::Finish { confirmed: confirm }),
        wire::Order::Reopen => Ok(GameMasterOrder::Reopen),
    }
}

/// The order to start, at once or at a time.
pub fn start(at_ms: Option<u64>) -> GameMasterOrder {
    match at_ms {
        None => GameMasterOrder::Start,
        Some(at_ms) => GameMasterOrder::ScheduleStart {
            at: Timestamp(at_ms),
        },
    }
}

/// The order to move the end, to a time or by the session time left; without either, to never.
pub fn move_end(
    ends_at_ms: Option<u64>,
    left_ms: Option<u64>,
) -> Result<GameMasterOrder, Rejection> {
    let to = match (ends_at_ms, left_ms) {
        (Some(_), Some(_)) => return Err(Rejection::BadTime),
        (Some(at_ms), None) => NewEnd::At(Timestamp(at_ms)),
        (None, Some(left_ms)) => NewEnd::Left(DurationMs(left_ms)),
        (None, None) => NewEnd::Never,
    };
    Ok(GameMasterOrder::MoveEnd { to })
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
