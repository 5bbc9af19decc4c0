//! A real server, over real sockets: what a client may rely on, and what becomes of bad input.
//!
//! `stage` starts the server and its sessions, `device` is a client that checks the numbers of all
//! that it receives, `wire` the socket under it. The other modules are the tests.

#![allow(
    clippy::disallowed_methods,
    reason = "times that the server told are compared with the clock"
)]

mod archive;
mod bad_commands;
mod bad_frames;
mod bad_hellos;
mod bad_requests;
mod beside;
mod connections;
mod device;
mod finished;
mod generation;
mod http;
mod latest;
mod replay;
mod restarts;
mod snapshots;
mod stage;
mod wire;
