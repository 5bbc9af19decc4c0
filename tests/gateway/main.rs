//! A real server over real sockets: what clients may rely on, and how it treats bad input.
//!
//! `bystanders` is a correct team beside the misbehaving clients. The other modules are the tests.

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
