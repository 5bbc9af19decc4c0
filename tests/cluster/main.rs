//! Several nodes, as processes, on one PostgreSQL server: any node serves any client, and clients continue
//! when a node is killed, hangs or leaves.
//!
//! `lease` has nodes within the test's own process, and can cut their connection to the journal.

mod content;
mod fleet;
#[allow(dead_code, reason = "tests/bounds uses the rest of it")]
#[path = "../bounds/fragile.rs"]
mod fragile;
mod lease;
mod loops;
mod moves;
mod rebalance;
