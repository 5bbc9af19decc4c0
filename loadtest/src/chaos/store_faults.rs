//! Faults of PostgreSQL and of the connection to it.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::injector::{InjectError, InjectedFault, Injector};
use crate::arguments::Fault;

/// Interval between measurements of the nodes' memory.
const MEMORY_EVERY: Duration = Duration::from_millis(100);

/// Extra latency that `pg-slow` adds in each direction.
const SLOW_BY: Duration = Duration::from_millis(100);

/// Timeout for a reply to drop: players send all the time.
const SWALLOW_WAIT_MAX: Duration = Duration::from_secs(30);

/// Maximum number of segments that PostgreSQL begins on a full disk; segments kept for reuse come first.
const SEGMENTS_MAX: u32 = 32;

/// Maximum attempts to start PostgreSQL after disk space was freed.
const STARTS_MAX: u32 = 10;

/// Interval between such attempts, and between segments.
const TRY_EVERY: Duration = Duration::from_millis(200);

impl Injector {
    pub(super) async fn pg_kill(&mut self) -> Result<InjectedFault, InjectError> {
        let mut injected = self.injected(Fault::PgKill, Instant::now());
        let rig = self.rig.as_mut().ok_or(impossible(Fault::PgKill))?;
        rig.server.kill().await?;
        rig.server.restart().await?;
        self.over(&mut injected).await;
        Ok(injected)
    }

    pub(super) async fn pg_freeze(&mut self) -> Result<InjectedFault, InjectError> {
        let lasting = self.arguments.lasting(Fault::PgFreeze);
        let before = self.fleet.resident_bytes();
        let rig = self.rig.as_ref().ok_or(impossible(Fault::PgFreeze))?;
        rig.server.freeze().await?;
        let mut injected = self.injected(Fault::PgFreeze, Instant::now());
        while injected.at.elapsed() < lasting {
            self.wait(MEMORY_EVERY).await;
            let now = self.fleet.resident_bytes();
            let both = now.iter().zip(&before);
            let grown = both.filter_map(|(now, before)| Some((*now)?.saturating_sub((*before)?)));
            injected.memory_growth_bytes = injected.memory_growth_bytes.max(grown.max());
        }
        injected.over_at = Instant::now();
        let rig = self.rig.as_ref().ok_or(impossible(Fault::PgFreeze))?;
        rig.server.thaw()?;
        injected.is_recovered = self.recovered_since(injected.over_at).await;
        Ok(injected)
    }

    pub(super) async fn pg_slow(&mut self) -> Result<InjectedFault, InjectError> {
        let mut injected = self.injected(Fault::PgSlow, Instant::now());
        self.set_delay(SLOW_BY)?;
        self.wait(self.arguments.lasting(Fault::PgSlow)).await;
        self.set_delay(Duration::ZERO)?;
        self.over(&mut injected).await;
        Ok(injected)
    }

    fn set_delay(&self, delay: Duration) -> Result<(), InjectError> {
        let proxy = self.rig.as_ref().and_then(|rig| rig.proxy.as_ref());
        proxy.ok_or(impossible(Fault::PgSlow))?.set_delay(delay);
        Ok(())
    }

    pub(super) async fn reply_lost(&mut self) -> Result<InjectedFault, InjectError> {
        let proxy = self.rig.as_ref().and_then(|rig| rig.proxy.as_ref());
        let swallowing = proxy.ok_or(impossible(Fault::ReplyLost))?.swallow_reply();
        let late = InjectError::Late {
            what: "a commit whose reply can be dropped",
            waited: SWALLOW_WAIT_MAX,
        };
        match timeout(SWALLOW_WAIT_MAX, swallowing.swallowed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(late),
        }
        let mut injected = self.injected(Fault::ReplyLost, Instant::now());
        injected.is_recovered = self.recovered_since(injected.at).await;
        Ok(injected)
    }

    pub(super) async fn disk_full(&mut self) -> Result<InjectedFault, InjectError> {
        let disk = self.rig.as_ref().and_then(|rig| rig.disk.as_ref());
        let filler = disk.ok_or(impossible(Fault::DiskFull))?.fill()?;
        let mut injected = self.injected(Fault::DiskFull, Instant::now());
        for _ in 0..SEGMENTS_MAX {
            // An error is expected: PostgreSQL has no disk space, or has exited.
            if self.store.begin_log_segment().await.is_err() {
                break;
            }
            self.wait(TRY_EVERY).await;
        }
        self.wait(self.arguments.lasting(Fault::DiskFull)).await;
        fs::remove_file(filler)?;
        self.start_postgres().await?;
        self.over(&mut injected).await;
        Ok(injected)
    }

    /// Starts PostgreSQL if it exited for lack of space, as a supervisor does.
    async fn start_postgres(&mut self) -> Result<(), InjectError> {
        let mut tries = 0;
        loop {
            let rig = self.rig.as_mut().ok_or(impossible(Fault::DiskFull))?;
            tries += 1;
            match rig.server.restart().await {
                Ok(()) => return Ok(()),
                Err(error) if tries == STARTS_MAX => return Err(error.into()),
                Err(_) => self.wait(TRY_EVERY).await,
            }
        }
    }

    /// Ends the fault and waits for the recovery.
    async fn over(&mut self, injected: &mut InjectedFault) {
        injected.over_at = Instant::now();
        injected.is_recovered = self.recovered_since(injected.over_at).await;
    }
}

fn impossible(fault: Fault) -> InjectError {
    InjectError::Impossible { fault }
}
