//! Runs the load harness against a real server. A log is replayed while the server runs undisturbed, is killed,
//! or is stopped. Nothing that was acknowledged may be lost, duplicated, reordered or judged differently.
//! The harness must detect injected faults.

mod fanout;
mod faults;
mod harness;
mod measurements;
mod real_log;
mod synthetic_log;
mod tampering;
