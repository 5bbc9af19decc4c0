//! All sessions of a node, by id: creates, opens, retires and hands them off.
//!
//! `sessions` holds the map of running sessions. `creating`, `retiring` and `host` add operations to it:
//! `host` is what the cluster calls when sessions move between nodes. `catalogue` caches the journal's
//! records of sessions and hunts, and indexes sessions by code.

mod catalogue;
mod creating;
mod host;
mod retiring;
mod running;
mod sessions;

pub use catalogue::{HuntError, OpenError, StoredHunt};
pub use creating::{CreateSessionError, first_game_master};
pub use sessions::{NotHere, Sessions};
