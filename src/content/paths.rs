//! Paths of texts: `/content/{session}/{hmac}/{file}`.
//!
//! The part `{hmac}` authenticates a path: 8 bytes of the text's hash, by which the text is found, and 16
//! bytes of an HMAC-SHA-256 (RFC 2104) over the whole hash, in hexadecimal. The HMAC's key is derived from
//! the server's token key and the session's id, so every node computes the same paths, and the paths of one
//! session reveal nothing about those of another. Without the key, a path cannot be guessed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use hunt::ContentHash;
use sha2::Sha256;

use super::RENDERING_VERSION;
use crate::ids::SessionId;

/// Bytes of the text's hash in a path. Two texts of a hunt that share them are both tried.
const FINDER_BYTES: usize = 8;
/// Bytes of the HMAC in a path.
const HMAC_BYTES: usize = 16;

type HmacSha256 = Hmac<Sha256>;

/// The key from which the keys of all sessions are derived.
#[derive(Clone)]
pub struct ContentKey(HmacSha256);

impl ContentKey {
    /// A key of any length.
    pub fn new(key: &[u8]) -> Self {
        Self(keyed(key))
    }

    /// The paths of the session with this id and code.
    pub fn paths_of(&self, session: SessionId, code: &str) -> ContentPaths {
        let mut derived = self.0.clone();
        derived.update(b"session");
        derived.update(&session.number().to_be_bytes());
        ContentPaths {
            key: keyed(&derived.finalize().into_bytes()),
            code: code.to_owned(),
        }
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("a key of an HMAC may have any length")
}

/// The paths of the texts of one session.
#[derive(Clone)]
pub struct ContentPaths {
    key: HmacSha256,
    code: String,
}

impl fmt::Debug for ContentPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ContentPaths");
        shown.field("code", &self.code).finish_non_exhaustive()
    }
}

impl ContentPaths {
    /// The path of a text as HTML.
    pub fn html(&self, hash: ContentHash) -> String {
        let hmac = self.hmac_of(hash).finalize().into_bytes();
        let mut folder = [0; FINDER_BYTES + HMAC_BYTES];
        folder[..FINDER_BYTES].copy_from_slice(&hash.0[..FINDER_BYTES]);
        folder[FINDER_BYTES..].copy_from_slice(&hmac[..HMAC_BYTES]);
        format!("/content/{}/{}/body.html", self.code, hex::encode(folder))
    }

    /// The text to which the part `{hmac}` of a path belongs, among those of a hunt; none if it is not
    /// authentic.
    pub fn find(
        &self,
        hmac: &str,
        texts: impl IntoIterator<Item = ContentHash>,
    ) -> Option<ContentHash> {
        let mut folder = [0; FINDER_BYTES + HMAC_BYTES];
        hex::decode_to_slice(hmac, &mut folder).ok()?;
        let (finder, hmac) = folder.split_at(FINDER_BYTES);
        let mut texts = texts.into_iter();
        texts.find(|hash| {
            hash.0.starts_with(finder) && self.hmac_of(*hash).verify_truncated_left(hmac).is_ok()
        })
    }

    fn hmac_of(&self, hash: ContentHash) -> HmacSha256 {
        let mut hmac = self.key.clone();
        hmac.update(&[RENDERING_VERSION]);
        hmac.update(&hash.0);
        hmac
    }
}

#[cfg(test)]
mod tests {
    use hunt::ContentHash;

    use super::{ContentKey, ContentPaths};
    use crate::ids::SessionId;

    fn paths(key: &[u8], session: u64) -> ContentPaths {
        ContentKey::new(key).paths_of(SessionId::new(session), "KITE42")
    }

    fn hmac_of(path: &str) -> &str {
        let parts: Vec<&str> = path.split('/').collect();
        let ["", "content", "KITE42", hmac, "body.html"] = parts[..] else {
            panic!("{path}");
        };
        assert_eq!(hmac.len(), 48, "24 bytes, of which 16 are the HMAC");
        hmac
    }

    fn text(number: u8) -> ContentHash {
        ContentHash([number; 32])
    }

    #[test]
    fn a_path_leads_to_its_text_and_to_no_other() {
        let paths = paths(b"key", 1);
        let texts = [text(1), text(2)];
        for hash in texts {
            let path = paths.html(hash);
            assert_eq!(paths.find(hmac_of(&path), texts), Some(hash));
            assert_eq!(paths.find(hmac_of(&path), [text(3)]), None);
        }
    }

    #[test]
    fn every_digit_of_a_path_counts() {
        let paths = paths(b"key", 1);
        let path = paths.html(text(7));
        let hmac = hmac_of(&path);
        for at in 0..hmac.len() {
            let mut forged = hmac.as_bytes().to_vec();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(paths.find(&forged, [text(7)]), None, "{forged}");
        }
        for malformed in ["", "00", &hmac[..46], &format!("{hmac}00"), "é"] {
            assert_eq!(paths.find(malformed, [text(7)]), None, "{malformed}");
        }
    }

    #[test]
    fn sessions_and_servers_have_different_paths_and_nodes_the_same() {
        let path = paths(b"key", 1).html(text(7));
        assert_eq!(paths(b"key", 1).html(text(7)), path);
        for other in [paths(b"key", 2), paths(b"other key", 1)] {
            assert_ne!(other.html(text(7)), path);
            assert_eq!(other.find(hmac_of(&path), [text(7)]), None);
        }
    }
}
