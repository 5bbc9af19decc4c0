//! One live session: recovery, turns, the output gate, snapshots and supervision.
//!
//! [`launch`] gives a handle and the future that runs the session. The future supervises an actor:
//! it recovers the state from the journal, runs turns, and recovers again after a failure.

mod archiving;
mod background;
mod backlog;
mod context;
mod gate;
mod handle;
mod owned;
mod recovery;
mod snapshots;
mod supervisor;
mod turns;
mod usage;

pub use archiving::Archiving;
pub use context::{JournalAccess, Services, SessionSpec};
pub use handle::{Mail, NumberedCommand, SessionHandle, Unavailable};
pub use supervisor::{SessionExit, launch};
