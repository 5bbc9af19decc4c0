//! The attached connections of a session, by audience.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hunt::{Audience, TeamId, UpdateNumber};
use protocol::{CloseCode, Codec, Heads};
use tokio::time::Instant;

use super::frames::UpdateFrames;
use super::outbox::{Outbox, OutboxId};
use super::schedule::{AttachmentId, Due, HeadsSchedule};
use super::viewer::{Identity, Viewer, advance};

/// A connection that receives the released updates of its audiences.
pub(super) struct Subscriber {
    pub(super) viewer: Viewer,
    pub(super) outbox: Outbox,
    pub(super) codec: Codec,
    /// The numbers up to which every update was sent.
    pub(super) heads: Heads,
}

/// Subscribers, by key and by audience. The gateway's bound on connections bounds their number.
pub(super) struct Subscribers {
    next: AttachmentId,
    schedule: HeadsSchedule,
    all: HashMap<AttachmentId, Subscriber>,
    /// The members of each audience. `Everyone` has no entry: it is all players.
    members: HashMap<Audience, Vec<AttachmentId>>,
    /// A device has at most one connection.
    devices: HashMap<hunt::DeviceId, AttachmentId>,
    /// A client instance of a game master has at most one connection.
    instances: HashMap<(hunt::GameMasterId, hunt::InstanceId), AttachmentId>,
    /// Spectators, identified by their outbox.
    others: HashMap<OutboxId, AttachmentId>,
    spectators: usize,
    /// The teams with an attachment or a detachment since the last [`Subscribers::take_changes`].
    changed_teams: BTreeSet<TeamId>,
    /// Whether any subscriber was added or removed since then.
    any_changed: bool,
}

impl Subscribers {
    /// No subscribers; each future one is due for `heads` once per period.
    pub(super) fn new(heads_every: Duration) -> Self {
        Self {
            next: 0,
            schedule: HeadsSchedule::new(heads_every),
            all: HashMap::new(),
            members: HashMap::new(),
            devices: HashMap::new(),
            instances: HashMap::new(),
            others: HashMap::new(),
            spectators: 0,
            changed_teams: BTreeSet::new(),
            any_changed: false,
        }
    }

    /// Adds a connection. It replaces, and closes, an older one of the same device. A connection that
    /// attaches again replaces its own earlier attachment.
    pub(super) fn add(&mut self, subscriber: Subscriber) {
        if let Some(key) = self.replaced_by(&subscriber)
            && let Some(older) = self.remove(key)
            && !older.outbox.is_same(&subscriber.outbox)
        {
            older.outbox.close(CloseCode::Replaced);
        }
        let key = self.next;
        self.next += 1;
        for audience in subscriber.viewer.audiences() {
            if audience != Audience::Everyone {
                self.members.entry(audience).or_default().push(key);
            }
        }
        match subscriber.viewer {
            Viewer::Player { device, .. } => {
                self.devices.insert(device, key);
            }
            Viewer::GameMaster {
                game_master,
                instance,
                ..
            } => {
                self.instances.insert((game_master, instance), key);
            }
            Viewer::Spectator => {
                self.others.insert(subscriber.outbox.id(), key);
                self.spectators += 1;
            }
        }
        self.record_change(subscriber.viewer);
        self.schedule.add(key);
        self.all.insert(key, subscriber);
    }

    /// The older attachment that a new one replaces.
    fn replaced_by(&self, subscriber: &Subscriber) -> Option<AttachmentId> {
        match subscriber.viewer {
            Viewer::Player { device, .. } => self.devices.get(&device).copied(),
            Viewer::GameMaster {
                game_master,
                instance,
                ..
            } => self.instances.get(&(game_master, instance)).copied(),
            Viewer::Spectator => self.others.get(&subscriber.outbox.id()).copied(),
        }
    }

    fn remove(&mut self, key: AttachmentId) -> Option<Subscriber> {
        let subscriber = self.all.remove(&key)?;
        self.schedule.remove(key);
        for audience in subscriber.viewer.audiences() {
            if let Some(members) = self.members.get_mut(&audience) {
                members.retain(|member| *member != key);
                if members.is_empty() {
                    self.members.remove(&audience);
                }
            }
        }
        match subscriber.viewer {
            Viewer::Player { device, .. } => {
                self.devices.remove(&device);
            }
            Viewer::GameMaster {
                game_master,
                instance,
                ..
            } => {
                self.instances.remove(&(game_master, instance));
            }
            Viewer::Spectator => {
                self.others.remove(&subscriber.outbox.id());
                self.spectators -= 1;
            }
        }
        self.record_change(subscriber.viewer);
        Some(subscriber)
    }

