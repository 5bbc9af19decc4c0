//! `cluecast config`: checks and shows settings.

use clap::{Args, Subcommand};

use super::command::{SettingsArgs, print_error, print_line};
use super::errors::CommandError;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Report all mistakes in the settings. The exit status is 1 if there are any.
    Check(Check),
    /// Print the effective value of every setting.
    Show(Show),
}

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Also print the origin of each value.
    #[arg(long)]
    origin: bool,
    /// Print one JSON object instead of text.
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
            print_line(serde_json::json!({ "mistakes": listed.collect::<Vec<_>>() }))?;
        } else {
            for mistake in &mistakes {
                print_error(mistake);
            }
            match mistakes.len() {
                0 => print_line("The settings are valid.")?,
                1 => print_error("1 mistake"),
                count => print_error(format_args!("{count} mistakes")),
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
                    serde_json::json!({ "value": to_json(&value), "origin": origin.to_string() });
                (key.to_owned(), described)
            });
            let settings: serde_json::Map<String, serde_json::Value> = settings.collect();
            print_line(serde_json::Value::Object(settings))?;
        } else {
            for (key, value, origin) in layers.effective() {
                let line = format!("{key} = {value}");
                if self.origin {
                    print_line(format_args!("{line:50} # {origin}"))?;
                } else {
                    print_line(line)?;
                }
            }
        }
        Config::read(layers)
            .map(drop)
            .map_err(CommandError::Settings)
    }
}

/// The JSON form of a value. No setting is a date, which JSON cannot represent.
fn to_json(value: &toml::Value) -> serde_json::Value {
    serde_json::to_value(value).expect("settings are strings, numbers and lists")
}
