//! The queue of frames to one connection: bounded in frames and bytes.
//!
//! Overflow policy: what waits is dropped, and the connection is told to close with
//! [`CloseCode::SlowReader`]. Nothing is lost, because the stream can be resumed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use protocol::CloseCode;
use tokio::sync::Notify;

use crate::config::DeliveryConfig;

/// The sending end. Clones send to the same connection.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// The receiving end, owned by the connection's task. Dropping it makes the outbox gone.
#[derive(Debug)]
pub struct OutboxReader {
    shared: Arc<Shared>,
}

/// What a connection has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Write these frames, in order.
    Frames(VecDeque<Bytes>),
    /// Close; everything that was to be written before has been given.
    Close(CloseCode),
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Notify,
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    close: Option<CloseCode>,
    gone: bool,
}

/// A new outbox with its two ends.
pub fn outbox(config: &DeliveryConfig) -> (Outbox, OutboxReader) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        ready: Notify::new(),
        frames_max: config.outbound_frames_max,
        bytes_max: config.outbound_bytes_max,
    });
    let reader = OutboxReader {
        shared: shared.clone(),
    };
    (Outbox { shared }, reader)
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Outbox {
    /// Queues a frame. Does nothing once the outbox is closing or gone.
    pub fn push(&self, frame: Bytes) {
        let mut queue = self.shared.queue();
        if queue.gone || queue.close.is_some() {
            return;
        }
        let full = queue.frames.len() >= self.shared.frames_max;
        if full || queue.bytes + frame.len() > self.shared.bytes_max {
            queue.frames.clear();
            queue.bytes = 0;
            queue.close = Some(CloseCode::SlowReader);
        } else {
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
        }
        drop(queue);
        self.shared.ready.notify_one();
    }

    /// Closes the connection after what is queued. The first reason stands.
    pub fn close(&self, code: CloseCode) {
        self.shared.queue().close.get_or_insert(code);
        self.shared.ready.notify_one();
    }

    /// Whether nothing that is pushed will be written any more.
    pub fn is_gone(&self) -> bool {
        let queue = self.shared.queue();
        queue.gone || queue.close.is_some()
    }

    /// Whether both send to the same connection.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl OutboxReader {
    /// Waits for something to do. Cancel-safe: nothing is taken before it returns.
    pub async fn next(&mut self) -> Outgoing {
        loop {
            if let Some(outgoing) = self.take() {
                return outgoing;
            }
            self.shared.ready.notified().await;
        }
    }

    fn take(&mut self) -> Option<Outgoing> {
        let mut queue = self.shared.queue();
        if queue.frames.is_empty() {
            return queue.close.map(Outgoing::Close);
        }
        queue.bytes = 0;
        Some(Outgoing::Frames(std::mem::take(&mut queue.frames)))
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.gone = true;
        queue.frames = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Outgoing, outbox};
    use crate::config::DeliveryConfig;
    use protocol::CloseCode;

    fn config() -> DeliveryConfig {
        DeliveryConfig {
            ring_bytes_max: 0,
            ring_age_max: Duration::ZERO,
            heads_every: Duration::ZERO,
            outbound_bytes_max: 10,
            outbound_frames_max: 3,
        }
    }

    #[tokio::test]
    async fn frames_come_in_order_and_then_the_close() {
        let (outbox, mut reader) = outbox(&config());
        outbox.push("a".into());
        outbox.push("b".into());
        outbox.close(CloseCode::Replaced);
        outbox.close(CloseCode::GoingAway);
        outbox.push("late".into());
        assert_eq!(
            reader.next().await,
            Outgoing::Frames(["a".into(), "b".into()].into())
        );
        assert_eq!(reader.next().await, Outgoing::Close(CloseCode::Replaced));
    }

    #[tokio::test]
    async fn too_many_frames_or_bytes_close_with_the_advice_to_resume() {
        for frames in [vec!["a"; 4], vec!["aaaaaa"; 2]] {
            let (outbox, mut reader) = outbox(&config());
            for frame in frames {
                outbox.push(frame.into());
            }
            assert!(outbox.is_gone());
            assert_eq!(reader.next().await, Outgoing::Close(CloseCode::SlowReader));
        }
    }

    #[test]
    fn an_outbox_without_a_reader_is_gone() {
        let (outbox, reader) = outbox(&config());
        assert!(!outbox.is_gone());
        drop(reader);
        assert!(outbox.is_gone());
    }
}
