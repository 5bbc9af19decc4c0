//! The harness against a real server: a log is replayed while the server runs undisturbed, is killed, or
//! is shut down; nothing acknowledged may be lost, duplicated, reordered or judged differently. Injected
//! faults must be detected.

mod fanout;
mod faults;
mod harness;
mod measurements;
mod real_log;
mod rows;
mod synthetic_log;
mod tampering;
