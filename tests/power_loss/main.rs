//! Power loss: acknowledged events survive when the server restarts from its files as of their last fsync,
//! without the page cache.
//!
//! `vfs` puts a recorder (`recorder`) between SQLite and its files. `recorder_on_sqlite` proves with plain
//! SQL that the recorder distinguishes safe settings from unsafe ones; `journal` tests the server's journal
//! on it, and `server` a whole server with players on WebSockets.

mod journal;
mod recorder;
mod recorder_on_sqlite;
mod server;
mod vfs;
