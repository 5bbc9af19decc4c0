//! The attached connections of a session, by audience.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hunt::{Audience, TeamId, UpdateNumber};
use protocol::{CloseCode, Codec, Heads};
use tokio::time::Instant;

use super::frames::Frames;
use super::outbox::{Outbox, OutboxId};
use super::rota::{Due, Rota};
use super::who::{Identity, Who, advance};

/// A connection that receives what is let out.
pub(super) struct Subscriber {
    pub(super) who: Who,
    pub(super) outbox: Outbox,
    pub(super) codec: Codec,
    /// The numbers up to which everything was sent.
    pub(super) heads: Heads,
}

/// Numbers a subscriber among those of one actor's life.
pub(super) type Place = u64;

/// Subscribers, by place and by audience. Their number is bounded by the gateway's connections.
pub(super) struct Subscribers {
    next: Place,
    /// Who is told heads when.
    rota: Rota,
    all: HashMap<Place, Subscriber>,
    /// Who belongs to an audience; `Everyone` is all of them but the spectators and has no entry.
    members: HashMap<Audience, Vec<Place>>,
    /// A device has one connection.
    devices: HashMap<hunt::DeviceId, Place>,
    /// Game masters and spectators may have several.
    others: HashMap<OutboxId, Place>,
    spectators: usize,
    /// The teams of which somebody has come or gone since it was last asked.
    changed: BTreeSet<TeamId>,
    /// Whether anybody has.
    anyone_changed: bool,
}

impl Subscribers {
    /// Nobody yet; each will be told heads once in such a period.
    pub(super) fn new(heads_every: Duration) -> Self {
        Self {
            next: 0,
            rota: Rota::new(heads_every),
            all: HashMap::new(),
            members: HashMap::new(),
            devices: HashMap::new(),
            others: HashMap::new(),
            spectators: 0,
            changed: BTreeSet::new(),
            anyone_changed: false,
        }
    }

    /// Adds a connection. An older one of the same device is closed; one that attaches again over
    /// the same connection takes its own place.
    pub(super) fn add(&mut self, subscriber: Subscriber) {
        if let Some(place) = self.place_of(&subscriber)
            && let Some(older) = self.remove(place)
            && !older.outbox.is_same(&subscriber.outbox)
        {
            older.outbox.close(CloseCode::Replaced);
        }
        let place = self.next;
        self.next += 1;
        for audience in subscriber.who.audiences() {
            if audience != Audience::Everyone {
                self.members.entry(audience).or_default().push(place);
            }
        }
        match subscriber.who.identity() {
            Identity::Device(device) => {
                self.devices.insert(device, place);
            }
            Identity::GameMaster(_) => {
                self.others.insert(subscriber.outbox.id(), place);
            }
            Identity::Spectator => {
                self.others.insert(subscriber.outbox.id(), place);
                self.spectators += 1;
            }
        }
        self.note_change(subscriber.who);
        self.rota.add(place);
        self.all.insert(place, subscriber);
    }

    /// The place that a connection takes over.
    fn place_of(&self, subscriber: &Subscriber) -> Option<Place> {
        match subscriber.who.identity() {
            Identity::Device(device) => self.devices.get(&device).copied(),
            Identity::GameMaster(_) | Identity::Spectator => {
                self.others.get(&subscriber.outbox.id()).copied()
            }
        }
    }

    fn remove(&mut self, place: Place) -> Option<Subscriber> {
        let subscriber = self.all.remove(&place)?;
        self.rota.remove(place);
        for audience in subscriber.who.audiences() {
            if let Some(members) = self.members.get_mut(&audience) {
                members.retain(|member| *member != place);
                if members.is_empty() {
                    self.members.remove(&audience);
                }
            }
        }
        match subscriber.who.identity() {
            Identity::Device(device) => {
                self.devices.remove(&device);
            }
            Identity::GameMaster(_) => {
                self.others.remove(&subscriber.outbox.id());
            }
            Identity::Spectator => {
                self.others.remove(&subscriber.outbox.id());
                self.spectators -= 1;
            }
        }
        self.note_change(subscriber.who);
        Some(subscriber)
    }

