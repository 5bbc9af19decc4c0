//! Attaches a connection without a gap: the updates that it missed or a snapshot, then new updates.

use bytes::Bytes;
use protocol::{CloseCode, Codec, Cursor, Heads, Resume, ServerMessage};

use super::client_snapshots::ClientSnapshots;
use super::outbox::Outbox;
use super::render::{self, Resumption};
use super::ring::Ring;
use super::viewer::{Identity, Viewer};
use crate::session::View;

/// A connection that asks to be attached.
#[derive(Debug)]
pub struct Attach {
    /// The identity that it authenticated as.
    pub identity: Identity,
    /// The last number that it has seen of each audience.
    pub cursor: Option<Cursor>,
    /// The destination of its frames.
    pub outbox: PendingOutbox,
    /// The encoding of its frames.
    pub codec: Codec,
}

/// The outbox of a connection that is not attached yet. Dropping it, because the session fails or
/// ends first, closes the connection with the advice to reconnect.
#[derive(Debug)]
pub struct PendingOutbox {
    outbox: Option<Outbox>,
}

impl PendingOutbox {
    /// The outbox of a connection that asks to be attached.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Some(outbox),
        }
    }

    /// Whether the connection is closed or gone.
    pub(super) fn is_gone(&self) -> bool {
        self.outbox.as_ref().is_none_or(Outbox::is_gone)
    }

    /// Hands the outbox over to an owner that closes it itself.
    pub(super) fn into_outbox(mut self) -> Outbox {
        self.outbox
            .take()
            .expect("only this method takes it, and consumes the guard")
    }
}

impl Drop for PendingOutbox {
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
        /// The viewer behind the connection.
        viewer: Viewer,
        /// The destination of its frames.
        outbox: PendingOutbox,
        /// The encoding of its frames.
        codec: Codec,
        /// The numbers up to which it will have received every update.
        heads: Heads,
        /// The first frames: `welcome`, and the client snapshot if there is one.
        first: Vec<Bytes>,
        /// The cursor from which the ring is replayed, if there is no snapshot.
        replay: Option<Cursor>,
    },
    /// The session does not know the identity, or has revoked it.
    Refused(PendingOutbox),
}

/// The parts of a hub that an attachment is prepared from.
pub(super) struct Preparing<'a> {
    pub(super) view: View<'a>,
    pub(super) ring: &'a Ring,
    pub(super) snapshots: &'a mut ClientSnapshots,
    pub(super) generation: u32,
    pub(super) server_time_ms: u64,
}

impl Preparing<'_> {
    /// Decides between replay and snapshot, and renders the first frames.
    pub(super) fn prepare(self, attach: Attach) -> Prepared {
        let view = self.view;
        let Some(viewer) = Viewer::find(view, attach.identity) else {
            return Prepared::Refused(attach.outbox);
        };
        let heads = viewer.heads(view);
        let replay = attach
            .cursor
            .filter(|cursor| self.can_replay(viewer, cursor, heads));
        let resume = match viewer {
            Viewer::Spectator => Resume::Board,
            Viewer::Player { .. } | Viewer::GameMaster { .. } if replay.is_some() => Resume::Replay,
            Viewer::Player { .. } | Viewer::GameMaster { .. } => Resume::Snapshot,
        };
        let resumption = Resumption {
            resume,
            generation: self.generation,
            heads,
            server_time_ms: self.server_time_ms,
        };
        let welcome = ServerMessage::Welcome(render::welcome(view, viewer, resumption));
        let welcome = attach.codec.encode(&welcome);
        let snapshot = match replay {
            Some(_) => None,
            None => self.snapshots.frame(view, viewer, heads, attach.codec),
        };
        Prepared::Subscriber {
            viewer,
            outbox: attach.outbox,
            codec: attach.codec,
            heads,
            first: std::iter::once(welcome.into()).chain(snapshot).collect(),
            replay,
        }
    }

    /// Whether the ring has, or is about to get, every update after a cursor.
    fn can_replay(&self, viewer: Viewer, cursor: &Cursor, heads: Heads) -> bool {
        cursor.generation == self.generation
            && viewer != Viewer::Spectator
            && self.ring.covers_all(&viewer.cursors(cursor), heads)
    }
}
