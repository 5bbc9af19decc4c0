//! A reply that the proxy loses on request, and the search for the mark of a connection.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The pending loss, if there is one.
#[derive(Debug, Default)]
pub(super) struct Swallows {
    armed: Mutex<Option<oneshot::Sender<()>>>,
}

/// A pending loss of a reply. Dropping it cancels the loss, unless the request has already been
/// forwarded.
#[derive(Debug)]
#[must_use = "the loss is called off with this"]
pub struct Swallowing {
    done: oneshot::Receiver<()>,
}

/// The loss did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no reply was lost: its connection ended before, another loss was asked for, or the proxy is gone"
)]
pub struct NotSwallowed;

impl Swallowing {
    /// Waits until a reply was discarded and its connection reset.
    pub async fn swallowed(self) -> Result<(), NotSwallowed> {
        self.done.await.map_err(|_| NotSwallowed)
    }
}

impl Swallows {
    pub(super) fn arm(&self) -> Swallowing {
        let (tell, done) = oneshot::channel();
        *self.armed() = Some(tell);
        Swallowing { done }
    }

    /// Takes the pending loss, unless its [`Swallowing`] was dropped. The caller must discard the next
    /// reply and report that through the returned sender.
    pub(super) fn take(&self) -> Option<oneshot::Sender<()>> {
        self.armed().take().filter(|tell| !tell.is_closed())
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<()>>> {
        // The option is valid even if a holder of the lock panicked.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds a pattern in a stream that comes in chunks.
#[derive(Debug)]
pub(super) struct Seeker<'a> {
    pattern: &'a [u8],
    /// The last bytes seen, one fewer than the pattern has.
    tail: Vec<u8>,
    is_found: bool,
}

impl<'a> Seeker<'a> {
    pub(super) fn new(pattern: &'a [u8]) -> Self {
        Self {
            pattern,
            tail: Vec::new(),
            is_found: false,
        }
    }

    /// Whether the pattern occurred in the chunks so far.
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Searches the next chunk.
    pub(super) fn take(&mut self, chunk: &[u8]) {
        if self.is_found {
            return;
        }
        self.tail.extend_from_slice(chunk);
        let mut windows = self.tail.windows(self.pattern.len());
        if windows.any(|window| window == self.pattern) {
            self.is_found = true;
            self.tail = Vec::new();
            return;
        }
        let kept = self.tail.len().min(self.pattern.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }
}

#[cfg(test)]
mod tests {
    use super::Seeker;

    #[test]
    fn a_pattern_is_found_wherever_the_chunks_are_cut() {
        let text = b"a request: insert into it";
        for at in 0..text.len() {
            let mut seeker = Seeker::new(b"insert");
            seeker.take(&text[..at]);
            seeker.take(&text[at..]);
            assert!(seeker.is_found(), "cut at {at}");
        }
        let mut byte_by_byte = Seeker::new(b"insert");
        for byte in text {
            byte_by_byte.take(&[*byte]);
        }
        assert!(byte_by_byte.is_found());
    }

    #[test]
    fn a_partial_match_is_not_found() {
        let mut seeker = Seeker::new(b"insert");
        for chunk in [&b"inser"[..], b"", b"inse", b"rinsert"] {
            assert!(!seeker.is_found());
            seeker.take(chunk);
        }
        assert!(seeker.is_found(), "the last chunk contains the pattern");
    }
}
