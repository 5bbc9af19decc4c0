//! Tokens: who somebody is, sealed with the server's key (PASETO v4.local), so that checking one
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

use crate::journal::SessionId;
use crate::journal::files::make_private_folder;

/// The key's name within the data folder.
const KEY_FILE: &str = "token.key";
const KEY_BYTES: usize = 32;
/// How long a token is good: longer than any hunt, so that nobody is logged out during one.
const LIFETIME_MS: u64 = 90 * 24 * 60 * 60 * 1_000;
/// How long a one-use link is good: as long as it takes to pick up the other device.
const LINK_LIFETIME_MS: u64 = 10 * 60 * 1_000;
/// A real token has about 200 characters.
const TOKEN_CHARS_MAX: usize = 1_024;

/// What its bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Everything: owns the server.
    Admin,
    /// Runs one session, as far as the game master's scopes go.
    GameMaster(SessionId, GameMasterId),
    /// Plays in one session, on one device.
    Device(SessionId, DeviceId),
    /// Adds one device for the player of the device that made it, once; the number tells links
    /// apart.
    Link(SessionId, DeviceId, u64),
}

/// The token in a request's `Authorization` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not made with this server's key, or changed since.
    #[error("the token was not made by this server; get a new one")]
    Forged,
    /// Too old.
    #[error("the token has expired; get a new one")]
    Expired,
}

/// The key could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("the token key {}: {reason}", path.display())]
pub struct KeyError {
    path: PathBuf,
    reason: String,
}

/// The key that seals tokens.
pub struct TokenKey {
    key: SymmetricKey<V4>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    grant: Sealed,
    expires_at_ms: u64,
}

/// A grant in numbers.
#[derive(Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Sealed {
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

impl From<Grant> for Sealed {
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

impl From<Sealed> for Grant {
    fn from(sealed: Sealed) -> Self {
        match sealed {
            Sealed::Admin => Self::Admin,
            Sealed::GameMaster {
                session,
                game_master,
            } => Self::GameMaster(SessionId::new(session), game_master.into()),
            Sealed::Device { session, device } => {
                Self::Device(SessionId::new(session), device.into())
            }
            Sealed::Link {
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

    /// Until when a token for it is good that is made now.
    pub fn expires_at(self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.lifetime_ms())
    }
}

impl TokenKey {
    /// A key that lives as long as the process.
    pub fn ephemeral() -> Self {
        let key = SymmetricKey::generate().expect("the operating system gives random bytes");
        Self { key }
    }

    /// The key that every node with this secret has.
    pub fn of_secret(secret: &str) -> Self {
        let bytes = derived(b"cluecast token key 1", secret.as_bytes());
        let key = SymmetricKey::from(&bytes).expect("it has the length of a key");
        Self { key }
    }

    /// What the nodes with this key show each other; nothing can be sealed with it.
    pub fn pass_of_nodes(&self) -> String {
        let bytes = derived(b"cluecast nodes 1", self.key.as_bytes());
        let [high, low] = [0, KEY_BYTES / 2].map(|from| {
            let half = bytes[from..from + KEY_BYTES / 2].try_into();
            u128::from_be_bytes(half.expect("half a key has 16 bytes"))
        });
        format!("{high:032x}{low:032x}")
    }

    /// The key of a data folder; it is made, readable by its owner only, if it is missing.
    pub fn of_folder(folder: &Path) -> Result<Self, KeyError> {
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
                let key = key.map_err(|_| failed("it does not hold 32 bytes".to_owned()))?;
                Ok(Self { key })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = Self::ephemeral();
                write_key(&path, made.key.as_bytes()).map_err(|error| failed(error.to_string()))?;
                // Another process may have made one at the same time: the one in place counts.
                Self::of_folder(folder)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// A token that grants something from now on.
    pub fn seal(&self, grant: Grant, now: Timestamp) -> String {
        let claims = Claims {
            grant: grant.into(),
            expires_at_ms: grant.expires_at(now).0,
        };
        let claims = serde_json::to_vec(&claims).expect("claims are numbers and a word");
        LocalToken::encrypt(&self.key, &claims, None, None)
            .expect("the operating system gives random bytes")
    }

    /// What a token grants.
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

/// A key for one purpose out of another secret, from which neither that nor another purpose's key
/// can be told.
fn derived(purpose: &[u8], secret: &[u8]) -> [u8; KEY_BYTES] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret);
    hash.finalize().into()
}

/// Writes the key beside its place and links it there, so that nobody ever reads half a key.
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
        // The name must be as durable as the journal, or a power cut would void every token.
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
    use crate::journal::SessionId;

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn what_was_sealed_is_granted() {
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
    fn nodes_with_one_secret_open_each_others_tokens() {
        let secret = "correct horse battery staple, and so on";
        let [one, other] = [secret, secret].map(TokenKey::of_secret);
        let token = one.seal(Grant::Admin, NOW);
        assert_eq!(other.open(&token, NOW), Ok(Grant::Admin));
        assert_eq!(one.pass_of_nodes(), other.pass_of_nodes());
        let foreign = TokenKey::of_secret("another secret of at least 32 letters");
        assert_eq!(foreign.open(&token, NOW), Err(TokenRefusal::Forged));
        assert_ne!(foreign.pass_of_nodes(), one.pass_of_nodes());
    }

    #[test]
    fn forged_foreign_and_expired_tokens_are_refused() {
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
    fn a_link_is_good_for_as_long_as_it_says_and_no_longer() {
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
    fn a_folder_keeps_its_key_to_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let token = TokenKey::of_folder(folder.path())
            .expect("made")
            .seal(Grant::Admin, NOW);
        let again = TokenKey::of_folder(folder.path()).expect("read");
        assert_eq!(again.open(&token, NOW), Ok(Grant::Admin));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(folder.path().join(super::KEY_FILE)).expect("there");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }
}
