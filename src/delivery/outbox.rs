//! The queue of frames to one connection, in two classes.
//!
//! *Ordered*: updates, receipts and every other frame whose order matters; bounded in frames and bytes.
//! Overflow policy: the queued frames are dropped, and the connection closes with
//! [`CloseCode::SlowReader`] after the write in progress. No update is lost, because the client resumes
//! the stream. The first frames of an attachment are queued apart and do not count: otherwise a client
//! that missed more than the bounds could never resume.
//!
//! *Latest*: one slot for each kind of latest value; a newer value replaces a queued one. They are sent
//! when no ordered frame is queued, so that they never overtake the updates that they follow from.
//!
//! A connection that is caught up holds no queue memory: empty queues have no storage.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use protocol::{CloseCode, Codec};
use tokio::sync::Notify;

use super::latest::{KINDS, Latest, SentVersions};
use crate::config::DeliveryConfig;
use crate::telemetry::metrics;

/// Bytes of one batch handed to the connection's task. A batch no longer counts towards the queue's
/// bounds, and is written even if the queue overflows meanwhile. A larger frame is a batch of its own.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// Frames of one batch.
const BATCH_FRAMES_MAX: usize = 256;

/// The sending half. Clones send to the same connection.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<OutboxState>,
}

/// Identifies an outbox while a handle to it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OutboxId(usize);

/// The receiving half, owned by the connection's task. Dropping it closes the outbox.
#[derive(Debug)]
pub struct OutboxReader {
    shared: Arc<OutboxState>,
    codec: Codec,
    sent: SentVersions,
}

/// The next action of the connection's task.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Write these frames, in order.
    Frames(VecDeque<Bytes>),
    /// Close the connection; every frame queued before was returned already.
    Close(CloseCode),
}

#[derive(Debug)]
struct OutboxState {
    queue: Mutex<Queue>,
    ready: Notify,
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Queue {
    /// The first frames of an attachment; sent before `frames`.
    first_frames: VecDeque<Bytes>,
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// One slot for each kind.
    latest: [Option<Latest>; KINDS],
    /// Whether an attachment has begun since the reader last took frames: a `welcome` is queued.
    has_begun: bool,
    close: Option<CloseCode>,
    gone: bool,
}

/// The two halves of a new outbox. Pushed frames are already encoded with this codec; latest values are
/// encoded when the reader takes them.
pub fn outbox(config: &DeliveryConfig, codec: Codec) -> (Outbox, OutboxReader) {
    let shared = Arc::new(OutboxState {
        queue: Mutex::default(),
        ready: Notify::new(),
        frames_max: config.outbound_frames_max,
        bytes_max: config.outbound_bytes_max,
    });
    let reader = OutboxReader {
        shared: shared.clone(),
        codec,
        sent: SentVersions::default(),
    };
    (Outbox { shared }, reader)
}

impl OutboxState {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .expect("no code panics while it holds the lock")
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
    /// Whether further frames are ignored.
    fn is_closed(&self) -> bool {
        self.gone || self.close.is_some()
    }

    /// Drops the queued frames with their storage. The first frames of an attachment stay: a client that
    /// reads them to the end has made progress, and its next attempt resumes from there.
    fn overflow(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.latest = Default::default();
        self.close = Some(CloseCode::SlowReader);
        metrics().outboxes_overflowed.increment(1);
    }

    /// The next batch of ordered frames.
    fn next_batch(&mut self) -> VecDeque<Bytes> {
        if !self.first_frames.is_empty() {
            return take_batch(&mut self.first_frames);
        }
        let batch = take_batch(&mut self.frames);
        self.bytes -= batch.iter().map(Bytes::len).sum::<usize>();
        batch
    }

    fn has_ordered(&self) -> bool {
        !self.first_frames.is_empty() || !self.frames.is_empty()
    }
}

/// Takes the first frames, within the bounds of a batch. An emptied queue gives up its storage.
fn take_batch(frames: &mut VecDeque<Bytes>) -> VecDeque<Bytes> {
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
    /// Queues the first frames of an attachment without a bound: one snapshot, or frames that the ring
    /// shares. If ordered frames are queued already, as when a client sends `resync` repeatedly, the
    /// queue's bounds apply.
    pub fn begin(&self, frames: impl IntoIterator<Item = Bytes>) {
        let mut queue = self.shared.queue();
        if queue.is_closed() {
            return;
        }
        queue.has_begun = true;
        if queue.has_ordered() {
            for frame in frames {
                self.shared.push_to(&mut queue, frame);
            }
        } else {
            queue.first_frames.extend(frames);
        }
        drop(queue);
        self.shared.ready.notify_one();
    }

    /// Queues a frame. Does nothing once the outbox is closed.
    pub fn push(&self, frame: Bytes) {
        self.shared.push_to(&mut self.shared.queue(), frame);
        self.shared.ready.notify_one();
    }

    /// Queues a latest value, replacing an older one of its kind. Does nothing once the outbox is closed.
    pub(super) fn push_latest(&self, latest: Latest) {
        let mut queue = self.shared.queue();
        if queue.is_closed() {
            return;
        }
        let slot = &mut queue.latest[latest.slot()];
        let replaced = slot.replace(latest);
        drop(queue);
        if replaced.is_some() {
            metrics().latest_replaced.increment(1);
        } else {
            self.shared.ready.notify_one();
        }
    }

    /// Closes the connection after the queued frames. The first close code wins.
    pub fn close(&self, code: CloseCode) {
        self.shared.queue().close.get_or_insert(code);
        self.shared.ready.notify_one();
    }

    /// Whether the outbox is closed: further frames are not written.
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
    /// Waits for the next action. Cancel-safe: it takes frames only when it returns.
    ///
    /// Returned frames count as sent: a later change of the board builds on the board returned here.
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
                self.sent = SentVersions::default();
            }
            let mut frames = queue.next_batch();
            let latest = if queue.has_ordered() {
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
