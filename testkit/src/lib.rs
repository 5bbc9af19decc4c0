//! What tests and the load harness need around a server: starting and killing it as a process,
//! a PostgreSQL server of its own, free ports, a small REST client, and a TCP proxy that makes bad
//! weather.
//!
//! Never here: code of the server, or knowledge of how it is built. It is driven only from outside,
//! as its users drive it.

#![forbid(unsafe_code)]

mod binary;
mod port;
mod postgres;
mod process;
pub mod proxy;
pub mod rest;
mod tail;

pub use binary::{ServerCommand, admin_token, admin_token_with, find_binary, migrate};
pub use port::{free_port, free_port_of};
pub use postgres::{
    POSTGRES_DATABASE, POSTGRES_ROLE, Postgres, PostgresError, PostgresOptions, SmallDisk,
};
pub use process::{ServerError, ServerProcess};
pub use proxy::TcpProxy;
pub use rest::{Rest, RestError};

/// A folder that is removed when it is dropped.
pub use tempfile::TempDir;

/// Makes an empty folder that is removed when it is dropped.
pub fn temporary_folder() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("cluecast-").tempdir()
}
