//! A core for the server and another one for the harness, so that neither takes the other's time.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::LatencyError;

/// The cores that this process may use.
#[derive(Debug, Clone)]
pub(super) struct Cores {
    all: CpuSet,
    server_cores: CpuSet,
    harness_cores: CpuSet,
}

impl Cores {
    /// The first one is the server's, the second one the harness'.
    pub(super) fn detect() -> Result<Self, LatencyError> {
        let all = sched_getaffinity(None).map_err(io::Error::from)?;
        let mut each = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(first), Some(second)) = (each.next(), each.next()) else {
            return Err(LatencyError::OneCore);
        };
        let only = |core| {
            let mut only = CpuSet::new();
            only.set(core);
            only
        };
        Ok(Self {
            all,
            server_cores: only(first),
            harness_cores: only(second),
        })
    }

    /// Lets this process use all of them: what it starts then sees them all, and has as many threads
    /// as without a core of its own.
    pub(super) fn unpin(&self) -> Result<(), LatencyError> {
        set_affinity(std::process::id(), &self.all)
    }

    /// Keeps a server and this process on their cores, with all threads that they start later.
    pub(super) fn pin(&self, server: u32) -> Result<(), LatencyError> {
        set_affinity(server, &self.server_cores)?;
        set_affinity(std::process::id(), &self.harness_cores)
    }
}

fn set_affinity(process: u32, cores: &CpuSet) -> Result<(), LatencyError> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let name = thread?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let Some(thread) = number.and_then(Pid::from_raw) else {
            continue;
        };
        match sched_setaffinity(Some(thread), cores) {
            // A thread that has ended meanwhile needs no core.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::thread::sched_getaffinity;

    use super::Cores;
    use crate::latency::LatencyError;

    #[test]
    fn a_process_that_was_kept_on_a_core_can_use_all_again() {
        let before = sched_getaffinity(None).expect("it is known");
        let cores = match Cores::detect() {
            Ok(cores) => cores,
            Err(LatencyError::OneCore) => return assert_eq!(before.count(), 1),
            Err(error) => panic!("{error}"),
        };
        cores.pin(std::process::id()).expect("it may");
        let divided = sched_getaffinity(None).expect("it is known");
        assert_eq!(divided.count(), 1);
        cores.unpin().expect("it may");
        assert!(sched_getaffinity(None).expect("it is known") == before);
    }
}
