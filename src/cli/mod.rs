//! The command line.
//!
//! Every command exits with status 0 on success, 1 on failure or when it found mistakes, and 2 on wrong
//! usage. Errors go to standard error.

mod archive;
mod check_hunt;
mod command;
mod config;
mod critical;
mod errors;
mod journal;
mod migrate;
mod node;
mod serve;
mod server;
mod token;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::print_error;
use errors::CommandError;
pub use errors::ServerError;
pub use server::Server;

#[cfg(feature = "fault-injection")]
use crate::session::InjectedFault;

/// A real-time server for live treasure and puzzle hunts.
#[derive(Parser)]
#[command(
    name = "cluecast",
    version,
    after_help = "\
Examples:
  cluecast serve --hunt examples/harbour-lights   run a hunt and print how to join it
  cluecast hunt check my-hunt                     list all mistakes in a hunt
  cluecast config show --origin                   list all settings and their origins"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until Ctrl-C or SIGTERM.
    Serve(serve::Serve),
    /// Check hunts.
    #[command(subcommand)]
    Hunt(HuntCommand),
    /// Check and show settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Migrate the schema of the PostgreSQL database, and print the migration steps.
    Migrate(migrate::Migrate),
    /// Repair the journal after a restore.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Verify and print archive files.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Print a token. Keep it secret: it grants access.
    #[command(subcommand)]
    Token(token::TokenCommand),
}

#[derive(Subcommand)]
enum HuntCommand {
    /// Report all mistakes in a hunt's directory, with file, line and column.
    Check(check_hunt::CheckHunt),
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    run_command(CommandLine::parse().command)
}

/// Runs the command with a fault injected into the server, for tests that must detect it.
#[cfg(feature = "fault-injection")]
pub fn run_with_fault(fault: InjectedFault) -> ExitCode {
    let mut line = CommandLine::parse();
    if let Command::Serve(serve) = &mut line.command {
        serve.inject(fault);
    }
    run_command(line.command)
}

fn run_command(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(serve) => serve.run(),
        Command::Hunt(HuntCommand::Check(check)) => check.run(),
        Command::Config(command) => command.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Journal(command) => command.run(),
        Command::Archive(command) => command.run(),
        Command::Token(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe, as `head` does.
        Err(CommandError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(CommandError::Reported) => ExitCode::FAILURE,
        Err(error) => {
            print_error(error);
            ExitCode::FAILURE
        }
    }
}
