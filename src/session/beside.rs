//! Work beside the actor that leaves the processors to others most of the time.
//!
//! A system's scheduler lets a thread that computes go on for some milliseconds while others wait, also
//! one of low priority. So what takes long rests of its own accord, after a short while each.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Work between two rests: others that are ready wait for no longer.
const WORK: Duration = Duration::from_micros(200);
/// A rest is so many times as long as the work before it.
const REST_TIMES: u32 = 4;
/// The longest rest, since what looks like work may have been waiting.
const REST_MAX: Duration = Duration::from_millis(4);
/// Bytes between two looks at the clock.
const LOOK_BYTES: usize = 4 << 10;

/// Whether to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// With rests: others are at work.
    Gently,
    /// Without: others wait for this.
    AtOnce,
}

/// Computes on another thread; where the runtime has only one, as in simulations, on that one and
/// without rests, so that the same seed gives the same run. Dropping it lets the computation run on
/// without rests, for nobody.
pub(super) async fn beside<T: Send + 'static>(
    haste: Haste,
    compute: impl FnOnce(&mut Pace) -> T + Send + 'static,
) -> T {
    let hurry = CancellationToken::new();
    let mut pace = Pace {
        rested_at: Instant::now(),
        hurry: hurry.clone(),
    };
    let has_one_thread = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    if has_one_thread || haste == Haste::AtOnce {
        hurry.cancel();
    }
    if has_one_thread {
        return compute(&mut pace);
    }
    let _unwanted = hurry.drop_guard();
    let computed = tokio::task::spawn_blocking(move || compute(&mut pace));
    computed
        .await
        .expect("what is computed does not panic, and nobody aborts it")
}

/// When to rest.
pub(super) struct Pace {
    rested_at: Instant,
    hurry: CancellationToken,
}

/// Reads and writes with rests.
pub(super) struct Paced<'a, T> {
    inner: T,
    bytes: usize,
    pace: &'a mut Pace,
}

impl Pace {
    /// A reader or writer that keeps this pace. It fails only where `inner` does.
    pub(super) fn of<T>(&mut self, inner: T) -> Paced<'_, T> {
        Paced {
            inner,
            bytes: 0,
            pace: self,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it runs on a thread for what blocks; on a runtime's own it never rests"
    )]
    fn rest_if_due(&mut self) {
        if self.hurry.is_cancelled() {
            return;
        }
        if let Some(rest) = rest_after(self.rested_at.elapsed()) {
            thread::sleep(rest);
            self.rested_at = Instant::now();
        }
    }
}

/// How long to rest after so much work.
fn rest_after(worked: Duration) -> Option<Duration> {
    (worked >= WORK).then(|| worked.saturating_mul(REST_TIMES).min(REST_MAX))
}

impl<T> Paced<'_, T> {
    fn passed(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= LOOK_BYTES {
            self.bytes = 0;
            self.pace.rest_if_due();
        }
    }
}

impl<T: Read> Read for Paced<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(read);
        Ok(read)
    }
}

impl<T: Write> Write for Paced<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(written);
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

    use super::{Haste, LOOK_BYTES, REST_MAX, REST_TIMES, WORK, beside, rest_after};

    #[test]
    fn a_rest_follows_a_while_of_work() {
        assert_eq!(rest_after(WORK / 2), None);
        assert_eq!(rest_after(WORK), Some(WORK * REST_TIMES));
        assert_eq!(rest_after(REST_MAX), Some(REST_MAX));
    }

    async fn all_passes(haste: Haste) {
        let bytes = vec![7; 10 * LOOK_BYTES + 1];
        let (written, read) = beside(haste, {
            let bytes = bytes.clone();
            move |pace| {
                let (mut written, mut read) = (Vec::new(), Vec::new());
                pace.of(&mut written)
                    .write_all(&bytes)
                    .expect("memory takes it");
                pace.of(&bytes[..])
                    .read_to_end(&mut read)
                    .expect("memory gives it");
                (written, read)
            }
        })
        .await;
        assert!(written == bytes && read == bytes);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_paced_passes_whole() {
        all_passes(Haste::Gently).await;
        all_passes(Haste::AtOnce).await;
    }

    #[tokio::test]
    async fn with_one_thread_nothing_rests() {
        all_passes(Haste::Gently).await;
        assert!(beside(Haste::Gently, |pace| pace.hurry.is_cancelled()).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_waits_for_hurries() {
        let (begun, has_begun) = oneshot::channel();
        let (hurried, has_hurried) = oneshot::channel();
        let computing = beside(Haste::Gently, move |pace| {
            let may_rest = !pace.hurry.is_cancelled();
            begun.send(may_rest).expect("the test waits");
            while !pace.hurry.is_cancelled() {
                std::thread::yield_now();
            }
            hurried.send(()).expect("the test waits");
        });
        tokio::select! {
            () = computing => panic!("it goes on until it is dropped"),
            may_rest = has_begun => assert!(may_rest.expect("it begins")),
        }
        has_hurried.await.expect("it ends");
    }
}
