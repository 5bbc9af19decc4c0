//! The harness against a real server: a log is replayed while the server is left alone, killed, or
//! stopped; nothing that was acknowledged may be lost, doubled, out of order or judged differently.
//! And the harness itself: faults that are planted must be noticed.

mod fanout;
mod faults;
mod harness;
mod measurements;
mod real_log;
mod rows;
mod synthetic_log;
mod tampering;
