//! A real server over real sockets: its guarantees to clients, and its handling of invalid input.
//!
//! `bystanders` is a correct team that plays next to misbehaving clients. The other modules are the tests.

#![allow(
    clippy::disallowed_methods,
    reason = "times from the server are compared with the clock"
)]

mod archive;
mod bad_commands;
mod bad_frames;
mod bad_hellos;
mod bad_requests;
mod bystanders;
mod connections;
mod content;
mod finished;
mod generation;
mod latest;
mod replay;
mod restarts;
mod snapshots;
