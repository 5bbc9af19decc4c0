//! Attaching a connection without a gap: what it missed, then what comes.

use hunt::{Audience, DeviceId, PlayerId, TeamId};
use protocol::{CloseCode, Codec, Cursor, Heads, Resume, ServerMessage, Welcome};

use super::outbox::Outbox;
use super::render;
use super::ring::Ring;
use crate::session::View;

/// A connection that wants to attach.
#[derive(Debug)]
pub struct Attach {
    /// The device that it authenticated as.
    pub device: DeviceId,
    /// What it has seen.
    pub cursor: Option<Cursor>,
    /// Where its frames go.
    pub outbox: Attaching,
    /// How they are encoded.
    pub codec: Codec,
}

/// The outbox of a connection that is about to be attached. If it is dropped on the way, because
/// the session fails or ends, the connection is closed with the advice to come back: nobody else
/// would tell it.
#[derive(Debug)]
pub struct Attaching {
    outbox: Option<Outbox>,
}

impl Attaching {
    /// The outbox of a connection that asks to be attached.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Some(outbox),
        }
    }

    /// Hands the outbox on to somebody who will look after it.
    pub(super) fn done(mut self) -> Outbox {
        self.outbox.take().expect("it is taken only here")
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        if let Some(outbox) = &self.outbox {
            outbox.close(CloseCode::SessionRestarting);
        }
    }
}

/// An attachment as of a state.
#[derive(Debug)]
pub enum Prepared {
    /// It can be attached.
    Subscriber {
        /// Whose connection it is.
        who: Who,
        /// Where its frames go, and how they are encoded.
        outbox: Attaching,
        /// See there.
        codec: Codec,
        /// The numbers up to which it will have seen everything.
        heads: Heads,
        /// What comes first: `welcome`, and the snapshot if there is one.
        first: Vec<Vec<u8>>,
        /// The cursor from which the ring is replayed, if there is no snapshot.
        replay: Option<Cursor>,
    },
    /// The session does not know the device.
    UnknownDevice(Attaching),
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    pub(super) device: DeviceId,
    pub(super) player: PlayerId,
    pub(super) team: TeamId,
}

impl Who {
    /// The audiences that the connection belongs to.
    pub(super) fn audiences(self) -> [Audience; 3] {
        [
            Audience::Everyone,
            Audience::Team(self.team),
            Audience::Player(self.player),
        ]
    }

    /// The device's audiences, each with its number in a cursor.
    pub(super) fn cursors(self, cursor: &Cursor) -> [(Audience, u64); 3] {
        let [everyone, team, player] = self.audiences();
        [
            (everyone, cursor.everyone),
            (team, cursor.team),
            (player, cursor.player),
        ]
    }
}

/// Prepares an attachment: decides between replay and snapshot, and renders what comes first.
pub(super) fn prepare(
    view: View<'_>,
    ring: &Ring,
    generation: u32,
    server_time_ms: u64,
    attach: Attach,
) -> Prepared {
    let Some(found) = find(view, attach.device) else {
        return Prepared::UnknownDevice(attach.outbox);
    };
    let (who, heads, last_command) = found;
    let replay = attach.cursor.filter(|cursor| {
        let of_this_stream = cursor.generation == generation;
        of_this_stream && is_covered(view, ring, who.cursors(cursor))
    });
    let welcome = ServerMessage::Welcome(Welcome {
        device: who.device.to_string(),
        player: who.player.to_string(),
        team: who.team.to_string(),
        resume: if replay.is_some() {
            Resume::Replay
        } else {
            Resume::Snapshot
        },
        generation,
        heads,
        server_time_ms,
        last_command,
        reconnect: render::reconnect_advice(),
    });
    let mut first = vec![attach.codec.encode(&welcome)];
    if replay.is_none() {
        let snapshot = render::snapshot(view, who.player, who.team);
        let snapshot = snapshot.expect("the device's player and team exist");
        let snapshot = ServerMessage::Snapshot(Box::new(snapshot));
        first.push(attach.codec.encode(&snapshot));
    }
    Prepared::Subscriber {
        who,
        outbox: attach.outbox,
        codec: attach.codec,
        heads,
        first,
        replay,
    }
}

fn find(view: View<'_>, id: DeviceId) -> Option<(Who, Heads, u64)> {
    let device = view.state.device(id)?;
    let player = view.state.player(device.player)?;
    let heads = view.state.heads(device.player)?;
    let who = Who {
        device: id,
        player: device.player,
        team: player.team,
    };
    let last_command = device.last_command().map_or(0, |id| id.0);
    Some((who, render::heads(heads), last_command))
}

fn is_covered(view: View<'_>, ring: &Ring, cursors: [(Audience, u64); 3]) -> bool {
    let covered = |(audience, after): (Audience, u64)| {
        ring.covers(audience, after, view.state.head(audience))
    };
    cursors.into_iter().all(covered)
}
