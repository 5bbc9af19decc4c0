//! The program with an injected fault: its sessions release outputs that are not journaled without a check
//! of the node's lease.

use std::process::ExitCode;

use cluecast::session::InjectedFault;

fn main() -> ExitCode {
    cluecast::cli::run_with_fault(InjectedFault::SpeaksWithoutLease)
}
