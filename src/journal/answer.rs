//! The return type of journal calls, and their general error.

use futures_util::future::BoxFuture;

/// The pending result of a call. The work progresses without being polled: dropping the future discards the
/// result but does not cancel the work, unless a method documents otherwise.
pub type Answer<T, E = JournalError> = BoxFuture<'static, Result<T, E>>;

/// A store failed to carry out a call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the journal failed to {action}: {reason}")]
pub struct JournalError {
    /// The action, in the infinitive: "append", "list sessions".
    pub action: &'static str,
    /// Why it failed.
    pub reason: String,
}
