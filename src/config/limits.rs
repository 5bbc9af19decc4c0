//! Rate limits: commands of a connection, new teams of an address, and wrong codes.

use std::num::NonZeroU32;

use super::reader::Reader;

/// The `[limits]` section of `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Cost units per second, sustained; a guess costs one.
    pub commands_per_second: NonZeroU32,
    /// Burst, in cost units.
    pub commands_burst: NonZeroU32,
    /// New teams from one address.
    pub address_new_teams: RateLimit,
    /// Wrong codes from one address.
    pub address_wrong_codes: RateLimit,
    /// Wrong codes for one session.
    pub session_wrong_codes: RateLimit,
    /// Wrong codes for the whole server.
    pub wrong_codes: RateLimit,
}

/// Rate and burst of a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sustained rate per minute.
    pub per_minute: NonZeroU32,
    /// Capacity of the bucket.
    pub burst: NonZeroU32,
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut read = |key| {
            let number = u32::try_from(reader.read_integer(key, 1..=1_000_000));
            let number = number.ok().and_then(NonZeroU32::new);
            number.expect("the range excludes 0 and fits 32 bits")
        };
        let config = Self {
            commands_per_second: read("limits.commands_per_second"),
            commands_burst: read("limits.commands_burst"),
            address_new_teams: RateLimit {
                per_minute: read("limits.address_new_teams_per_minute"),
                burst: read("limits.address_new_teams_burst"),
            },
            address_wrong_codes: RateLimit {
                per_minute: read("limits.address_wrong_codes_per_minute"),
                burst: read("limits.address_wrong_codes_burst"),
            },
            session_wrong_codes: RateLimit {
                per_minute: read("limits.session_wrong_codes_per_minute"),
                burst: read("limits.session_wrong_codes_burst"),
            },
            wrong_codes: RateLimit {
                per_minute: read("limits.wrong_codes_per_minute"),
                burst: read("limits.wrong_codes_burst"),
            },
        };
        let (session, server) = (config.session_wrong_codes, config.wrong_codes);
        for (exceeds, session_key, key) in [
            (
                session.per_minute > server.per_minute,
                "limits.session_wrong_codes_per_minute",
                "limits.wrong_codes_per_minute",
            ),
            (
                session.burst > server.burst,
                "limits.session_wrong_codes_burst",
                "limits.wrong_codes_burst",
            ),
        ] {
            if exceeds {
                let message = format!(
                    "{session_key} must be at most {key}: a session cannot exceed the whole server"
                );
                reader.record_conflict([session_key, key], &message);
            }
        }
        config
    }
}
