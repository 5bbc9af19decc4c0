//! Servers and clients for tests and the load harness: server processes, a private PostgreSQL, free
//! ports, a small REST client, a TCP proxy that injects faults, and [`app`], the [`app::TestApp`]
//! with its test client.
//!
//! Never here: code of the server, or knowledge of its internals. Tests use a server only through its
//! public interfaces.

#![forbid(unsafe_code)]

pub mod app;
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

/// Creates an empty folder that is removed when it is dropped.
pub fn temporary_folder() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("cluecast-").tempdir()
}
