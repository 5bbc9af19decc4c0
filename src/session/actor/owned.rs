//! What authorizes this process to write a session.

use crate::ids::{Epoch, Incarnation, SessionId};

/// A session that this process owns. The journal's fence checks the owner and the epoch on every write.
#[derive(Clone, Copy)]
pub(super) struct OwnedSession {
    pub(super) session: SessionId,
    pub(super) owner: Incarnation,
    pub(super) epoch: Epoch,
}
