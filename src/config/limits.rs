//! What a connection may send, how many teams an address may found, and how often a code may be guessed
//! wrongly.

use std::num::NonZeroU32;

use super::reader::Reader;

/// See `[limits]` in `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Units a second in the long run; a guess costs one.
    pub commands_per_second: NonZeroU32,
    /// Units at once.
    pub commands_burst: NonZeroU32,
    /// Teams that one address founds.
    pub address_new_teams: Allowance,
    /// Wrong codes from one address.
    pub address_wrong_codes: Allowance,
    /// Wrong codes within one session.
    pub session_wrong_codes: Allowance,
    /// Wrong codes on the whole server.
    pub wrong_codes: Allowance,
}

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Times a minute in the long run.
    pub per_minute: NonZeroU32,
    /// Times at once.
    pub burst: NonZeroU32,
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut positive = |key| {
            let number = u32::try_from(reader.take_within(key, 1..=1_000_000));
            let number = number.ok().and_then(NonZeroU32::new);
            number.expect("the range excludes 0 and fits 32 bits")
        };
        let config = Self {
            commands_per_second: positive("limits.commands_per_second"),
            commands_burst: positive("limits.commands_burst"),
            address_new_teams: Allowance {
                per_minute: positive("limits.address_new_teams_per_minute"),
                burst: positive("limits.address_new_teams_burst"),
            },
            address_wrong_codes: Allowance {
                per_minute: positive("limits.address_wrong_codes_per_minute"),
                burst: positive("limits.address_wrong_codes_burst"),
            },
            session_wrong_codes: Allowance {
                per_minute: positive("limits.session_wrong_codes_per_minute"),
                burst: positive("limits.session_wrong_codes_burst"),
            },
            wrong_codes: Allowance {
                per_minute: positive("limits.wrong_codes_per_minute"),
                burst: positive("limits.wrong_codes_burst"),
            },
        };
        let (session, all) = (config.session_wrong_codes, config.wrong_codes);
        for (is_more, session_key, key) in [
            (
                session.per_minute > all.per_minute,
                "limits.session_wrong_codes_per_minute",
                "limits.wrong_codes_per_minute",
            ),
            (
                session.burst > all.burst,
                "limits.session_wrong_codes_burst",
                "limits.wrong_codes_burst",
            ),
        ] {
            if is_more {
                let message = format!(
                    "{session_key} must be at most {key}: one session cannot have more than all"
                );
                reader.contradiction([session_key, key], &message);
            }
        }
        config
    }
}
