//! Who may connect and how much each client may do: connection slots, per-address quotas and rate limits.
//!
//! Never here: reading from or writing to a connection, and what a message means.

pub(super) mod addresses;
pub(super) mod buckets;
pub(super) mod code_attempts;
pub(super) mod message_rate;
pub(super) mod new_teams;
pub(super) mod origins;
pub(super) mod reserve;
pub(super) mod slots;
