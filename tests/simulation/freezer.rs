//! Suspends a node, as SIGSTOP does.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Suspends a node, as SIGSTOP does: time passes and its requests in flight are served, but it does nothing.
#[derive(Clone, Default)]
pub struct Freezer(Arc<Mutex<Frozen>>);

#[derive(Default)]
struct Frozen {
    is_frozen: bool,
    waiting: Vec<Waker>,
}

impl Freezer {
    pub fn set(&self, is_frozen: bool) {
        let mut frozen = self.0.lock().expect("one thread");
        frozen.is_frozen = is_frozen;
        if !is_frozen {
            frozen.waiting.drain(..).for_each(Waker::wake);
        }
    }

    pub fn is_frozen(&self) -> bool {
        self.0.lock().expect("one thread").is_frozen
    }

    /// Runs `work`, which makes progress only while the node is not suspended.
    pub async fn under<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(work);
        std::future::poll_fn(|context| {
            let mut frozen = self.0.lock().expect("one thread");
            if frozen.is_frozen {
                frozen.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            drop(frozen);
            work.as_mut().poll(context)
        })
        .await
    }
}
