//! The load harness: real clients that check what they are told.
//!
//! [`client`] is the wire client, which the project's tests use as well. [`replay`] turns the log
//! of a past hunt into a live one and proves that nothing that was acknowledged is lost or doubled;
//! [`idle`] measures what a connection costs, [`latency`] how long receipts take; [`fanout`] pushes
//! clues to many connections, some of them slow, stalled or cut, and checks what each is told;
//! [`chaos`] injects faults into nodes and their store and proves that what was promised is kept;
//! [`abuse`] sends clients that mean no good, and [`churn`] connects and disconnects again and again.
//!
//! Never here: code of the server. The harness knows it as its users do, by the protocol.

#![forbid(unsafe_code)]

pub mod abuse;
pub mod arguments;
pub mod chaos;
pub mod churn;
pub mod client;
pub mod fanout;
pub mod idle;
pub mod latency;
pub mod managed_server;
mod players;
pub mod replay;
pub mod report;
mod setup;
pub mod statistics;
