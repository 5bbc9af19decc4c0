//! The origin of a setting, and a mistake in one.

use std::fmt;

/// The layer that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`, which is part of the binary.
    BuiltIn,
    /// A line of a configuration file.
    File {
        /// The file name as given.
        name: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// A configuration file that could not be read.
    WholeFile(String),
    /// An environment variable.
    Environment(String),
    /// `--set`, or the dedicated flag of a key.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::WholeFile(name) => f.write_str(name),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// The layer that the mistake is in.
    pub origin: Origin,
    /// The key; `None` if the mistake is not in a key.
    pub key: Option<String>,
    /// What is wrong, and how to correct it.
    pub message: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}