    fn record_change(&mut self, viewer: Viewer) {
        self.any_changed = true;
        match viewer {
            Viewer::Player { team, .. } => {
                self.changed_teams.insert(team);
            }
            Viewer::GameMaster { .. } | Viewer::Spectator => {}
        }
    }

    /// Queues an update to every connection of its audience; returns their number.
    pub(super) fn send(&mut self, stamp: UpdateNumber, frames: &mut UpdateFrames) -> usize {
        if stamp.audience == Audience::Everyone {
            for subscriber in self.all.values_mut() {
                match subscriber.viewer {
                    Viewer::Player { .. } => subscriber.send(stamp, frames),
                    Viewer::GameMaster { .. } | Viewer::Spectator => {}
                }
            }
            return self.devices.len();
        }
        let members = self.members.get(&stamp.audience);
        let members = members.map_or(&[] as &[AttachmentId], Vec::as_slice);
        for key in members {
            let subscriber = self.all.get_mut(key);
            subscriber
                .expect("members are subscribers")
                .send(stamp, frames);
        }
        members.len()
    }

    /// Closes every connection of an identity whose access was revoked.
    pub(super) fn disconnect(&mut self, identity: Identity) {
        for subscriber in self.all.values() {
            if subscriber.viewer.identity() == identity {
                subscriber.outbox.close(CloseCode::Unauthorized);
            }
        }
        self.remove_gone();
    }

    /// Removes the subscribers whose connections are closed or gone.
    pub(super) fn remove_gone(&mut self) {
        let gone = self.all.iter();
        let gone = gone.filter(|(_, subscriber)| subscriber.outbox.is_gone());
        let gone: Vec<AttachmentId> = gone.map(|(key, _)| *key).collect();
        for key in gone {
            self.remove(key);
        }
    }

    /// When the next `heads` frames are due, or the next period begins.
    pub(super) fn heads_due_at(&self) -> Instant {
        self.schedule.due_at()
    }

    /// The subscribers that are due for `heads` now.
    pub(super) fn take_heads_due(&mut self) -> Due {
        self.schedule.take_due(Instant::now())
    }

    /// The subscribers with these keys that are still attached.
    pub(super) fn with_keys(&self, keys: &[AttachmentId]) -> impl Iterator<Item = &Subscriber> {
        keys.iter().filter_map(|key| self.all.get(key))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.all.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number of spectators.
    pub(super) fn spectators(&self) -> usize {
        self.spectators
    }

    /// The members of an audience other than `Everyone`.
    pub(super) fn members_of(&self, audience: Audience) -> impl Iterator<Item = &Subscriber> {
        let members = self.members.get(&audience).into_iter().flatten();
        members.filter_map(|key| self.all.get(key))
    }

    /// The teams with at least one connection.
    pub(super) fn teams(&self) -> impl Iterator<Item = TeamId> {
        self.members.keys().filter_map(|audience| match audience {
            Audience::Team(team) => Some(*team),
            Audience::Everyone
            | Audience::Player(_)
            | Audience::Public
            | Audience::View
            | Audience::Hints
            | Audience::Answers => None,
        })
    }

    /// Whether presence or attendance has changed for a subscriber that receives it: a member of a team
    /// that changed, or a game master.
    pub(super) fn have_changed(&self) -> bool {
        let has_game_masters = self.members.contains_key(&Audience::View);
        !self.changed_teams.is_empty() || (self.any_changed && has_game_masters)
    }

    /// The teams with an attachment or a detachment since the last call, and whether any subscriber was
    /// added or removed.
    pub(super) fn take_changes(&mut self) -> (BTreeSet<TeamId>, bool) {
        let any = std::mem::take(&mut self.any_changed);
        (std::mem::take(&mut self.changed_teams), any)
    }

    pub(super) fn clear(&mut self) {
        self.schedule.clear();
        self.all.clear();
        self.members.clear();
        self.devices.clear();
        self.others.clear();
        self.spectators = 0;
        self.changed_teams.clear();
        self.any_changed = false;
    }
}

impl Subscriber {
    fn send(&mut self, stamp: UpdateNumber, frames: &mut UpdateFrames) {
        advance(&mut self.heads, stamp);
        self.outbox.push(frames.for_codec(self.codec));
    }
}
