//! Hunts as they are stored: their files under a digest that is their revision.

use hunt::{Bundle, Hunt, Mistake};
use sha2::{Digest, Sha256};

/// A hunt that is checked and ready to be stored.
pub struct StoredHunt {
    /// The digest of its files.
    pub revision: String,
    /// Its files, encoded.
    pub files: Vec<u8>,
    /// The hunt.
    pub hunt: Hunt,
}

/// Why a hunt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// Its author made mistakes.
    #[error("the hunt has {} mistakes", .0.len())]
    Mistakes(Vec<Mistake>),
    /// What is stored cannot be read.
    #[error("the stored hunt is damaged: {0}")]
    Damaged(serde_json::Error),
}

impl StoredHunt {
    /// Checks a hunt's files and gives them their revision.
    pub fn new(files: &Bundle) -> Result<Self, HuntError> {
        let hunt = hunt::parse(files).map_err(HuntError::Mistakes)?;
        let files = serde_json::to_vec(files).expect("paths and texts are strings");
        Ok(Self {
            revision: revision_of(&files),
            files,
            hunt,
        })
    }
}

/// The revision of a hunt's encoded files: their SHA-256 digest in hexadecimal.
pub fn revision_of(files: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut revision = String::new();
    for byte in Sha256::digest(files) {
        write!(revision, "{byte:02x}").expect("writing to a string does not fail");
    }
    revision
}

/// Reads a hunt as it was stored.
pub fn parse_stored(files: &[u8]) -> Result<Hunt, HuntError> {
    let files: Bundle = serde_json::from_slice(files).map_err(HuntError::Damaged)?;
    hunt::parse(&files).map_err(HuntError::Mistakes)
}
