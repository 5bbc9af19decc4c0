//! The loss of a reply that somebody waits for, and the connection on which it happens.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The one loss that is awaited, if there is one.
#[derive(Debug, Default)]
pub(super) struct Swallows {
    armed: Mutex<Option<oneshot::Sender<()>>>,
}

/// A reply that is going to be lost. Dropping this calls it off, unless the request is already on
/// its way.
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
    /// Waits until a reply was thrown away and its connection reset.
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

    /// Whoever takes it loses the next reply and tells so. None if nobody waits for a loss.
    pub(super) fn take(&self) -> Option<oneshot::Sender<()>> {
        self.armed().take().filter(|tell| !tell.is_closed())
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<()>>> {
        // An option is whole also after a panic of whoever held it.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds a pattern in a stream that comes in chunks.
#[derive(Debug)]
pub(super) struct Seeker<'a> {
    pattern: &'a [u8],
    /// The end of what was seen, one byte shorter than the pattern.
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

    /// Whether the pattern was in what came before.
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Takes the next chunk.
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
    fn what_is_not_there_is_not_found() {
        let mut seeker = Seeker::new(b"insert");
        for chunk in [&b"inser"[..], b"", b"inse", b"rinsert"] {
            assert!(!seeker.is_found());
            seeker.take(chunk);
        }
        assert!(seeker.is_found(), "in the last chunk it is");
    }
}
