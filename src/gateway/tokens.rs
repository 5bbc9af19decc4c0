//! Tokens: what a client is granted, encrypted with the server's key (PASETO v4.local), so that checking one
//! needs no look-up.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use hunt::{DeviceId, GameMasterId, Timestamp};
use hyper::header::{AUTHORIZATION, HeaderMap};
use pasetors::Local;
use pasetors::keys::{Generate, SymmetricKey};
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::ContentKey;
use crate::ids::SessionId;
use crate::journal::files::make_private_folder;

/// The key's file name in the data folder.
const KEY_FILE: &str = "token.key";
const KEY_BYTES: usize = 32;
/// Lifetime of a token: longer than any hunt, so that no client is logged out during one.
const LIFETIME_MS: u64 = 90 * 24 * 60 * 60 * 1_000;
/// Lifetime of a one-use link: long enough to pick up the other device.
const LINK_LIFETIME_MS: u64 = 10 * 60 * 1_000;
/// A real token has about 200 characters.
const TOKEN_CHARS_MAX: usize = 1_024;

/// What a token grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Everything: administers the server.
    Admin,
    /// Runs one session, within the game master's scopes.
    GameMaster(SessionId, GameMasterId),
    /// Plays in one session, on one device.
    Device(SessionId, DeviceId),
    /// Adds one device, once, for the player of the device that made the link. The number identifies the
    /// link.
    Link(SessionId, DeviceId, u64),
}

/// The token in a request's `Authorization` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

/// Why a token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not made with this server's key, or changed since.
    #[error("the token was not made by this server; get a new one")]
    Forged,
    /// Past its lifetime.
    #[error("the token has expired; get a new one")]
    Expired,
}

/// The key could not be read or created.
#[derive(Debug, thiserror::Error)]
#[error("the token key {}: {reason}", path.display())]
pub struct KeyError {
    path: PathBuf,
    reason: String,
}

/// The key that encrypts tokens.
pub struct TokenKey {
    key: SymmetricKey<V4>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    grant: SerializedGrant,
    expires_at_ms: u64,
}

/// A grant as it is serialized.
#[derive(Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum SerializedGrant {
    Admin,
    GameMaster {
        session: u64,
        game_master: u32,
    },
    Device {
        session: u64,
        device: u32,
    },
    Link {
        session: u64,
        device: u32,
        link: u64,
    },
}

impl From<Grant> for SerializedGrant {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Admin => Self::Admin,
            Grant::GameMaster(session, game_master) => Self::GameMaster {
                session: session.number(),
                game_master: game_master.number(),
            },
            Grant::Device(session, device) => Self::Device {
                session: session.number(),
                device: device.number(),
            },
            Grant::Link(session, device, link) => Self::Link {
                session: session.number(),
                device: device.number(),
                link,
            },
        }
    }
}

impl From<SerializedGrant> for Grant {
    fn from(serialized: SerializedGrant) -> Self {
        match serialized {
            SerializedGrant::Admin => Self::Admin,
            SerializedGrant::GameMaster {
                session,
                game_master,
            } => Self::GameMaster(SessionId::new(session), game_master.into()),
            SerializedGrant::Device { session, device } => {
                Self::Device(SessionId::new(session), device.into())
            }
            SerializedGrant::Link {
                session,
                device,
                link,
            } => Self::Link(SessionId::new(session), device.into(), link),
        }
    }
}

impl Grant {
    fn lifetime_ms(self) -> u64 {
        match self {
            Self::Admin | Self::GameMaster(..) | Self::Device(..) => LIFETIME_MS,
            Self::Link(..) => LINK_LIFETIME_MS,
        }
    }

    /// When a token for this grant expires that is made at `now`.
    pub fn expires_at(self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.lifetime_ms())
    }
}

impl TokenKey {
    /// A random key, which is not stored.
    pub fn ephemeral() -> Self {
        let key = SymmetricKey::generate().expect("the operating system provides random bytes");
        Self { key }
    }

    /// The key derived from a cluster secret, the same on every node.
    pub fn from_secret(secret: &str) -> Self {
        let bytes = derive_key(b"cluecast token key 1", secret.as_bytes());
        let key = SymmetricKey::from(&bytes).expect("it has the length of a key");
        Self { key }
    }

    /// The cluster credential that nodes with this key authenticate to each other with. It cannot encrypt
    /// tokens.
    pub fn cluster_credential(&self) -> String {
        let bytes = derive_key(b"cluecast nodes 1", self.key.as_bytes());
        let [high, low] = [0, KEY_BYTES / 2].map(|from| {
            let half = bytes[from..from + KEY_BYTES / 2].try_into();
            u128::from_be_bytes(half.expect("half a key has 16 bytes"))
        });
        format!("{high:032x}{low:032x}")
    }

    /// The key that the paths of puzzle texts are authenticated with, the same on every node. It cannot
    /// encrypt tokens.
    pub fn content_key(&self) -> ContentKey {
        ContentKey::new(&derive_key(b"cluecast content 1", self.key.as_bytes()))
    }

