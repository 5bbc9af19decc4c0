//! The queue of frames to one connection: bounded in frames and bytes.
//!
//! Overflow policy: what waits is dropped, and the connection is told to close with
//! [`CloseCode::SlowReader`]. Nothing is lost, because the stream can be resumed. What an attachment
//! begins with is kept apart from that: if it had to fit, whoever missed more could never resume.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use protocol::CloseCode;
use tokio::sync::Notify;

use crate::config::DeliveryConfig;
use crate::telemetry::metrics;

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
    /// What an attachment begins with; goes before `frames`.
    beginning: VecDeque<Bytes>,
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

    fn push_to(&self, queue: &mut Queue, frame: Bytes) {
        if queue.is_closed() {
            return;
        }
        let full = queue.frames.len() >= self.frames_max;
        if full || queue.bytes + frame.len() > self.bytes_max {
            queue.frames.clear();
            queue.bytes = 0;
            queue.close = Some(CloseCode::SlowReader);
            metrics().outboxes_overflowed.increment(1);
        } else {
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
            metrics().outbox_bytes_peak.note(queue.bytes);
            metrics().outbox_frames_peak.note(queue.frames.len());
        }
    }
}

impl Queue {
    /// Whether nothing more is taken in.
    fn is_closed(&self) -> bool {
        self.gone || self.close.is_some()
    }
}

impl Outbox {
    /// Queues what an attachment begins with, however much it is: one snapshot, or what the ring
    /// keeps and shares. If something waits already, as when a client asks again and again, the
    /// queue's bounds count for it too.
    pub fn begin(&self, frames: impl IntoIterator<Item = Bytes>) {
        let mut queue = self.shared.queue();
        if queue.is_closed() {
            return;
        }
        if queue.beginning.is_empty() && queue.frames.is_empty() {
            queue.beginning.extend(frames);
        } else {
            for frame in frames {
                self.shared.push_to(&mut queue, frame);
            }
        }
        drop(queue);
        self.shared.ready.notify_one();
    }

    /// Queues a frame. Does nothing once the outbox is closing or gone.
    pub fn push(&self, frame: Bytes) {
        self.shared.push_to(&mut self.shared.queue(), frame);
        self.shared.ready.notify_one();
    }

    /// Closes the connection after what is queued. The first reason stands.
    pub fn close(&self, code: CloseCode) {
        self.shared.queue().close.get_or_insert(code);
        self.shared.ready.notify_one();
    }

    /// Whether nothing that is pushed will be written any more.
    pub fn is_gone(&self) -> bool {
        self.shared.queue().is_closed()
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
        if !queue.beginning.is_empty() {
            return Some(Outgoing::Frames(std::mem::take(&mut queue.beginning)));
        }
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
        queue.beginning = VecDeque::new();
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

    #[tokio::test]
    async fn a_beginning_of_any_size_comes_whole_and_first() {
        let beginning = || vec![bytes::Bytes::from("aaaaaaaaaa"); 9];
        let (outbox, mut reader) = outbox(&config());
        outbox.begin(beginning());
        outbox.push("b".into());
        assert_eq!(reader.next().await, Outgoing::Frames(beginning().into()));
        assert_eq!(reader.next().await, Outgoing::Frames(["b".into()].into()));
        // Even if what follows does not fit any more.
        outbox.begin(beginning());
        for _ in 0..4 {
            outbox.push("c".into());
        }
        assert_eq!(reader.next().await, Outgoing::Frames(beginning().into()));
        assert_eq!(reader.next().await, Outgoing::Close(CloseCode::SlowReader));
    }

    #[tokio::test]
    async fn beginnings_do_not_pile_up() {
        let (outbox, mut reader) = outbox(&config());
        outbox.begin(["a".into()]);
        outbox.begin(["b".into(), "c".into()]);
        outbox.begin(["d".into(), "e".into()]);
        assert!(
            outbox.is_gone(),
            "the bounds count for what is asked for again"
        );
        assert_eq!(reader.next().await, Outgoing::Frames(["a".into()].into()));
        assert_eq!(reader.next().await, Outgoing::Close(CloseCode::SlowReader));
    }

    #[test]
    fn an_outbox_without_a_reader_is_gone() {
        let (outbox, reader) = outbox(&config());
        assert!(!outbox.is_gone());
        drop(reader);
        assert!(outbox.is_gone());
    }
}
