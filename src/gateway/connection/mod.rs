//! One WebSocket connection: handshake, `hello`, then messages in both directions until it is closed.
//!
//! Never here: frames (`ws`), and what a command means for a session.

pub(super) mod closing;
mod commands;
pub(super) mod handshake;
mod hello;
mod keepalive;
mod lifetime;
