//! `cluecast config`: what the settings are, and what is wrong with them.

use clap::{Args, Subcommand};

use super::output::{complain, say};
use super::{CommandError, SettingsArgs};
use crate::config::Config;

/// See there.
#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Reports everything that is wrong with the settings; status 1 if anything is.
    Check(Check),
    /// Prints every setting.
    Show(Show),
}

/// See there.
#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// See there.
#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Tells for each setting where it comes from.
    #[arg(long)]
    origin: bool,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Check(check) => check.run(),
            Self::Show(show) => show.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<(), CommandError> {
        let mistakes = match self.settings.read_for_server() {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes,
        };
        if self.json {
            let listed = mistakes.iter().map(|mistake| {
                serde_json::json!({
                    "origin": mistake.origin.to_string(),
                    "key": mistake.key,
                    "message": mistake.message,
                })
            });
            say(serde_json::json!({ "mistakes": listed.collect::<Vec<_>>() }))?;
        } else {
            for mistake in &mistakes {
                complain(mistake);
            }
            match mistakes.len() {
                0 => say("The settings are good.")?,
                1 => complain("1 mistake"),
                count => complain(format_args!("{count} mistakes")),
            }
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(CommandError::Reported)
        }
    }
}

impl Show {
    fn run(self) -> Result<(), CommandError> {
        let layers = self.settings.layers();
        if self.json {
            let settings = layers.effective().map(|(key, value, origin)| {
                let described =
                    serde_json::json!({ "value": json(&value), "origin": origin.to_string() });
                (key.to_owned(), described)
            });
            let settings: serde_json::Map<String, serde_json::Value> = settings.collect();
            say(serde_json::Value::Object(settings))?;
        } else {
            for (key, value, origin) in layers.effective() {
                let line = format!("{key} = {value}");
                if self.origin {
                    say(format_args!("{line:50} # {origin}"))?;
                } else {
                    say(line)?;
                }
            }
        }
        Config::read(layers)
            .map(drop)
            .map_err(CommandError::Settings)
    }
}

/// No setting is a date, which JSON has no word for.
fn json(value: &toml::Value) -> serde_json::Value {
    serde_json::to_value(value).expect("settings are text, numbers and lists")
}
