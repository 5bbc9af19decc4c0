//! What a connection may send.

use std::num::NonZeroU32;

use super::layers::Reader;

/// See `[limits]` in `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Commands a second in the long run.
    pub commands_per_second: NonZeroU32,
    /// Commands at once.
    pub commands_burst: NonZeroU32,
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut positive = |key| {
            let number = u32::try_from(reader.take_within(key, 1..=1_000_000));
            let number = number.ok().and_then(NonZeroU32::new);
            number.expect("the range excludes 0 and fits 32 bits")
        };
        Self {
            commands_per_second: positive("limits.commands_per_second"),
            commands_burst: positive("limits.commands_burst"),
        }
    }
}
