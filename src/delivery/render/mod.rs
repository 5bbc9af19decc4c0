//! Renders session state and events as wire messages: what each audience may see.
//!
//! Owns every conversion from the state, the definition and the events of `hunt` to types of
//! `protocol`, for the WebSocket and for REST. Never decides, numbers or encodes.
//!
//! Architecture invariant: rendering is total. It runs after a command was decided, outside the guard
//! that turns a panic of the rules into a quarantined command. So no function here panics: an id that
//! the state does not know is left out.

mod audit;
mod console;
mod event;
mod export;
mod game_masters;
mod guesses;
mod outcome;
mod overview;
mod people;
mod scope;
mod session;
mod snapshot;
mod standings;
mod texts;
mod welcome;

pub use audit::{audited_orders, is_audited};
pub use console::{players_after, unlocked_at};
pub(super) use event::update;
pub use export::{
    ExportNames, ExportReferences, export_lines, export_names, guess_log_header, guess_log_rows,
};
pub use game_masters::game_masters;
pub use guesses::{GuessesOf, judged_guess};
pub(super) use outcome::{last_command, receipt};
pub use outcome::{rejection_code, rejection_message};
pub use people::{all_devices, devices_visible_to, joined, roster, team_code};
pub use scope::{scope, scope_name, scopes_from_wire};
pub use session::{hunt_created, session_state};
pub(super) use snapshot::{SharedBy, client_snapshot};
pub use standings::standings;
pub(super) use standings::{BoardContent, Scoreboard};
pub(super) use welcome::{Resumption, reconnect_advice, welcome};

/// A length as the wire carries it. The lengths that are shown are bounded far below `u32::MAX`.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