    fn note_change(&mut self, who: Who) {
        self.anyone_changed = true;
        match who {
            Who::Player { team, .. } => {
                self.changed.insert(team);
            }
            Who::GameMaster { .. } | Who::Spectator => {}
        }
    }

    /// Sends an update to its audience; gives the number of connections.
    pub(super) fn send(&mut self, stamp: UpdateNumber, frames: &mut Frames) -> usize {
        if stamp.audience == Audience::Everyone {
            for subscriber in self.all.values_mut() {
                match subscriber.who {
                    Who::Player { .. } | Who::GameMaster { .. } => subscriber.send(stamp, frames),
                    Who::Spectator => {}
                }
            }
            return self.all.len() - self.spectators;
        }
        let members = self.members.get(&stamp.audience);
        let members = members.map_or(&[] as &[Place], Vec::as_slice);
        for place in members {
            let subscriber = self.all.get_mut(place);
            subscriber
                .expect("members are subscribers")
                .send(stamp, frames);
        }
        members.len()
    }

    /// Closes every connection of somebody whose rights are taken away.
    pub(super) fn expel(&mut self, identity: Identity) {
        for subscriber in self.all.values() {
            if subscriber.who.identity() == identity {
                subscriber.outbox.close(CloseCode::Unauthorized);
            }
        }
        self.let_go();
    }

    /// Lets go of connections that are gone.
    pub(super) fn let_go(&mut self) {
        let gone = self.all.iter();
        let gone = gone.filter(|(_, subscriber)| subscriber.outbox.is_gone());
        let gone: Vec<Place> = gone.map(|(place, _)| *place).collect();
        for place in gone {
            self.remove(place);
        }
    }

    /// When somebody is to be told heads, or a period of them begins.
    pub(super) fn heads_due_at(&self) -> Instant {
        self.rota.due_at()
    }

    /// Who is to be told heads now.
    pub(super) fn take_heads_due(&mut self) -> Due {
        self.rota.take_due(Instant::now())
    }

    /// Those at these places who are still there.
    pub(super) fn at(&self, places: &[Place]) -> impl Iterator<Item = &Subscriber> {
        places.iter().filter_map(|place| self.all.get(place))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.all.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many are spectators.
    pub(super) fn spectators(&self) -> usize {
        self.spectators
    }

    /// Those who belong to an audience other than `Everyone`.
    pub(super) fn of(&self, audience: Audience) -> impl Iterator<Item = &Subscriber> {
        let members = self.members.get(&audience).into_iter().flatten();
        members.filter_map(|place| self.all.get(place))
    }

    /// The teams of which somebody is connected.
    pub(super) fn teams(&self) -> impl Iterator<Item = TeamId> {
        self.members.keys().filter_map(|audience| match audience {
            Audience::Team(team) => Some(*team),
            Audience::Everyone | Audience::Player(_) | Audience::GameMasters => None,
        })
    }

    /// Whether somebody has come or gone in whom somebody here is interested: the own team, or game
    /// masters.
    pub(super) fn have_changed(&self) -> bool {
        let is_watched = self.members.contains_key(&Audience::GameMasters);
        !self.changed.is_empty() || (self.anyone_changed && is_watched)
    }

    /// The teams of which somebody has come or gone since this was last asked, and whether anybody
    /// has.
    pub(super) fn take_changes(&mut self) -> (BTreeSet<TeamId>, bool) {
        let anyone = std::mem::take(&mut self.anyone_changed);
        (std::mem::take(&mut self.changed), anyone)
    }

    pub(super) fn clear(&mut self) {
        self.rota.clear();
        self.all.clear();
        self.members.clear();
        self.devices.clear();
        self.others.clear();
        self.spectators = 0;
        self.changed.clear();
        self.anyone_changed = false;
    }
}

impl Subscriber {
    fn send(&mut self, stamp: UpdateNumber, frames: &mut Frames) {
        advance(&mut self.heads, stamp);
        self.outbox.push(frames.of(self.codec));
    }
}
