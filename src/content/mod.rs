//! The texts of puzzles, as clients fetch them: Markdown rendered to sanitised HTML, and the unguessable
//! paths at which a session serves it.
//!
//! Works on texts and hashes only. Never here: sessions, what a team has unlocked, or HTTP.

mod bodies;
mod html;
mod paths;

pub use bodies::{Bodies, RenderingFailed};
pub use paths::{ContentKey, ContentPaths};

use hunt::ContentHash;

/// Version of the rendering. Clients cache the HTML of a path for ever: raise the version with every change
/// of the HTML that a text renders to, which changes all paths.
const RENDERING_VERSION: u8 = 1;

/// What a node needs to serve texts: the key of their paths, and the cache of rendered texts.
pub struct Content {
    /// The key that their paths are authenticated with.
    pub key: ContentKey,
    /// Texts that were rendered.
    pub bodies: Bodies,
}

impl Content {
    /// Nothing rendered yet.
    pub fn new(key: ContentKey) -> Self {
        Self {
            key,
            bodies: Bodies::new(),
        }
    }
}

/// A name of the text and of its rendering, for the HTTP header `ETag`.
pub fn entity_tag(hash: ContentHash, file: &str) -> String {
    let (first, _) = hash.0.split_at(16);
    format!("\"{}-{RENDERING_VERSION}-{file}\"", hex::encode(first))
}
