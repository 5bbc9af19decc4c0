//! Cluecast: a real-time server for live treasure and puzzle hunts.
//!
//! The modules are layers. From lowest to highest: `ids`, `config`, `telemetry`, `clock`, `content`, `journal`,
//! `cluster`, `session`, `delivery`, `gateway`, `http`, `cli`. A module imports only from lower layers, and `journal` and
//! `cluster` do not import each other; `tests/architecture.rs` enforces this. `docs/ARCHITECTURE.md` describes
//! how they work together.

#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod content;
pub mod delivery;
pub mod gateway;
pub mod http;
pub mod ids;
pub mod journal;
pub mod session;
pub mod telemetry;
