//! The program with a defect: its sessions say what is not in the journal without a look at the node's
//! validity.

use std::process::ExitCode;

use cluecast::session::Planted;

fn main() -> ExitCode {
    cluecast::cli::run_planted(Planted::SpeaksWithoutValidity)
}
