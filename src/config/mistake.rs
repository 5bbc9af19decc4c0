//! Where a setting comes from, and what can be wrong with it.

use std::fmt;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`, which is part of the binary.
    BuiltIn,
    /// A line of a file.
    File {
        /// The file as it was named.
        name: String,
        /// The line, from 1 on.
        line: usize,
    },
    /// A file as a whole: it could not be read.
    WholeFile(String),
    /// A variable of the environment.
    Environment(String),
    /// A `--set`, or the flag of a key of its own.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::WholeFile(name) => f.write_str(name),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Something that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Where.
    pub origin: Origin,
    /// Which key; none if the text could not be read as far as that.
    pub key: Option<String>,
    /// What is wrong and what to do about it.
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
