//! What a process holds in memory, as Linux tells it.

use std::fs;
use std::io;

use serde::Serialize;

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Everything that is resident (`VmRSS`).
    pub resident: u64,
    /// The same, but pages that it shares count in proportion (`Pss`).
    pub proportional: u64,
}

impl Memory {
    /// Of a process of this machine that the caller may look at.
    pub(crate) fn read(process: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        Ok(Self {
            resident: kibibytes(&status, "VmRSS:").ok_or_else(missing)? * 1024,
            proportional: kibibytes(&rollup, "Pss:").ok_or_else(missing)? * 1024,
        })
    }
}

/// The figure of a line such as `VmRSS:      5120 kB`.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Memory, kibibytes};

    #[test]
    fn figures_are_found_by_their_key() {
        let status = "VmHWM:\t    9000 kB\nVmRSS:\t    5120 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(5120));
        assert_eq!(kibibytes(status, "Pss:"), None);
    }

    #[test]
    fn the_own_process_is_resident() {
        let memory = Memory::read(std::process::id()).expect("this runs on Linux");
        assert!(memory.resident > 100_000, "{memory:?}");
        assert!(memory.proportional <= memory.resident, "{memory:?}");
    }
}
