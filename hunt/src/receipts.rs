//! Receipts of accepted commands, which make commands idempotent.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Event, Verdict};
use crate::ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, Fingerprint, GameMasterId, InstanceId,
    NumberedCommand, PlayerId, TeamId,
};
use crate::limits::RECEIPTS_PER_DEVICE_MAX;

/// The answer to an accepted command. It depends only on the command's events, so a replay gives the
/// same receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Receipt {
    /// A guess was judged.
    Guess {
        /// The verdict.
        verdict: Verdict,
        /// The points gained.
        points: u32,
    },
    /// A player joined.
    Joined {
        /// The player's team.
        team: TeamId,
        /// The player.
        player: PlayerId,
        /// The player's first device.
        device: DeviceId,
    },
    /// A device was added.
    DeviceAdded {
        /// The device.
        device: DeviceId,
    },
    /// A game master was added.
    GameMasterInvited {
        /// The id.
        game_master: GameMasterId,
    },
    /// A clue was pushed.
    CluePushed {
        /// The clue.
        clue: ClueId,
    },
    /// An announcement was made.
    Announced {
        /// The announcement.
        announcement: AnnouncementId,
    },
    /// A client instance was opened.
    InstanceOpened {
        /// Its number.
        instance: InstanceId,
    },
    /// The command was executed; there are no details.
    Done,
}

impl Receipt {
    /// The receipt of the command that caused these events.
    pub fn from_events(events: &[Event]) -> Self {
        let mut joined = None;
        for event in events {
            match event {
                Event::GuessJudged {
                    verdict, points, ..
                } => {
                    return Self::Guess {
                        verdict: *verdict,
                        points: *points,
                    };
                }
                Event::PlayerJoined { team, player, .. } => joined = Some((*team, *player)),
                Event::DeviceAdded { device, .. } => {
                    return match joined {
                        Some((team, player)) => Self::Joined {
                            team,
                            player,
                            device: *device,
                        },
                        None => Self::DeviceAdded { device: *device },
                    };
                }
                Event::GameMasterInvited { game_master, .. } => {
                    let game_master = *game_master;
                    return Self::GameMasterInvited { game_master };
                }
                Event::CluePushed { clue, .. } => return Self::CluePushed { clue: *clue },
                Event::Announced { announcement, .. } => {
                    let announcement = *announcement;
                    return Self::Announced { announcement };
                }
                Event::InstanceOpened { instance, .. } => {
                    return Self::InstanceOpened {
                        instance: *instance,
                    };
                }
                Event::TeamCreated { .. }
                | Event::TeamRenamed { .. }
                | Event::PlayerRenamed { .. }
                | Event::TeamCodeRotated { .. }
                | Event::StartScheduled { .. }
                | Event::StartCancelled
                | Event::EndMoved { .. }
                | Event::SessionReopened { .. }
                | Event::UnlockedForAll { .. }
                | Event::LinkUsed { .. }
                | Event::DeviceRevoked { .. }
                | Event::GameMasterRevoked { .. }
                | Event::ClueCancelled { .. }
                | Event::ClueExpired { .. }
                | Event::Unlocked { .. }
                | Event::SessionStarted { .. }
                | Event::SessionPaused
                | Event::SessionResumed { .. }
                | Event::SessionFinished => {}
            }
        }
        Self::Done
    }
}

/// The result of looking up a command.
pub(crate) enum Lookup {
    /// The command was not accepted before.
    New,
    /// The command was accepted before, with this receipt.
    Accepted(Receipt),
    /// Another command was accepted under the same id.
    Reused,
    /// The id is too low; the outcome is no longer known.
    Stale,
}

/// The receipts of one device or of one client instance of a game master: those of the highest
/// [`RECEIPTS_PER_DEVICE_MAX`] ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipts {
    kept: ReceiptsById,
    evicted_up_to: Option<CommandId>,
}

