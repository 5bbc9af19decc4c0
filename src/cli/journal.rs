//! `cluecast journal raise-generation`: after a restore from which acknowledged events are missing.

use clap::{Args, Subcommand};

use super::output::say;
use super::server::postgres_options;
use super::{CommandError, SettingsArgs};
use crate::config::JournalBackend;
use crate::journal::{
    DATABASE_FILE, Incarnation, Journal, PostgresJournal, SqliteJournal, SqliteOptions,
};

/// See there.
#[derive(Subcommand)]
pub(super) enum JournalCommand {
    /// Begins a new generation of every stream: clients take a snapshot when they come back, however
    /// little they seem to have missed. For after a restore; no server may run meanwhile.
    RaiseGeneration(RaiseGeneration),
}

/// See there.
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
                    let reason = format!("there is no journal in {}", folder.display());
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
                let reason = "a journal in memory has no generation that would stay";
                return Err(CommandError::Failed(reason.to_owned()));
            }
        };
        say(format_args!(
            "generation {generation}: every client takes a snapshot when it comes back"
        ))?;
        Ok(())
    }
}