    /// Reads the key of a data folder. Creates it, readable by its owner only, if it is missing.
    pub fn from_folder(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(KEY_FILE);
        let failed = |reason: String| KeyError {
            path: path.clone(),
            reason,
        };
        make_private_folder(folder).map_err(|error| failed(error.to_string()))?;
        match File::open(&path) {
            Ok(mut file) => {
                let mut bytes = Vec::with_capacity(KEY_BYTES);
                let read = file.read_to_end(&mut bytes);
                read.map_err(|error| failed(error.to_string()))?;
                let key = SymmetricKey::from(bytes.as_slice());
                let key = key.map_err(|_| failed("the file does not hold 32 bytes".to_owned()))?;
                Ok(Self { key })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let created = Self::ephemeral();
                write_key(&path, created.key.as_bytes())
                    .map_err(|error| failed(error.to_string()))?;
                // Another process may have created one at the same time; the linked one counts.
                Self::from_folder(folder)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// A token for a grant, valid from `now` on.
    pub fn seal(&self, grant: Grant, now: Timestamp) -> String {
        let claims = Claims {
            grant: grant.into(),
            expires_at_ms: grant.expires_at(now).0,
        };
        let claims = serde_json::to_vec(&claims).expect("claims serialize");
        LocalToken::encrypt(&self.key, &claims, None, None)
            .expect("the operating system provides random bytes")
    }

    /// Decrypts a token and checks its lifetime.
    pub fn open(&self, token: &str, now: Timestamp) -> Result<Grant, TokenRefusal> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(TokenRefusal::Forged);
        }
        let untrusted = UntrustedToken::<Local, V4>::try_from(token);
        let untrusted = untrusted.map_err(|_| TokenRefusal::Forged)?;
        let trusted = LocalToken::decrypt(&self.key, &untrusted, None, None);
        let trusted = trusted.map_err(|_| TokenRefusal::Forged)?;
        let claims: Claims =
            serde_json::from_str(trusted.payload()).map_err(|_| TokenRefusal::Forged)?;
        if claims.expires_at_ms <= now.0 {
            return Err(TokenRefusal::Expired);
        }
        Ok(claims.grant.into())
    }
}

/// Derives a key for one purpose from a secret. Neither the secret nor the key of another purpose can be
/// derived from it.
fn derive_key(purpose: &[u8], secret: &[u8]) -> [u8; KEY_BYTES] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret);
    hash.finalize().into()
}

/// Writes the key to a temporary file and links it, so that no process reads a partial key.
fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("draft-{:016x}", rand::random::<u64>()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(key)?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    if let Some(folder) = path.parent() {
        // The name must be as durable as the journal, or a power loss would invalidate every token.
        File::open(folder)?.sync_all()?;
    }
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use hunt::Timestamp;

    use super::{Grant, LIFETIME_MS, LINK_LIFETIME_MS, TokenKey, TokenRefusal};
    use crate::ids::SessionId;

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn an_opened_token_has_the_grant_it_was_made_with() {
        let key = TokenKey::ephemeral();
        let session = SessionId::new(7);
        let device = Grant::Device(session, 3.into());
        let link = Grant::Link(session, 9.into(), u64::MAX);
        for grant in [
            Grant::Admin,
            Grant::GameMaster(session, 2.into()),
            device,
            link,
        ] {
            assert_eq!(key.open(&key.seal(grant, NOW), NOW), Ok(grant));
        }
    }

    #[test]
    fn nodes_with_the_same_secret_accept_each_others_tokens() {
        let secret = "correct horse battery staple, and so on";
        let [one, other] = [secret, secret].map(TokenKey::from_secret);
        let token = one.seal(Grant::Admin, NOW);
        assert_eq!(other.open(&token, NOW), Ok(Grant::Admin));
        assert_eq!(one.cluster_credential(), other.cluster_credential());
        let foreign = TokenKey::from_secret("another secret of at least 32 letters");
        assert_eq!(foreign.open(&token, NOW), Err(TokenRefusal::Forged));
        assert_ne!(foreign.cluster_credential(), one.cluster_credential());
    }

    #[test]
    fn forged_foreign_and_expired_tokens_are_rejected() {
        let key = TokenKey::ephemeral();
        let token = key.seal(Grant::Admin, NOW);
        let foreign = TokenKey::ephemeral().seal(Grant::Admin, NOW);
        let mut forged = token.clone();
        let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
        forged.push(last);
        for wrong in [
            foreign.as_str(),
            &forged,
            "",
            "v4.local.",
            &"x".repeat(100_000),
        ] {
            assert_eq!(
                key.open(wrong, NOW),
                Err(TokenRefusal::Forged),
                "{wrong:.20}"
            );
        }
        let late = NOW.plus_ms(LIFETIME_MS);
        assert_eq!(key.open(&token, late), Err(TokenRefusal::Expired));
    }

    #[test]
    fn a_link_expires_at_its_announced_time() {
        let key = TokenKey::ephemeral();
        let link = Grant::Link(SessionId::new(7), 9.into(), 1);
        let sealed = key.seal(link, NOW);
        let expires_at = link.expires_at(NOW);
        assert_eq!(expires_at, NOW.plus_ms(LINK_LIFETIME_MS));
        let before = Timestamp(expires_at.0 - 1);
        assert_eq!(key.open(&sealed, before), Ok(link));
        assert_eq!(key.open(&sealed, expires_at), Err(TokenRefusal::Expired));
    }

    #[test]
    fn the_key_file_is_kept_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let token = TokenKey::from_folder(folder.path())
            .expect("created")
            .seal(Grant::Admin, NOW);
        let again = TokenKey::from_folder(folder.path()).expect("read");
        assert_eq!(again.open(&token, NOW), Ok(Grant::Admin));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(folder.path().join(super::KEY_FILE)).expect("there");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }
}
