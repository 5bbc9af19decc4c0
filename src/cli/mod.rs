//! The command line: what an operator, an author and a newcomer type.
//!
//! Every command ends with status 0 when it did what it was asked for, 1 when it could not or found
//! mistakes, and 2 when it was typed wrongly. Errors go to standard error.

mod archive;
mod check_hunt;
mod config;
mod journal;
mod migrate;
mod node;
mod output;
mod serve;
mod server;
mod token;
mod vital;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use output::complain;
pub use server::{Server, ServerError};

use crate::config::{Config, ConfigMistake, Layers};
use crate::gateway::check_certificate;
#[cfg(feature = "fault-injection")]
use crate::session::InjectedFault;

/// A real-time server for live treasure and puzzle hunts.
#[derive(Parser)]
#[command(
    name = "cluecast",
    version,
    after_help = "\
Examples:
  cluecast serve --hunt examples/harbour-lights   a hunt runs, and how to join it is printed
  cluecast hunt check my-hunt                     every mistake in a hunt, with its place
  cluecast config show --origin                   every setting and where it comes from"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server until it is told to stop (Ctrl-C or SIGTERM).
    Serve(serve::Serve),
    /// Looks after hunts.
    #[command(subcommand)]
    Hunt(HuntCommand),
    /// Looks after settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Brings the schema of the PostgreSQL database up to date, and tells what it did.
    Migrate(migrate::Migrate),
    /// Looks after the journal.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Looks after files of the archive, into which old events go.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Prints a token. It is a secret: whoever has it may do what it grants.
    #[command(subcommand)]
    Token(token::TokenCommand),
}

#[derive(Subcommand)]
enum HuntCommand {
    /// Reports every mistake in a hunt's folder, with file, line and column.
    Check(check_hunt::CheckHunt),
}

/// Where settings come from; later ones win.
#[derive(Args, Clone, Default)]
struct SettingsArgs {
    /// A TOML file of settings; may be given several times.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Sets a single key, as in `--set limits.commands_burst=100`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    settings: Vec<String>,
    /// The folder of the journal and the token key; the same as `--set server.data_dir=DIR`.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A command could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{}", join_lines(.0))]
    Settings(Vec<ConfigMistake>),
    #[error("{path}: {reason}", path = path.display())]
    File {
        path: PathBuf,
        reason: std::io::Error,
    },
    #[error(transparent)]
    Key(#[from] crate::gateway::KeyError),
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the hunt in {path} has mistakes; `cluecast hunt check {path}` shows them", path = .0.display())]
    Hunt(PathBuf),
    #[error("{0}")]
    Failed(String),
    #[error("what was found out could not be printed: {0}")]
    Output(#[from] std::io::Error),
    /// What is wrong has been printed already.
    #[error("mistakes were found")]
    Reported,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    run_command(CommandLine::parse().command)
}

/// The same, with a fault in the server that the command may run. For tests that must detect it.
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
        // As of any program whose output is cut short by `head`.
        Err(CommandError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(CommandError::Reported) => ExitCode::FAILURE,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

impl SettingsArgs {
    fn layers(&self) -> Layers {
        let mut layers = Layers::built_in();
        for path in &self.files {
            layers.add_file(path);
        }
        layers.add_process_environment();
        for assignment in &self.settings {
            layers.add_flag(assignment);
        }
        if let Some(folder) = &self.data_dir {
            let folder = folder.display().to_string();
            layers.add_own_flag("--data-dir", "server.data_dir", &folder);
        }
        layers
    }

    fn read(&self) -> Result<Config, CommandError> {
        Config::read(self.layers()).map_err(CommandError::Settings)
    }

    /// The settings, if a server could run with them: the certificate is looked at, too, which only the
    /// server's own user may be able to read.
    fn read_for_server(&self) -> Result<Config, Vec<ConfigMistake>> {
        const BLAMED: &str = "tls.certificate_file";
        let layers = self.layers();
        let mut settings = layers.effective();
        let origin = settings.find_map(|(key, _, origin)| (key == BLAMED).then(|| origin.clone()));
        drop(settings);
        let config = Config::read(layers)?;
        check_certificate(&config.tls).map_err(|error| {
            vec![ConfigMistake {
                origin: origin.expect("every setting has a default"),
                key: Some(BLAMED.to_owned()),
                message: error.to_string(),
            }]
        })?;
        Ok(config)
    }
}

fn join_lines(mistakes: &[ConfigMistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
