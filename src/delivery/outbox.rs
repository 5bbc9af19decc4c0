//! The queue of frames to one connection, in two classes.
//!
//! *Must*: updates, receipts and all that has its place in an order; bounded in frames and bytes.
//! Overflow policy: what waits is dropped, and the connection is told to close with
//! [`CloseCode::SlowReader`] once what is being written is finished. Nothing is lost, because the
//! stream can be resumed. What an attachment begins with is kept apart from that: if it had to fit,
//! whoever missed more could never resume.
//!
//! *Latest*: one slot for each kind; a newer one replaces what waits there. They go when nothing else
//! waits, so that they never run ahead of the updates that they follow from.
//!
//! A connection that is caught up holds no queue memory: the queues are empty and have no storage.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use protocol::{CloseCode, Codec};
use tokio::sync::Notify;

use super::latest::{KINDS, Latest, Sent};
use crate::config::DeliveryConfig;
use crate::telemetry::metrics;

/// The most that is given to be written at once: what is given leaves the queue's bounds, and is
/// finished even when the queue overflows. A larger frame goes alone.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// The same in frames.
const BATCH_FRAMES_MAX: usize = 256;

/// The sending end. Clones send to the same connection.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// Tells outboxes apart for as long as they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OutboxId(usize);

/// The receiving end, owned by the connection's task. Dropping it makes the outbox gone.
#[derive(Debug)]
pub struct OutboxReader {
    shared: Arc<Shared>,
    codec: Codec,
    sent: Sent,
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
    /// A slot for each kind.
    latest: [Option<Latest>; KINDS],
    /// Whether an attachment has begun since the reader last looked: a `welcome` is in the queue.
    has_begun: bool,
    close: Option<CloseCode>,
    gone: bool,
}

/// A new outbox with its two ends. What is pushed is encoded by this codec already; what is latest
/// is encoded when it is taken.
pub fn outbox(config: &DeliveryConfig, codec: Codec) -> (Outbox, OutboxReader) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        ready: Notify::new(),
        frames_max: config.outbound_frames_max,
        bytes_max: config.outbound_bytes_max,
    });
    let reader = OutboxReader {
        shared: shared.clone(),
        codec,
        sent: Sent::default(),
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
            queue.overflow();
        } else {
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
            metrics().outbox_bytes_peak.observe(queue.bytes);
            metrics().outbox_frames_peak.observe(queue.frames.len());
        }
    }
}

impl Queue {
    /// Whether nothing more is taken in.
    fn is_closed(&self) -> bool {
        self.gone || self.close.is_some()
    }

    /// Drops what waits, with its storage. What an attachment begins with stays: whoever reads it
    /// to its end has come further, and does not begin anew with the same at the next attempt.
    fn overflow(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.latest = Default::default();
        self.close = Some(CloseCode::SlowReader);
        metrics().outboxes_overflowed.increment(1);
    }

    /// The next batch of what must be written.
    fn next_batch(&mut self) -> VecDeque<Bytes> {
        if !self.beginning.is_empty() {
            return batch_of(&mut self.beginning);
        }
        let batch = batch_of(&mut self.frames);
        self.bytes -= batch.iter().map(Bytes::len).sum::<usize>();
        batch
    }

    fn has_must(&self) -> bool {
        !self.beginning.is_empty() || !self.frames.is_empty()
    }
}

/// Takes the first frames, within the bounds of a batch. What is emptied gives its storage away.
fn batch_of(frames: &mut VecDeque<Bytes>) -> VecDeque<Bytes> {
    let mut bytes = 0;
    let fits = |frame: &&Bytes| {
        let is_first = bytes == 0;
        bytes += frame.len();
        is_first || bytes <= BATCH_BYTES_MAX
    };
    let count = frames
        .iter()
        .take(BATCH_FRAMES_MAX)
        .take_while(fits)
        .count();
    if count == frames.len() {
        std::mem::take(frames)
    } else {
        frames.drain(..count).collect()
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
        queue.has_begun = true;
        if queue.has_must() {
            for frame in frames {
                self.shared.push_to(&mut queue, frame);
            }
        } else {
            queue.beginning.extend(frames);
        }
        drop(queue);
        self.shared.ready.notify_one();
    }

    /// Queues a frame. Does nothing once the outbox is closing or gone.
    pub fn push(&self, frame: Bytes) {
        self.shared.push_to(&mut self.shared.queue(), frame);
        self.shared.ready.notify_one();
    }

    /// Puts something in the place of an older one of its kind. Does nothing once the outbox is
    /// closing or gone.
    pub(super) fn push_latest(&self, latest: Latest) {
        let mut queue = self.shared.queue();
        if queue.is_closed() {
            return;
        }
        let slot = &mut queue.latest[latest.place()];
        let replaced = slot.replace(latest);
        drop(queue);
        if replaced.is_some() {
            metrics().latest_replaced.increment(1);
        } else {
            self.shared.ready.notify_one();
        }
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
        self.id() == other.id()
    }

    pub(super) fn id(&self) -> OutboxId {
        OutboxId(Arc::as_ptr(&self.shared).addr())
    }
}

impl OutboxReader {
    /// Waits for something to do. Cancel-safe: nothing is taken before it returns.
    ///
    /// What is given counts as written: a later change of the board is one of the board that was
    /// given here.
    pub async fn next(&mut self) -> Outgoing {
        loop {
            if let Some(outgoing) = self.take() {
                return outgoing;
            }
            self.shared.ready.notified().await;
        }
    }

    fn take(&mut self) -> Option<Outgoing> {
        loop {
            let mut queue = self.shared.queue();
            if std::mem::take(&mut queue.has_begun) {
                self.sent = Sent::default();
            }
            let mut frames = queue.next_batch();
            let latest = if queue.has_must() {
                Default::default()
            } else {
                std::mem::take(&mut queue.latest)
            };
            if frames.is_empty() && latest.iter().all(Option::is_none) {
                return queue.close.map(Outgoing::Close);
            }
            drop(queue);
            let latest = latest.into_iter().flatten();
            frames.extend(latest.filter_map(|latest| latest.frame(self.codec, &mut self.sent)));
            if !frames.is_empty() {
                return Some(Outgoing::Frames(frames));
            }
        }
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        *queue = Queue {
            gone: true,
            ..Queue::default()
        };
    }
}

#[cfg(test)]
mod tests;
