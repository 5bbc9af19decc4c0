//! One actor for each live session: the only place where a session changes.
//!
//! A request goes into the actor's mailbox; the actor decides, applies, hands the events to the
//! journal, and holds every output in its gate until the journal has what the output was decided
//! on. [`Sessions`] finds actors by code and starts them again after a failure.
//!
//! Architecture invariant: nothing here knows frames, connections or HTTP. What leaves an actor goes
//! through the [`Delivery`] that it is given, or through the reply of a request.

mod actor;
mod archiving;
mod backlog;
mod beside;
mod creating;
mod delivery;
mod directory;
mod finish;
mod gate;
mod handle;
mod hunts;
mod open;
mod planted;
mod recovery;
mod registry;
mod retiring;
mod snapshots;
mod supervisor;
mod tenancy;
mod usage;

pub use archiving::Archiving;
pub use backlog::Backlog;
pub use creating::{CreateSessionError, first_game_master};
pub use delivery::{Delivery, Outcome, Refusal, View};
pub use directory::OpenError;
pub use handle::{Mail, Numbered, SessionHandle, Unavailable};
pub use hunts::{HuntError, StoredHunt, parse_stored, revision_of};
pub use planted::Planted;
pub use recovery::RecoverError;
pub use registry::{NotHere, SessionDefaults, Sessions, Sharing};
pub use supervisor::{Condition, Departure, SessionRun, Tenure, supervise};
pub use tenancy::JournalStore;
pub use usage::Usage;
