//! Cluecast: a real-time server for live treasure and puzzle hunts.
//!
//! The modules are layers; each imports only from those above it in this list. `docs/ARCHITECTURE.md`
//! tells how they work together.

#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod delivery;
pub mod gateway;
pub mod http;
pub mod ids;
pub mod journal;
pub mod session;
pub mod telemetry;