/// Receipts by id, lowest first, each with the fingerprint of its command.
///
/// Ids mostly arrive in order, so a sorted queue suffices, and cloning it on a device's first change after a
/// snapshot costs one allocation. It is serialised as two parts: a list of the receipts of guesses (nearly all
/// of them) as tuples without field names, and a map of the other receipts.
#[derive(Clone, Default, PartialEq, Eq)]
struct ReceiptsById(VecDeque<(NumberedCommand, Receipt)>);

impl Receipts {
    /// Looks up a command. A new id may be lower than others, because commands may arrive out of order, but
    /// not so low that its own receipt would be the next one to be evicted.
    pub(crate) fn lookup(&self, command: NumberedCommand) -> Lookup {
        let id = command.id;
        if let Some((accepted, receipt)) = self.kept.get(id) {
            if accepted.fingerprint == command.fingerprint {
                return Lookup::Accepted(*receipt);
            }
            return Lookup::Reused;
        }
        if id < CommandId::FIRST || self.is_below_all_kept(id) || self.may_be_evicted(id) {
            return Lookup::Stale;
        }
        Lookup::New
    }

    fn is_below_all_kept(&self, id: CommandId) -> bool {
        let is_full = self.len() >= RECEIPTS_PER_DEVICE_MAX;
        is_full
            && self
                .kept
                .0
                .front()
                .is_some_and(|(lowest, _)| id < lowest.id)
    }

    /// Whether the id may belong to an evicted receipt. Without this check, a version that keeps more
    /// receipts than its predecessor would accept old commands as new ones.
    fn may_be_evicted(&self, id: CommandId) -> bool {
        self.evicted_up_to.is_some_and(|evicted| id <= evicted)
    }

    /// Records the receipt of a new command, and evicts the one with the lowest id when the limit is reached.
    pub(crate) fn record(&mut self, command: NumberedCommand, receipt: Receipt) {
        while self.len() >= RECEIPTS_PER_DEVICE_MAX {
            let evicted = self.kept.0.pop_front();
            self.evicted_up_to = evicted.map(|(command, _)| command.id);
        }
        self.kept.insert(command, receipt);
    }

    /// The highest id of an accepted command.
    pub(crate) fn last(&self) -> Option<CommandId> {
        self.kept.0.back().map(|(command, _)| command.id)
    }

    /// The number of receipts kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.0.len()
    }
}

impl ReceiptsById {
    fn position(&self, id: CommandId) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if id > last.id => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&id, |(command, _)| command.id),
        }
    }

    fn get(&self, id: CommandId) -> Option<&(NumberedCommand, Receipt)> {
        let position = self.position(id).ok()?;
        self.0.get(position)
    }

    fn insert(&mut self, command: NumberedCommand, receipt: Receipt) {
        match self.position(command.id) {
            Ok(_) => panic!("command {:?} is applied only once", command.id),
            Err(position) => self.0.insert(position, (command, receipt)),
        }
    }
}

impl fmt::Debug for ReceiptsById {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().copied()).finish()
    }
}

impl Serialize for ReceiptsById {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut guesses = Vec::with_capacity(self.0.len());
        let mut others = BTreeMap::new();
        for (command, receipt) in &self.0 {
            let NumberedCommand { id, fingerprint } = command;
            match receipt {
                Receipt::Guess { verdict, points } => {
                    guesses.push((id, fingerprint, verdict, points));
                }
                _ => drop(others.insert(id, (fingerprint, receipt))),
            }
        }
        (guesses, others).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ReceiptsById {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Guess = (CommandId, Fingerprint, Verdict, u32);
        type Others = BTreeMap<CommandId, (Fingerprint, Receipt)>;
        let (guesses, others) = <(Vec<Guess>, Others)>::deserialize(deserializer)?;
        let guess = |(id, fingerprint, verdict, points)| {
            (
                NumberedCommand { id, fingerprint },
                Receipt::Guess { verdict, points },
            )
        };
        let other = |(id, (fingerprint, receipt))| (NumberedCommand { id, fingerprint }, receipt);
        let mut all: Vec<_> = guesses.into_iter().map(guess).collect();
        all.extend(others.into_iter().map(other));
        all.sort_by_key(|(command, _)| command.id);
        Ok(Self(all.into()))
    }
}
