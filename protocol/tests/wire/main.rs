//! The wire contract's tests: golden vectors, tolerance and hostile input, and the written
//! specification's completeness.
//!
//! No server runs here; what a connection does with a refused message is tested with the gateway.

mod allocation;
mod golden;
mod hostile;
mod kinds;
mod specification;
mod tolerance;
mod vectors;
