//! Where a client connects.

use std::net::SocketAddr;
use std::time::Duration;

/// Bounds everything that is waited for. Whatever takes so long has failed.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(1);

/// A session as seen from one node, whichever node it runs on.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) session: String,
}

impl Stage {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
