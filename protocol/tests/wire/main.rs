//! Tests of the wire protocol: golden vectors, compatibility, hostile input, and the completeness of the
//! written specification.
//!
//! Never starts a server; the gateway's tests cover how a connection handles a rejected message.

mod allocation;
mod board;
mod golden;
mod hostile;
mod kinds;
mod specification;
mod tolerance;
mod vectors;
