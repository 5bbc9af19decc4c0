//! What every call of a journal returns, and how it fails.

use futures_util::future::BoxFuture;

/// The pending result of a call. The work progresses on its own: dropping the future gives up the result
/// and does not cancel the work, except where a method says otherwise.
pub type Answer<T, E = JournalError> = BoxFuture<'static, Result<T, E>>;

/// A store failed to do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the journal failed to {action}: {reason}")]
pub struct JournalError {
    /// The action, in the infinitive: "append", "list sessions".
    pub action: &'static str,
    /// Why it failed.
    pub reason: String,
}
