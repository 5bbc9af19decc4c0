//! Several nodes on one PostgreSQL, as processes: any node takes any client, and what becomes of the
//! clients when a node is killed, hangs, or leaves.
//!
//! `validity` has nodes within the test's own process, whose way to the journal it can cut.
//!
//! Each client checks the numbers of all that it receives: nothing twice, nothing left out.

#![allow(
    clippy::disallowed_methods,
    reason = "the shared client compares times that the server told with the clock"
)]

mod device;
mod fleet;
#[allow(dead_code, reason = "tests/bounds uses the rest of it")]
#[path = "../bounds/fragile.rs"]
mod fragile;
mod loops;
mod moves;
mod rebalance;
mod stage;
mod validity;
mod wire;
