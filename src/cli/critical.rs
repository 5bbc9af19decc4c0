//! Tasks that must run as long as the server does.
//!
//! A panic ends only its own task or thread. A node without its scan would keep sending heartbeats, so the
//! other nodes would not claim its sessions although no node runs them. A node without heartbeats would hold
//! no lease and never serve again. So the end of any critical task ends the process.

use tokio::sync::watch;

/// The critical tasks of a server. Clones share them.
#[derive(Clone)]
pub(super) struct CriticalTasks {
    /// Name of the first task that ended.
    first_ended: watch::Sender<Option<&'static str>>,
}

/// Reports the end of a task when it is dropped, also by a panic.
struct EndGuard {
    name: &'static str,
    first_ended: watch::Sender<Option<&'static str>>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.first_ended
            .send_modify(|ended| *ended = ended.or(Some(self.name)));
    }
}

impl CriticalTasks {
    pub(super) fn new() -> Self {
        Self {
            first_ended: watch::Sender::new(None),
        }
    }

    /// Wraps a future, for the caller to spawn and await, so that its end is reported, whatever ends it.
    pub(super) fn watch<F: Future<Output = ()>>(
        &self,
        name: &'static str,
        task: F,
    ) -> impl Future<Output = ()> + use<F> {
        let guard = EndGuard {
            name,
            first_ended: self.first_ended.clone(),
        };
        async move {
            let _guard = guard;
            task.await;
        }
    }

    /// Waits until a task has ended, and returns its name. During shutdown all of them end. Cancel-safe.
    pub(super) async fn first_ended(&self) -> &'static str {
        let mut ended = self.first_ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        let ended = ended.expect("the sender is in `self`");
        ended.expect("`wait_for` checked it")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_util::FutureExt;
    use tokio::task::JoinSet;

    use super::CriticalTasks;

    #[tokio::test]
    async fn a_task_that_panics_is_reported() {
        let critical = CriticalTasks::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(critical.watch("accept loop", std::future::pending()));
        assert_eq!(critical.first_ended().now_or_never(), None);
        tasks.spawn(critical.watch("scan", async { panic!("on purpose") }));
        assert_eq!(critical.first_ended().await, "scan");
        tasks.shutdown().await;
        assert_eq!(
            critical.first_ended().await,
            "scan",
            "the others ended later"
        );
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_reported() {
        let critical = CriticalTasks::new();
        let heartbeats = critical.watch("heartbeat", async { panic!("on purpose") });
        let heartbeats = thread::spawn(|| heartbeats.now_or_never());
        assert_eq!(critical.first_ended().await, "heartbeat");
        assert!(heartbeats.join().is_err());
    }
}
