//! Metrics of this process, read from `/proc` on Linux. A package that supports every system would need
//! C headers on some.

use std::fs;

use super::kinds::as_f64;
use super::metrics::Metrics;

/// Clock ticks per second in `/proc/self/stat`. Linux fixes this value for user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// Updates the gauges of the process. A gauge whose source cannot be read keeps its value.
pub(super) fn observe(metrics: &Metrics) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        if let Some(kib) = field(&status, "VmRSS:") {
            metrics.process_resident.set(as_f64(kib * 1024));
        }
        if let Some(threads) = field(&status, "Threads:") {
            metrics.process_threads.set(as_f64(threads));
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        metrics.process_open_files.set(as_f64(open.count() as u64));
    }
    let stat = fs::read_to_string("/proc/self/stat");
    if let Some(ticks) = stat.ok().as_deref().and_then(cpu_ticks) {
        metrics.process_cpu.set(as_f64(ticks) / TICKS_PER_SECOND);
    }
}

/// The number after a field name, as in `Threads:\t3`.
fn field(status: &str, name: &str) -> Option<u64> {
    let mut lines = status.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The sum of `utime` and `stime`, fields 14 and 15. Field 2, the program name in parentheses, may contain
/// any character, so parsing starts after the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::{cpu_ticks, field};

    #[test]
    fn fields_are_parsed() {
        let status = "Name:\tcluecast\nVmRSS:\t    5124 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmRSS:"), Some(5_124));
        assert_eq!(field(status, "Threads:"), Some(3));
        assert_eq!(field(status, "VmSwap:"), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 17 0 0 20 0 3 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(267));
        assert_eq!(cpu_ticks("nonsense"), None);
    }
}
