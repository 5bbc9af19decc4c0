//! The `cluecast` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cluecast::cli::run()
}
