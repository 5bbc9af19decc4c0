//! Why a file of an archive was not written or is not valid.

use std::io;

/// Why a file of an archive was not written or is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The journal has a hole before this event.
    #[error("event {0} does not follow the one before")]
    Hole(u64),
    /// The file does not begin with the magic number.
    #[error("this is not an archive file")]
    NotAnArchive,
    /// Another version of the program wrote it.
    #[error("written in format {format}, and this version reads format {known} only")]
    UnknownFormat {
        /// The format of the file.
        format: u16,
        /// The format that this version reads.
        known: u16,
    },
    /// The file is truncated, extended or changed.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// The name does not match the content.
    #[error("its content belongs to the name {0}; rename it")]
    OtherName(String),
    /// The file that was read back differs from the one that was written.
    #[error("what was read back is not what was written")]
    ReadBack,
}
