//! Receipts of accepted commands, by which a command that is sent again is not applied again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Verdict};
use crate::ids::{AnnouncementId, ClueId, CommandId, DeviceId, GameMasterId, PlayerId, TeamId};
use crate::limits::RECEIPTS_PER_DEVICE_MAX;

/// What the sender of an accepted command is told. It follows from the command's events alone, so
/// that replaying them gives the same receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    kept: BTreeMap<CommandId, Receipt>,
    forgotten_up_to: Option<CommandId>,
}

impl Receipts {
    /// Looks a command up. A new id may be below others, since commands overtake each other; but not so
    /// far below that its own receipt would be the first to be let go of.
    pub(crate) fn known(&self, id: CommandId) -> Known<'_> {
        if let Some(receipt) = self.kept.get(&id) {
            return Known::Accepted(receipt);
        }
        if id < CommandId::FIRST || self.is_below_all_kept(id) || self.may_be_forgotten(id) {
            return Known::Forgotten;
        }
        Known::New
    }

    fn is_below_all_kept(&self, id: CommandId) -> bool {
        let lowest = self.kept.first_key_value();
        let is_full = self.kept.len() >= RECEIPTS_PER_DEVICE_MAX;
        is_full && lowest.is_some_and(|(lowest, _)| id < *lowest)
    }

    /// Whether the id may have been accepted and let go of. Without this a version that keeps more
    /// receipts than the one before would take old commands for new ones.
    fn may_be_forgotten(&self, id: CommandId) -> bool {
        self.forgotten_up_to
            .is_some_and(|forgotten| id <= forgotten)
    }

    /// Keeps a receipt, and forgets the one of the lowest id when there are too many.
    pub(crate) fn keep(&mut self, id: CommandId, receipt: Receipt) {
        let before = self.kept.insert(id, receipt);
        assert!(before.is_none(), "command {id:?} is applied once");
        if self.kept.len() > RECEIPTS_PER_DEVICE_MAX {
            let (forgotten, _) = self.kept.pop_first().expect("more than the limit are kept");
            self.forgotten_up_to = Some(forgotten);
        }
    }

    /// The highest id that was ever accepted.
    pub(crate) fn last(&self) -> Option<CommandId> {
        self.kept.last_key_value().map(|(id, _)| *id)
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}
