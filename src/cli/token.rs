//! `cluecast token`: tokens for those who have the server's data folder.

use clap::{Args, Subcommand};

use super::output::say;
use super::{CommandError, SettingsArgs};
use crate::clock::Clock;
use crate::gateway::Grant;

/// See there.
#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Prints a token that grants everything on this server.
    Admin(AdminToken),
}

/// See there.
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
                "{}: there is no such folder; name the server's with --data-dir, or start the server once",
                folder.display()
            )));
        }
        let key = super::server::token_key(&config)?;
        say(key.seal(Grant::Admin, Clock::System.now()))?;
        Ok(())
    }
}
