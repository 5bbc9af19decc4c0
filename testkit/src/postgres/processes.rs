//! The processes of a server: the postmaster, which is a child of this process, and its children.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep};

/// Polling interval for the state of a process.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Timeout for a signal to take effect.
const SIGNAL_WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) fn signal(id: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Stops the postmaster, so that it neither starts nor reaps children, and returns its children. Their ids
/// are not reused while it stays stopped.
pub(super) async fn stop_postmaster(id: u32) -> io::Result<Vec<u32>> {
    signal(id, Signal::STOP)?;
    wait_for(id, "the stop", |state| matches!(state, Some('T'))).await?;
    children(id)
}

/// The children of a process.
pub(super) fn children(id: u32) -> io::Result<Vec<u32>> {
    let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    Ok(list
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect())
}

/// Continues a stopped postmaster and its children.
pub(super) fn continue_all(id: u32) -> io::Result<()> {
    for child in children(id)? {
        signal(child, Signal::CONT)?;
    }
    signal(id, Signal::CONT)
}

/// Waits until a process has ended. It may still be a zombie.
pub(super) async fn wait_for_end(id: u32) -> io::Result<()> {
    wait_for(id, "the end", |state| matches!(state, None | Some('Z'))).await
}

async fn wait_for(id: u32, what: &str, fits: impl Fn(Option<char>) -> bool) -> io::Result<()> {
    let began = Instant::now();
    while !fits(state(id)) {
        if began.elapsed() > SIGNAL_WAIT_MAX {
            let message = format!("{what} of process {id} took longer than {SIGNAL_WAIT_MAX:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The letter of a process's state in `/proc/PID/stat`; none if there is no such process.
fn state(id: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may contain any character.
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.chars().next()
}
