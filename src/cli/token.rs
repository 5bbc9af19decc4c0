//! `cluecast token`: prints tokens, for users who can read the server's data directory or secret.

use clap::{Args, Subcommand};

use super::command::{SettingsArgs, print_line};
use super::errors::CommandError;
use crate::clock::Clock;
use crate::gateway::Grant;

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Print an admin token, which grants everything on this server.
    Admin(AdminToken),
}

#[derive(Args)]
pub(super) struct AdminToken {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let Self::Admin(AdminToken { settings }) = self;
        let config = settings.read()?;
        let folder = &config.server.data_dir;
        if config.cluster.secret.is_none() && !folder.is_dir() {
            return Err(CommandError::Failed(format!(
                "{}: no such directory; give the server's with --data-dir, or start the server once",
                folder.display()
            )));
        }
        let key = super::server::token_key(&config)?;
        print_line(key.seal(Grant::Admin, Clock::System.now()))?;
        Ok(())
    }
}
