//! The attached connections of a session, by audience.

use std::collections::HashMap;

use hunt::{Audience, Stamp};
use protocol::{CloseCode, Codec, Heads};

use super::frames::Frames;
use super::outbox::Outbox;
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
type Place = u64;

/// Subscribers, by place and by audience. Their number is bounded by the gateway's connections.
#[derive(Default)]
pub(super) struct Subscribers {
    next: Place,
    all: HashMap<Place, Subscriber>,
    /// Who belongs to an audience; `Everyone` is all of them and has no entry.
    members: HashMap<Audience, Vec<Place>>,
    /// A device has one connection; game masters may have several.
    devices: HashMap<hunt::DeviceId, Place>,
}

impl Subscribers {
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
        if let Identity::Device(device) = subscriber.who.identity() {
            self.devices.insert(device, place);
        }
        self.all.insert(place, subscriber);
    }

    /// The place that a connection takes over.
    fn place_of(&self, subscriber: &Subscriber) -> Option<Place> {
        match subscriber.who.identity() {
            Identity::Device(device) => self.devices.get(&device).copied(),
            Identity::GameMaster(_) => {
                let mut all = self.all.iter();
                all.find(|(_, other)| other.outbox.is_same(&subscriber.outbox))
                    .map(|(place, _)| *place)
            }
        }
    }

    fn remove(&mut self, place: Place) -> Option<Subscriber> {
        let subscriber = self.all.remove(&place)?;
        for audience in subscriber.who.audiences() {
            if let Some(members) = self.members.get_mut(&audience) {
                members.retain(|member| *member != place);
                if members.is_empty() {
                    self.members.remove(&audience);
                }
            }
        }
        if let Identity::Device(device) = subscriber.who.identity() {
            self.devices.remove(&device);
        }
        Some(subscriber)
    }

    /// Sends an update to its audience; gives the number of connections.
    pub(super) fn send(&mut self, stamp: Stamp, frames: &mut Frames) -> usize {
        if stamp.audience == Audience::Everyone {
            for subscriber in self.all.values_mut() {
                subscriber.send(stamp, frames);
            }
            return self.all.len();
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.all.values()
    }

    pub(super) fn clear(&mut self) {
        *self = Self {
            next: self.next,
            ..Self::default()
        };
    }
}

impl Subscriber {
    fn send(&mut self, stamp: Stamp, frames: &mut Frames) {
        advance(&mut self.heads, stamp);
        self.outbox.push(frames.of(self.codec));
    }
}
