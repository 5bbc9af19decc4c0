//! Parts of the server, side by side in one run with the least that their work can cost.
//!
//! Not part of what is shipped. Never here: what the parts do, or a figure that was not measured in
//! the same run as what it is compared with.

#![forbid(unsafe_code)]

mod journal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures parts of Cluecast. Build it with --release.
#[derive(Parser)]
#[command(name = "cluecast-bench", version)]
struct CommandLine {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// The journal's writer against a bare loop of fenced inserts, on a PostgreSQL server of its own.
    Journal(journal::Arguments),
}

fn main() -> ExitCode {
    let Bench::Journal(arguments) = CommandLine::parse().bench;
    match journal::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
