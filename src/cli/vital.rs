//! Loops that must run for as long as the server does.
//!
//! A task or a thread that panics takes nothing else along. A node without its scan beats on and keeps
//! sessions that nobody runs from all others, and one without its heart is mute for ever. So whoever
//! waits for the end of the server is told, and the process ends.

use tokio::sync::watch;

/// The server's loops. Clones share them.
#[derive(Clone)]
pub(super) struct VitalLoops {
    /// The first that ended.
    ended: watch::Sender<Option<&'static str>>,
}

/// Tells when it is dropped, also by a panic.
struct Tells {
    name: &'static str,
    ended: watch::Sender<Option<&'static str>>,
}

impl Drop for Tells {
    fn drop(&mut self) {
        self.ended
            .send_modify(|ended| *ended = ended.or(Some(self.name)));
    }
}

impl VitalLoops {
    pub(super) fn new() -> Self {
        Self {
            ended: watch::Sender::new(None),
        }
    }

    /// Runs a loop, to be awaited where it belongs, and notes its end, whatever ends it.
    pub(super) fn run<L: Future<Output = ()>>(
        &self,
        name: &'static str,
        looping: L,
    ) -> impl Future<Output = ()> + use<L> {
        let tells = Tells {
            name,
            ended: self.ended.clone(),
        };
        async move {
            let _tells = tells;
            looping.await;
        }
    }

    /// Waits until one of them has ended, and names it. In a stop all of them do. Cancel-safe.
    pub(super) async fn ended(&self) -> &'static str {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        let ended = ended.expect("the sender is in `self`");
        ended.expect("it was waited for")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_util::FutureExt;
    use tokio::task::JoinSet;

    use super::VitalLoops;

    #[tokio::test]
    async fn a_task_that_panics_is_noticed() {
        let loops = VitalLoops::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(loops.run("pulse", std::future::pending()));
        assert_eq!(loops.ended().now_or_never(), None);
        tasks.spawn(loops.run("scan", async { panic!("on purpose") }));
        assert_eq!(loops.ended().await, "scan");
        tasks.shutdown().await;
        assert_eq!(loops.ended().await, "scan", "the others end because of it");
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_noticed() {
        let loops = VitalLoops::new();
        let heart = loops.run("heart", async { panic!("on purpose") });
        let heart = thread::spawn(|| heart.now_or_never());
        assert_eq!(loops.ended().await, "heart");
        assert!(heart.join().is_err());
    }
}
