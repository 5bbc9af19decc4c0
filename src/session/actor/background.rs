//! Work concurrent with an actor's turns: a slot for one running operation, and computations that yield the
//! processor.
//!
//! An operating system's scheduler lets a computing thread run for some milliseconds while others wait,
//! even a thread of low priority. A long computation therefore pauses by itself after short intervals.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time of work between two pauses, which bounds how long other threads wait.
const WORK: Duration = Duration::from_micros(200);
/// Length of a pause, as a multiple of the work before it.
const PAUSE_TIMES: u32 = 4;
/// Longest pause. What was measured as work may have been waiting.
const PAUSE_MAX: Duration = Duration::from_millis(4);
/// Bytes between two reads of the clock.
const CHECK_BYTES: usize = 4 << 10;

/// At most one operation that runs concurrently with an actor's turns.
pub(super) struct Background<T> {
    running: Option<BoxFuture<'static, T>>,
}

impl<T> Background<T> {
    pub(super) fn idle() -> Self {
        Self { running: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts an operation; an earlier one is dropped. [`Background::finished`] drives it.
    pub(super) fn start(&mut self, operation: BoxFuture<'static, T>) {
        self.running = Some(operation);
    }

    /// Waits for the operation and returns its result; without one it never returns. Cancel-safe.
    pub(super) async fn finished(&mut self) -> T {
        let Some(operation) = &mut self.running else {
            return std::future::pending().await;
        };
        let result = operation.await;
        self.running = None;
        result
    }
}

/// Whether a computation pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pacing {
    /// It pauses, because other work is latency-sensitive.
    Paced,
    /// It does not pause, because the caller waits for it.
    FullSpeed,
}

/// Computes on a blocking thread. On a runtime with one thread, such as a simulation's, it computes on
/// that thread without pauses, so that a seed always gives the same run. When the future is dropped, the
/// computation continues without pauses and its result is discarded.
pub(super) async fn compute_beside<T: Send + 'static>(
    pacing: Pacing,
    compute: impl FnOnce(&mut Pacer) -> T + Send + 'static,
) -> T {
    let full_speed = CancellationToken::new();
    let mut pacer = Pacer {
        paused_at: Instant::now(),
        full_speed: full_speed.clone(),
    };
    let has_one_thread = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    if has_one_thread || pacing == Pacing::FullSpeed {
        full_speed.cancel();
    }
    if has_one_thread {
        return compute(&mut pacer);
    }
    let _when_dropped = full_speed.drop_guard();
    let computed = tokio::task::spawn_blocking(move || compute(&mut pacer));
    computed
        .await
        .expect("the computation does not panic and is never aborted")
}

/// Inserts the pauses of one computation.
pub(super) struct Pacer {
    /// End of the last pause.
    paused_at: Instant,
    full_speed: CancellationToken,
}

/// A reader or writer that pauses.
pub(super) struct Paced<'a, T> {
    inner: T,
    /// Bytes since the last read of the clock.
    bytes: usize,
    pacer: &'a mut Pacer,
}

impl Pacer {
    /// A reader or writer with pauses. It fails only where `inner` does.
    pub(super) fn wrap<T>(&mut self, inner: T) -> Paced<'_, T> {
        Paced {
            inner,
            bytes: 0,
            pacer: self,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it runs on a blocking thread; on a runtime's own thread it never pauses"
    )]
    fn pause_if_due(&mut self) {
        if self.full_speed.is_cancelled() {
            return;
        }
        if let Some(pause) = pause_after(self.paused_at.elapsed()) {
            thread::sleep(pause);
            self.paused_at = Instant::now();
        }
    }
}

/// The pause that is due after some time of work.
fn pause_after(worked: Duration) -> Option<Duration> {
    (worked >= WORK).then(|| worked.saturating_mul(PAUSE_TIMES).min(PAUSE_MAX))
}

impl<T> Paced<'_, T> {
    fn count_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= CHECK_BYTES {
            self.bytes = 0;
            self.pacer.pause_if_due();
        }
    }
}

impl<T: Read> Read for Paced<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count_bytes(read);
        Ok(read)
    }
}

impl<T: Write> Write for Paced<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count_bytes(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tokio::sync::oneshot;

    use super::{CHECK_BYTES, PAUSE_MAX, PAUSE_TIMES, Pacing, WORK, compute_beside, pause_after};

    #[test]
    fn a_pause_follows_an_interval_of_work() {
        assert_eq!(pause_after(WORK / 2), None);
        assert_eq!(pause_after(WORK), Some(WORK * PAUSE_TIMES));
        assert_eq!(pause_after(PAUSE_MAX), Some(PAUSE_MAX));
    }

    async fn assert_bytes_unchanged(pacing: Pacing) {
        let bytes = vec![7; 10 * CHECK_BYTES + 1];
        let (written, read) = compute_beside(pacing, {
            let bytes = bytes.clone();
            move |pacer| {
                let (mut written, mut read) = (Vec::new(), Vec::new());
                pacer
                    .wrap(&mut written)
                    .write_all(&bytes)
                    .expect("writing to memory succeeds");
                pacer
                    .wrap(&bytes[..])
                    .read_to_end(&mut read)
                    .expect("reading from memory succeeds");
                (written, read)
            }
        })
        .await;
        assert!(written == bytes && read == bytes);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn paced_io_passes_all_bytes() {
        assert_bytes_unchanged(Pacing::Paced).await;
        assert_bytes_unchanged(Pacing::FullSpeed).await;
    }

    #[tokio::test]
    async fn with_one_thread_nothing_pauses() {
        assert_bytes_unchanged(Pacing::Paced).await;
        assert!(compute_beside(Pacing::Paced, |pacer| pacer.full_speed.is_cancelled()).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_computation_continues_at_full_speed() {
        let (begun, has_begun) = oneshot::channel();
        let (hurried, has_hurried) = oneshot::channel();
        let computing = compute_beside(Pacing::Paced, move |pacer| {
            let may_pause = !pacer.full_speed.is_cancelled();
            begun.send(may_pause).expect("the test waits");
            while !pacer.full_speed.is_cancelled() {
                std::thread::yield_now();
            }
            hurried.send(()).expect("the test waits");
        });
        tokio::select! {
            () = computing => panic!("it runs until it is dropped"),
            may_pause = has_begun => assert!(may_pause.expect("it begins")),
        }
        has_hurried.await.expect("it ends");
    }
}
