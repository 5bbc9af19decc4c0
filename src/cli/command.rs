//! Code shared by all commands: the flags for settings, and printing.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::errors::CommandError;
use crate::config::{Config, ConfigMistake, Layers};
use crate::gateway::check_certificate;

/// Flags that set settings; later layers override earlier ones.
#[derive(Args, Clone, Default)]
pub(super) struct SettingsArgs {
    /// TOML file with settings; may be repeated.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set a single key, as in `--set limits.commands_burst=100`; may be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    settings: Vec<String>,
    /// Directory of the journal and the token key; the same as `--set server.data_dir=DIR`.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl SettingsArgs {
    /// Adds an assignment, as if it had been given with `--set`.
    pub(super) fn set(&mut self, assignment: String) {
        self.settings.push(assignment);
    }

    pub(super) fn layers(&self) -> Layers {
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
            layers.add_dedicated_flag("--data-dir", "server.data_dir", &folder);
        }
        layers
    }

    pub(super) fn read(&self) -> Result<Config, CommandError> {
        Config::read(self.layers()).map_err(CommandError::Settings)
    }

    /// The settings of a server. Also checks the certificate, which only the server's own user may be able
    /// to read.
    pub(super) fn read_for_server(&self) -> Result<Config, Vec<ConfigMistake>> {
        const CERTIFICATE_KEY: &str = "tls.certificate_file";
        let layers = self.layers();
        let mut settings = layers.effective();
        let origin =
            settings.find_map(|(key, _, origin)| (key == CERTIFICATE_KEY).then(|| origin.clone()));
        drop(settings);
        let config = Config::read(layers)?;
        check_certificate(&config.tls).map_err(|error| {
            vec![ConfigMistake {
                origin: origin.expect("every setting has a default"),
                key: Some(CERTIFICATE_KEY.to_owned()),
                message: error.to_string(),
            }]
        })?;
        Ok(config)
    }
}

/// Prints a line to standard output. Unlike `println!`, this does not panic on a closed pipe or a full disk.
pub(super) fn print_line(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Prints a line to standard error. A failure is ignored: there is nowhere to report it.
pub(super) fn print_error(line: impl Display) {
    let _ignored = writeln!(io::stderr().lock(), "{line}");
}
