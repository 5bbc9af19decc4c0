//! `cluecast token`: tokens for those who have the server's data folder.

use clap::{Args, Subcommand};

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
        let key = super::server::token_key(&config)?;
        println!("{}", key.seal(Grant::Admin, Clock::System.now()));
        Ok(())
    }
}
