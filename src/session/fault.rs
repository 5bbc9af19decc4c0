//! Faults that tests inject to prove that they would be detected. A build without the feature
//! `fault-injection` compiles every check to `false`.

/// A fault that is injected into the sessions of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InjectedFault {
    /// No fault.
    #[default]
    None,
    /// Outputs are released before the journal holds the events that they depend on.
    AckBeforeDurable,
    /// Outputs of turns without events are released before earlier turns are durable.
    EventlessOutputUngated,
    /// A recovery loses the receipts.
    ReceiptsForgotten,
    /// After an append of unknown outcome a session is reopened in the same epoch.
    ReopenedWithoutClaim,
    /// Outputs that are not journaled are released without a check of the node's lease.
    SpeaksWithoutLease,
    /// A snapshot is stored before the journal holds the events that it was folded from.
    SnapshotBeforeDurable,
    /// A recovery reads the journal before it claims the session.
    TailBeforeClaim,
    /// Old batches are deleted before the archive holds them.
    TruncatedBeforeArchived,
    /// Events that only the newest snapshot covers are deleted, and one event more.
    TruncatedTooFar,
}

impl InjectedFault {
    /// Whether `fault` is injected; always false without the feature.
    pub(super) fn is(self, fault: Self) -> bool {
        cfg!(feature = "fault-injection") && self == fault
    }
}
