//! Benchmarks of parts of the server. Each is measured in the same run as a baseline: the minimum cost of the
//! same work.
//!
//! Not shipped. Never here: the parts themselves, or a figure that was not measured in the same run as its
//! baseline.

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
    /// The journal's lanes against a bare loop of fenced inserts, on a PostgreSQL server of its own.
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
