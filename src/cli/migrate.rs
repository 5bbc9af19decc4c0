//! `cluecast migrate`: migrates the schema of the PostgreSQL database.

use std::io;

use clap::Args;

use super::command::{SettingsArgs, print_line};
use super::errors::CommandError;
use super::server::postgres_options;
use crate::config::JournalBackend;
use crate::ids::Incarnation;
use crate::journal::{PostgresJournal, SchemaStatus};

#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Change nothing. The exit status is 1 if steps are missing.
    #[arg(long)]
    check: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let config = self.settings.read()?;
        match config.journal.backend {
            JournalBackend::Postgres => {}
            JournalBackend::Sqlite | JournalBackend::Memory => {
                let reason = "only PostgreSQL needs this command; set journal.backend to \
                              \"postgres\" (the SQLite journal is migrated at startup)";
                return Err(CommandError::Failed(reason.to_owned()));
            }
        }
        let options = postgres_options(&config.journal, Incarnation(rand::random()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| CommandError::Failed(error.to_string()))?;
        runtime.block_on(async {
            let before = PostgresJournal::schema(&options).await?;
            let after = if self.check {
                before.clone()
            } else {
                PostgresJournal::migrate(&options).await?;
                PostgresJournal::schema(&options).await?
            };
            self.print(&before, &after)?;
            match after.check() {
                Ok(()) => Ok(()),
                Err(error) => Err(CommandError::Failed(error.to_string())),
            }
        })
    }

    fn print(&self, before: &SchemaStatus, after: &SchemaStatus) -> io::Result<()> {
        let steps = before.steps.iter().zip(&after.steps);
        if self.json {
            let steps = steps.map(|(before, after)| {
                serde_json::json!({
                    "number": after.number,
                    "name": after.name,
                    "was_applied": before.is_applied,
                    "applied": after.is_applied,
                })
            });
            let printed = serde_json::json!({
                "steps": steps.collect::<Vec<_>>(),
                "later": after.later,
                "ready": after.check().is_ok(),
            });
            return print_line(printed);
        }
        for (before, after) in steps {
            let state = match (before.is_applied, after.is_applied) {
                (_, false) => "missing",
                (true, true) => "applied before",
                (false, true) => "applied now",
            };
            print_line(format_args!(
                "step {} ({}): {state}",
                after.number, after.name
            ))?;
        }
        for number in &after.later {
            print_line(format_args!("step {number}: applied by a newer version"))?;
        }
        Ok(())
    }
}
