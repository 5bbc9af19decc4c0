//! Telemetry: structured logs on standard error, and metrics for `/metrics`.
//!
//! Logs and labels never contain answers, guesses, tokens, names or addresses.

mod kinds;
mod labels;
mod logs;
mod metrics;
mod process;
mod recorder;

pub use kinds::{Family, Peak, as_f64};
pub use labels::{
    AppendFailure, AttachSource, CodeLimit, HandshakeFailure, Label, LossReason, RecoveryFailure,
    RefusalReason, RequestPart, WriteOutcome,
};
pub use logs::init;
pub use metrics::Metrics;
pub use recorder::{count_request, metrics, render, upkeep};
