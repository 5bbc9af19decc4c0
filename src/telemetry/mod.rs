//! Telemetry: structured logs on standard error (`logs`), and metrics for `/metrics`.
//!
//! Never logged and never a label: answers and guesses, tokens, names, addresses.

mod labels;
mod logs;
mod metrics;
mod process;
mod recorder;

pub use labels::{
    AppendFailure, Attached, CodeLimit, Handshake, Label, Late, Lost, RecoveryFailure, Refused,
    Write,
};
pub use logs::init;
pub use metrics::Metrics;
pub use recorder::{Family, Peak, as_f64, count_request, metrics, render, upkeep};
