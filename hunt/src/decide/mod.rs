//! From a command to what would happen. Nothing here changes the state.

mod desk;
mod game_master;
mod guess;

use crate::command::{By, Command};
use crate::event::{Entry, Event, Origin};
use crate::ids::{ClueId, CommandId, DeviceId, Timestamp};
use crate::receipts::{Known, Receipt, Receipts};
use crate::rejection::Rejection;
use crate::state::{Device, State};

/// What comes of a command that is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is accepted: append this entry.
    Accepted(Entry),
    /// It had been accepted before, with this receipt. Nothing is to be appended.
    Repeated(Receipt),
}

impl State {
    /// Judges a command. `now` counts as the time of the last event if it is earlier.
    pub fn decide(&self, command: &Command, now: Timestamp) -> Result<Decision, Rejection> {
        let at = now.max(self.progress.last_at);
        if let Some(receipt) = self.accepted_before(command)? {
            return Ok(Decision::Repeated(receipt));
        }
        let events = match command {
            Command::Player { device, order, .. } => self.decide_player(*device, order)?,
            Command::Desk(order) => self.decide_desk(order)?,
            Command::GameMaster { by, order, .. } => self.decide_game_master(*by, order, at)?,
        };
        assert!(!events.is_empty(), "an accepted command causes an event");
        Ok(Decision::Accepted(Entry {
            at,
            origin: origin(command),
            events,
        }))
    }

    /// When [`State::due`] will have something, as far as is known now. O(clues).
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let expiry = self.next_expiry().map(|(expires_at, _)| expires_at);
        self.ends_at().into_iter().chain(expiry).min()
    }

    /// The entry of the earliest deadline that has come by `now`. It bears the deadline's time,
    /// however late it is asked for.
    pub fn due(&self, now: Timestamp) -> Option<Entry> {
        let deadline = self.next_deadline().filter(|deadline| *deadline <= now)?;
        let event = match self.next_expiry() {
            Some((expires_at, clue)) if expires_at == deadline => Event::ClueExpired {
                clue,
                to: self.clue(clue).ok()?.to,
            },
            Some(_) | None => Event::SessionFinished,
        };
        Some(Entry {
            at: deadline.max(self.progress.last_at),
            origin: Origin::Timer,
            events: vec![event],
        })
    }

    /// The live clue that expires first. The time that a clue lasts goes on during a pause.
    fn next_expiry(&self) -> Option<(Timestamp, ClueId)> {
        let live = self.live_clues();
        live.filter_map(|(id, clue)| Some((clue.expires_at?, id)))
            .min()
    }

    /// The receipt of the same command, if it was accepted before. Whoever has lost the right to
    /// command is refused first.
    fn accepted_before(&self, command: &Command) -> Result<Option<Receipt>, Rejection> {
        match command {
            Command::Player { device, id, .. } => kept(&self.acting(*device)?.receipts, *id),
            Command::GameMaster {
                by: By::GameMaster(by),
                id: Some(id),
                ..
            } => {
                let game_master = self.game_master(*by).ok_or(Rejection::UnknownGameMaster)?;
                if game_master.revoked {
                    return Err(Rejection::Revoked);
                }
                kept(&game_master.receipts, *id)
            }
            Command::Desk(_) | Command::GameMaster { .. } => Ok(None),
        }
    }

    /// A device that may act.
    fn acting(&self, id: DeviceId) -> Result<&Device, Rejection> {
        let device = self.device(id).ok_or(Rejection::UnknownDevice)?;
        if device.revoked {
            return Err(Rejection::Revoked);
        }
        Ok(device)
    }
}

fn kept(receipts: &Receipts, id: CommandId) -> Result<Option<Receipt>, Rejection> {
    match receipts.known(id) {
        Known::New => Ok(None),
        Known::Accepted(receipt) => Ok(Some(*receipt)),
        Known::Forgotten => Err(Rejection::StaleCommand),
    }
}

fn origin(command: &Command) -> Origin {
    match command {
        Command::Player { device, id, .. } => Origin::Device {
            device: *device,
            command: *id,
        },
        Command::Desk(_) => Origin::Desk,
        Command::GameMaster {
            by: By::GameMaster(by),
            id,
            ..
        } => Origin::GameMaster {
            game_master: Some(*by),
            command: *id,
        },
        // An admin's commands have no receipts, so that their numbers mean nothing.
        Command::GameMaster { by: By::Admin, .. } => Origin::GameMaster {
            game_master: None,
            command: None,
        },
    }
}
