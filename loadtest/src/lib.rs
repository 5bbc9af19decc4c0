//! Load harness: real clients that verify what they receive.
//!
//! [`client`] is the protocol client, which the project's tests use as well. [`replay`] replays the log
//! of a past hunt and checks that nothing acknowledged is lost or duplicated; [`idle`] measures memory
//! per connection, [`latency`] the latency of receipts; [`fanout`] pushes clues to many connections,
//! some of them slow, stalled or cut, and checks every delivery; [`chaos`] injects faults into nodes and
//! their store and checks the guarantees; [`abuse`] attacks the server, and [`churn`] connects and
//! disconnects repeatedly.
//!
//! Never links the server: the harness uses the public protocol only.

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
