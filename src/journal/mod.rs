//! Durability: events of sessions become durable here before anything leaves the node.
//!
//! Four narrow traits divide the work: the fenced [`Ledger`] (ownership, events, snapshots),
//! [`Membership`] of nodes, the [`Catalogue`] of hunts and sessions, and the [`History`] of committed
//! events. A [`Journal`] is a store that implements all four: PostgreSQL, SQLite or memory. Every
//! implementation passes the same contract suite (`tests/contract`).
//!
//! Never here: what an event means, when to claim, what to do after a failure.

mod answer;
mod archive;
mod catalogue;
pub mod files;
mod history;
mod ledger;
mod membership;
mod memory;
mod nodes;
mod postgres;
pub mod records;
mod sqlite;

pub use answer::{Answer, JournalError};
pub use archive::{
    Archive, ArchiveError, ArchiveFile, ArchiveFolder, ArchivePermit, Piece, read_archive,
    verify_archive,
};
pub use catalogue::{Catalogue, CreateError, SessionRecord};
pub use history::{BatchesMax, History, ReadError};
pub use ledger::{
    AppendError, Batch, ClaimError, Ledger, Loaded, PrivateKind, PrivateRecord, Snapshot,
    StoredBatch, TruncateError, Truncation,
};
pub use membership::Membership;
pub use memory::MemoryJournal;
pub use postgres::{PostgresJournal, PostgresOptions, SchemaError, SchemaStatus, SchemaStep};
pub use sqlite::{DATABASE_FILE, SqliteJournal, SqliteOptions, SqliteSynchronous};

/// An open store that implements every narrow trait, for the code that opens and closes it. Other code
/// takes the narrow trait that it needs.
pub trait Journal: Ledger + Membership + Catalogue + History {
    /// Generation of every stream. A client that knows another generation may have received events
    /// that are missing here. Changes only while no server runs.
    fn generation(&self) -> Answer<u32>;

    /// Waits for all pending work and closes the store.
    fn close(&self) -> Answer<()>;
}
