//! Decides commands and deadlines: returns the events that they cause. Never changes the state.

mod game_master;
mod guess;
mod registration;

use crate::command::{Command, Issuer};
use crate::event::{Entry, Event, Origin};
use crate::ids::{ClueId, CommandId, DeviceId, Timestamp};
use crate::receipts::{Lookup, Receipt, Receipts};
use crate::rejection::Rejection;
use crate::state::{Device, State};

/// The outcome of a command that is not rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The command is accepted: append this entry.
    Accepted(Entry),
    /// The same command was accepted before, with this receipt. Append nothing.
    Repeated(Receipt),
}

impl State {
    /// Decides a command. If `now` is before the last event, the time of that event is used.
    pub fn decide(&self, command: &Command, now: Timestamp) -> Result<Decision, Rejection> {
        let at = now.max(self.progress.last_at);
        if let Some(receipt) = self.previous_receipt(command)? {
            return Ok(Decision::Repeated(receipt));
        }
        let events = match command {
            Command::Player { device, order, .. } => self.decide_player(*device, order)?,
            Command::Registration(order) => self.decide_registration(order)?,
            Command::GameMaster { by, order, .. } => self.decide_game_master(*by, order, at)?,
        };
        assert!(!events.is_empty(), "an accepted command causes an event");
        Ok(Decision::Accepted(Entry {
            at,
            origin: origin(command),
            events,
        }))
    }

    /// The time from which [`State::due_entry`] returns an entry, unless the state changes before. O(clues).
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let expiry = self.next_expiry().map(|(expires_at, _)| expires_at);
        self.ends_at().into_iter().chain(expiry).min()
    }

    /// The entry of the earliest deadline at or before `now`. The entry's time is that of the deadline,
    /// even if the call is late.
    pub fn due_entry(&self, now: Timestamp) -> Option<Entry> {
        let deadline = self.next_deadline().filter(|deadline| *deadline <= now)?;
        let event = match self.next_expiry() {
            Some((expires_at, clue)) if expires_at == deadline => Event::ClueExpired {
                clue,
                to: self.live_clue(clue).ok()?.to,
            },
            Some(_) | None => Event::SessionFinished,
        };
        Some(Entry {
            at: deadline.max(self.progress.last_at),
            origin: Origin::Timer,
            events: vec![event],
        })
    }

    /// The live clue that expires first. Clues also expire during a pause.
    fn next_expiry(&self) -> Option<(Timestamp, ClueId)> {
        let live = self.live_clues();
        live.filter_map(|(id, clue)| Some((clue.expires_at?, id)))
            .min()
    }

    /// The receipt of the same command, if it was accepted before. A revoked requester is rejected
    /// first.
    fn previous_receipt(&self, command: &Command) -> Result<Option<Receipt>, Rejection> {
        match command {
            Command::Player { device, id, .. } => {
                lookup_receipt(&self.active_device(*device)?.receipts, *id)
            }
            Command::GameMaster {
                by: Issuer::GameMaster(by),
                id: Some(id),
                ..
            } => {
                let game_master = self.game_master(*by).ok_or(Rejection::UnknownGameMaster)?;
                if game_master.revoked {
                    return Err(Rejection::Revoked);
                }
                lookup_receipt(&game_master.receipts, *id)
            }
            Command::Registration(_) | Command::GameMaster { .. } => Ok(None),
        }
    }

    /// The device, unless it is revoked.
    fn active_device(&self, id: DeviceId) -> Result<&Device, Rejection> {
        let device = self.device(id).ok_or(Rejection::UnknownDevice)?;
        if device.revoked {
            return Err(Rejection::Revoked);
        }
        Ok(device)
    }
}

fn lookup_receipt(receipts: &Receipts, id: CommandId) -> Result<Option<Receipt>, Rejection> {
    match receipts.lookup(id) {
        Lookup::New => Ok(None),
        Lookup::Accepted(receipt) => Ok(Some(*receipt)),
        Lookup::Stale => Err(Rejection::StaleCommand),
    }
}

fn origin(command: &Command) -> Origin {
    match command {
        Command::Player { device, id, .. } => Origin::Device {
            device: *device,
            command: *id,
        },
        Command::Registration(_) => Origin::Desk,
        Command::GameMaster {
            by: Issuer::GameMaster(by),
            id,
            ..
        } => Origin::GameMaster {
            game_master: Some(*by),
            command: *id,
        },
        // An admin's commands have no receipts, so their ids are not recorded.
        Command::GameMaster {
            by: Issuer::Admin, ..
        } => Origin::GameMaster {
            game_master: None,
            command: None,
        },
    }
}
