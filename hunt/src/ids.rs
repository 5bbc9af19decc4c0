//! Identifiers and times, each with a type of its own.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as the hunt file spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The id of the item at this index of the session's list.
            pub(crate) fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("lists are bounded far below u32::MAX") + 1)
            }

            /// The index in the session's list. Out of range for the number 0.
            pub(crate) fn index(self) -> usize {
                (self.0 as usize).wrapping_sub(1)
            }

            /// The number within the session, starting at 1.
            pub fn number(self) -> u32 {
                self.0
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                Self(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let digits = text.strip_prefix($prefix).ok_or(InvalidId)?;
                let id = digits.parse().map(Self).map_err(|_| InvalidId)?;
                // Only the canonical form is valid: `p07` and `p+7` are not `p7`.
                if id.to_string() == text {
                    Ok(id)
                } else {
                    Err(InvalidId)
                }
            }
        }
    };
}

slug! {
    /// A round's id: its key in the hunt file.
    RoundId
}
slug! {
    /// A puzzle's id: its key in the hunt file.
    PuzzleId
}
counted! {
    /// A team of a session.
    TeamId, "t"
}
counted! {
    /// A player of a session.
    PlayerId, "p"
}
counted! {
    /// A device of a session.
    DeviceId, "d"
}
counted! {
    /// A game master of a session.
    GameMasterId, "g"
}
counted! {
    /// A clue of a session.
    ClueId, "c"
}
counted! {
    /// An announcement of a session.
    AnnouncementId, "a"
}

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// The id of a command, chosen by its sender and increasing from command to command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

impl CommandId {
    /// The lowest valid id.
    pub const FIRST: Self = Self(1);
}

/// Reference to a name, used in everything that is replayed. The name itself is personal data and is
/// stored in a table from which it can be erased. The caller that stores the name chooses it at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameId(pub u64);

/// The number of a client instance of a game master: one open console. Each instance numbers its
/// commands independently of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub u32);

impl From<u32> for InstanceId {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl InstanceId {
    /// The lowest valid number.
    pub const FIRST: Self = Self(1);
}

/// 64 bits of a digest of a command's content, the same for both codecs. It distinguishes a repeated command
/// from a different command with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u64);

/// The idempotency key of a command together with its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NumberedCommand {
    /// The id, chosen by the sender.
    pub id: CommandId,
    /// What the command asks for.
    pub fingerprint: Fingerprint,
}

/// Normalises a team code or session code as typed: removes everything but ASCII letters and digits, and
/// converts to upper case.
pub fn normalise_code(typed: &str) -> String {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

/// Unix time in milliseconds. Within a session it never decreases.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus a number of milliseconds, saturating.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The milliseconds since an earlier time; 0 if that time is later.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationMs(pub u64);

#[cfg(test)]
mod tests {
    use super::{InvalidId, PlayerId};

    #[test]
    fn only_the_canonical_form_of_an_id_is_valid() {
        assert_eq!("p7".parse(), Ok(PlayerId::from(7)));
        for other in [
            "7",
            "t7",
            "p07",
            "p+7",
            "p-7",
            "p",
            "p 7",
            "p4294967296",
            "",
        ] {
            assert_eq!(other.parse::<PlayerId>(), Err(InvalidId), "{other}");
        }
    }
}
