//! Decides commands and deadlines: returns the events that they cause. Never changes the state.

mod game_master;
mod guess;
mod registration;

use crate::command::{Command, Issuer, RegistrationOrder};
use crate::deadlines::Deadline;
use crate::event::{Entry, Event, Origin};
use crate::ids::{DeviceId, GameMasterId, InstanceId, Timestamp};
use crate::receipts::{Lookup, Receipt};
use crate::rejection::Rejection;
use crate::state::{Device, GameMaster, Phase, State};

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
            Command::OpenInstance(game_master) => self.decide_open_instance(*game_master)?,
        };
        assert!(!events.is_empty(), "an accepted command causes an event");
        let reason = match command {
            Command::GameMaster { reason, .. } => *reason,
            Command::Player { .. } | Command::Registration(_) | Command::OpenInstance(_) => None,
        };
        Ok(Decision::Accepted(Entry {
            at,
            origin: origin(command),
            reason,
            events,
        }))
    }

    /// The time from which [`State::due_entry`] returns an entry, unless the state changes before. `None`
    /// in a pause: the session's time stands still.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.first_deadline().map(|(at, _)| at)
    }

    /// The entry of the earliest deadline at or before `now`. The entry's time is that of the deadline,
    /// even if the call is late.
    pub fn due_entry(&self, now: Timestamp) -> Option<Entry> {
        let (deadline, what) = self.first_deadline().filter(|(at, _)| *at <= now)?;
        let at = deadline.max(self.progress.last_at);
        let events = match what {
            Deadline::Start => self.start(at),
            Deadline::Finish => vec![Event::SessionFinished],
            Deadline::ClueExpiry(clue) => {
                let to = self.live_clue(clue).ok()?.to;
                vec![Event::ClueExpired { clue, to }]
            }
        };
        Some(Entry {
            at,
            origin: Origin::Timer,
            reason: None,
            events,
        })
    }

    fn first_deadline(&self) -> Option<(Timestamp, Deadline)> {
        if self.progress.phase == Phase::Paused {
            return None;
        }
        self.deadlines.first()
    }

    /// The receipt of the same command, if it was accepted before. A revoked requester is rejected
    /// first.
    fn previous_receipt(&self, command: &Command) -> Result<Option<Receipt>, Rejection> {
        let receipts = match command {
            Command::Player { device, .. } => &self.active_device(*device)?.receipts,
            Command::GameMaster {
                by: Issuer::GameMaster(by),
                key: Some((instance, _)),
                ..
            } => {
                let game_master = self.active_game_master(*by)?;
                let receipts = game_master.receipts(*instance);
                receipts.ok_or(Rejection::StaleCommand { last_command: None })?
            }
            Command::Registration(_) | Command::GameMaster { .. } | Command::OpenInstance(_) => {
                return Ok(None);
            }
        };
        let Some(numbered) = command.numbered() else {
            return Ok(None);
        };
        match receipts.lookup(numbered) {
            Lookup::New => Ok(None),
            Lookup::Accepted(receipt) => Ok(Some(receipt)),
            Lookup::Reused => Err(Rejection::IdReused),
            Lookup::Stale => Err(Rejection::StaleCommand {
                last_command: receipts.last(),
            }),
        }
    }

    fn active_game_master(&self, id: GameMasterId) -> Result<&GameMaster, Rejection> {
        let game_master = self.game_master(id).ok_or(Rejection::UnknownGameMaster)?;
        if game_master.revoked {
            return Err(Rejection::Revoked);
        }
        Ok(game_master)
    }

    /// The next client instance of a game master.
    fn decide_open_instance(&self, id: GameMasterId) -> Result<Vec<Event>, Rejection> {
        let newest = self.active_game_master(id)?.newest_instance();
        let instance = newest.map_or(InstanceId::FIRST, |newest| {
            InstanceId(newest.0.saturating_add(1))
        });
        Ok(vec![Event::InstanceOpened {
            game_master: id,
            instance,
        }])
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

fn origin(command: &Command) -> Origin {
    match command {
        Command::Player { device, .. } => Origin::Device {
            device: *device,
            command: command.numbered(),
        },
        Command::Registration(order) => match order.device() {
            Some(device) => Origin::Device {
                device,
                command: None,
            },
            None if matches!(order, RegistrationOrder::CreateTeam { .. }) => Origin::Founder,
            None => Origin::TeamCode,
        },
        Command::GameMaster {
            by: Issuer::GameMaster(by),
            key,
            ..
        } => Origin::GameMaster {
            game_master: *by,
            command: key.map(|(instance, _)| instance).zip(command.numbered()),
        },
        Command::GameMaster {
            by: Issuer::Admin, ..
        } => Origin::Admin,
        Command::OpenInstance(game_master) => Origin::GameMaster {
            game_master: *game_master,
            command: None,
        },
    }
}
