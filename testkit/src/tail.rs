//! The last bytes of a stream, for error messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Maximum number of bytes kept; older bytes are dropped.
const TAIL_BYTES_MAX: usize = 16 * 1024;

/// The last bytes of a stream that another task drains. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
}

impl Tail {
    /// Reads until the stream ends or fails, so that its writer never blocks.
    pub(crate) async fn drain(self, mut stream: impl AsyncRead + Unpin) {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            self.push(&chunk[..count]);
        }
    }

    /// Returns the kept bytes as text.
    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (front, back) = bytes.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    fn push(&self, chunk: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(chunk);
        let surplus = bytes.len().saturating_sub(TAIL_BYTES_MAX);
        bytes.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::{TAIL_BYTES_MAX, Tail};

    #[tokio::test]
    async fn only_the_end_is_kept() {
        let tail = Tail::default();
        let text = format!("{}end", "x".repeat(3 * TAIL_BYTES_MAX));
        tail.clone().drain(text.as_bytes()).await;
        assert_eq!(tail.text().len(), TAIL_BYTES_MAX);
        assert!(tail.text().ends_with("end"));
    }
}
