//! From the files of a hunt to a [`Hunt`], or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::fmt;

use crate::definition::Hunt;

/// The files of a hunt by their path in its folder.
pub type Bundle = BTreeMap<String, String>;

/// Something that is wrong with a hunt's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
    /// The column, counted in characters from 1 on.
    pub column: usize,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The line's text with a caret line below it.
    pub excerpt: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// Reads a hunt.
pub fn parse(_files: &Bundle) -> Result<Hunt, Vec<Mistake>> {
    Err(Vec::new())
}
