//! Faults that tests plant to prove that they would be noticed. A build without the feature
//! `planted-faults` has none of them, and the checks cost nothing.

/// A defect on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Planted {
    /// No defect.
    #[default]
    Nothing,
    /// Outputs leave before the journal has what they were decided on.
    AckBeforeDurable,
    /// Outputs of turns without events leave before earlier turns are durable.
    EventlessOutputUngated,
    /// A recovery forgets the receipts.
    ReceiptsForgotten,
    /// A session is opened again after an unknown outcome in the epoch that it had.
    ReopenedWithoutClaim,
    /// A session says what is not in the journal without a look at the node's validity.
    SpeaksWithoutValidity,
    /// A state is stored before the journal has what it was folded from.
    SnapshotBeforeDurable,
    /// A recovery reads the journal first and claims the session then.
    TailBeforeClaim,
    /// Old batches are deleted before the archive has them.
    TruncatedBeforeArchived,
    /// What only the newest snapshot covers is deleted, and one event more.
    TruncatedTooFar,
}

impl Planted {
    pub(super) fn acks_before_durable(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::AckBeforeDurable
    }

    pub(super) fn lets_eventless_output_out(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::EventlessOutputUngated
    }

    pub(super) fn forgets_receipts(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::ReceiptsForgotten
    }

    pub(super) fn reopens_without_claim(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::ReopenedWithoutClaim
    }

    pub(super) fn speaks_without_validity(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::SpeaksWithoutValidity
    }

    pub(super) fn stores_before_durable(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::SnapshotBeforeDurable
    }

    pub(super) fn reads_before_claim(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::TailBeforeClaim
    }

    pub(super) fn truncates_before_archived(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::TruncatedBeforeArchived
    }

    pub(super) fn truncates_too_far(self) -> bool {
        cfg!(feature = "planted-faults") && self == Self::TruncatedTooFar
    }
}
