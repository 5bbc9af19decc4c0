//! `cluecast journal raise-generation`: for use after a restore that lacks acknowledged events.

use clap::{Args, Subcommand};

use super::command::{SettingsArgs, print_line};
use super::errors::CommandError;
use super::server::postgres_options;
use crate::config::JournalBackend;
use crate::ids::Incarnation;
use crate::journal::{DATABASE_FILE, Journal, PostgresJournal, SqliteJournal, SqliteOptions};

#[derive(Subcommand)]
pub(super) enum JournalCommand {
    /// Start a new generation of every stream, so that each reconnecting client gets a snapshot, whatever
    /// its cursor. Run this after a restore, while no server is running.
    RaiseGeneration(RaiseGeneration),
}

#[derive(Args)]
pub(super) struct RaiseGeneration {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl JournalCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        match self {
            Self::RaiseGeneration(raise) => raise.run(),
        }
    }
}

impl RaiseGeneration {
    fn run(self) -> Result<(), CommandError> {
        let config = self.settings.read()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| CommandError::Failed(error.to_string()))?;
        let generation = match config.journal.backend {
            JournalBackend::Postgres => {
                let options = postgres_options(&config.journal, Incarnation(rand::random()));
                runtime.block_on(PostgresJournal::raise_generation(&options))?
            }
            JournalBackend::Sqlite => {
                let folder = &config.server.data_dir;
                if !folder.join(DATABASE_FILE).exists() {
                    let reason = format!("no journal found in {}", folder.display());
                    return Err(CommandError::Failed(reason));
                }
                runtime.block_on(async {
                    let journal = SqliteJournal::open(SqliteOptions::new(folder)).await?;
                    let raised = journal.raise_generation().await;
                    journal.close().await?;
                    raised
                })?
            }
            JournalBackend::Memory => {
                let reason = "a memory journal has no persistent generation; set journal.backend";
                return Err(CommandError::Failed(reason.to_owned()));
            }
        };
        print_line(format_args!(
            "generation {generation}: every client gets a snapshot when it reconnects"
        ))?;
        Ok(())
    }
}
