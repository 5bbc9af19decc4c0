//! Receipts of accepted commands, by which a command that is sent again is not applied again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Event, Verdict};
use crate::ids::{AnnouncementId, ClueId, CommandId, DeviceId, GameMasterId, PlayerId, TeamId};
use crate::limits::RECEIPTS_PER_DEVICE_MAX;

/// What the sender of an accepted command is told. It follows from the command's events alone, so
/// that replaying them gives the same receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Receipt {
    /// A guess was judged.
    Guess {
        /// The verdict.
        verdict: Verdict,
        /// The points that it gained.
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
    /// Done, and there is nothing to tell.
    Done,
}

impl Receipt {
    /// The receipt of the command that caused these events.
    pub fn of(events: &[Event]) -> Self {
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
                Event::TeamCreated { .. }
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

/// What is known of a command by its id.
pub(crate) enum Known<'a> {
    /// It was never accepted.
    New,
    /// It was accepted, with this receipt.
    Accepted(&'a Receipt),
    /// It is too old to tell.
    Forgotten,
}

/// The receipts of one device: those of the highest [`RECEIPTS_PER_DEVICE_MAX`] ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipts {
    kept: Kept,
    forgotten_up_to: Option<CommandId>,
}

/// Receipts by id, lowest first.
///
/// In one piece, since ids mostly come in order and a device's first command after its state was shared
/// copies them all. Written down they are two lists: the guesses, nearly all, without the names of their
/// fields, and a map of the others. A map of all, as it once was, is read as well.
#[derive(Clone, Default, PartialEq, Eq)]
struct Kept(VecDeque<(CommandId, Receipt)>);

impl Receipts {
    /// Looks a command up. A new id may be below others, since commands overtake each other; but not so
    /// far below that its own receipt would be the first to be let go of.
    pub(crate) fn known(&self, id: CommandId) -> Known<'_> {
        if let Some(receipt) = self.kept.get(id) {
            return Known::Accepted(receipt);
        }
        if id < CommandId::FIRST || self.is_below_all_kept(id) || self.may_be_forgotten(id) {
            return Known::Forgotten;
        }
        Known::New
    }

    fn is_below_all_kept(&self, id: CommandId) -> bool {
        let is_full = self.len() >= RECEIPTS_PER_DEVICE_MAX;
        is_full && self.kept.0.front().is_some_and(|(lowest, _)| id < *lowest)
    }

    /// Whether the id may have been accepted and let go of. Without this a version that keeps more
    /// receipts than the one before would take old commands for new ones.
    fn may_be_forgotten(&self, id: CommandId) -> bool {
        self.forgotten_up_to
            .is_some_and(|forgotten| id <= forgotten)
    }

    /// Keeps a receipt of a new command, and forgets the one of the lowest id when there are too many.
    pub(crate) fn keep(&mut self, id: CommandId, receipt: Receipt) {
        while self.len() >= RECEIPTS_PER_DEVICE_MAX {
            let forgotten = self.kept.0.pop_front();
            self.forgotten_up_to = forgotten.map(|(id, _)| id);
        }
        self.kept.insert(id, receipt);
    }

    /// The highest id that was ever accepted.
    pub(crate) fn last(&self) -> Option<CommandId> {
        self.kept.0.back().map(|(id, _)| *id)
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.0.len()
    }
}

impl Kept {
    fn place(&self, id: CommandId) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if id > *last => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&id, |(id, _)| *id),
        }
    }

    fn get(&self, id: CommandId) -> Option<&Receipt> {
        let place = self.place(id).ok()?;
        self.0.get(place).map(|(_, receipt)| receipt)
    }

    fn insert(&mut self, id: CommandId, receipt: Receipt) {
        match self.place(id) {
            Ok(_) => panic!("command {id:?} is applied once"),
            Err(place) => self.0.insert(place, (id, receipt)),
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().copied()).finish()
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut guesses = Vec::with_capacity(self.0.len());
        let mut others = BTreeMap::new();
        for (id, receipt) in &self.0 {
            match receipt {
                Receipt::Guess { verdict, points } => guesses.push((id, verdict, points)),
                _ => drop(others.insert(id, receipt)),
            }
        }
        (guesses, others).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeptVisitor)
    }
}

struct KeptVisitor;

impl<'de> Visitor<'de> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("receipts of guesses and of other commands, or a map of them all")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Kept, A::Error> {
        let parts = SeqAccessDeserializer::new(parts);
        let (guesses, others) = <(Vec<_>, BTreeMap<_, _>)>::deserialize(parts)?;
        let guess = |(id, verdict, points)| (id, Receipt::Guess { verdict, points });
        Ok(guesses.into_iter().map(guess).chain(others).collect())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Kept, A::Error> {
        let all = BTreeMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(all.into_iter().collect())
    }
}

impl FromIterator<(CommandId, Receipt)> for Kept {
    fn from_iter<I: IntoIterator<Item = (CommandId, Receipt)>>(receipts: I) -> Self {
        let mut all: Vec<_> = receipts.into_iter().collect();
        all.sort_by_key(|(id, _)| *id);
        Self(all.into())
    }
}
