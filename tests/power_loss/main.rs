//! Power loss: what was acknowledged is still there when the server restarts from its files as they
//! were at their last fsync, not as the page cache had them.
//!
//! `vfs` puts a recorder (`recorder`) between SQLite and its files. `recorder_on_sqlite` shows with
//! plain SQL that the recorder tells the safe settings from the unsafe ones; `journal` holds the
//! server's journal to it, and `server` a whole server with players on WebSockets.

mod journal;
mod recorder;
mod recorder_on_sqlite;
mod server;
mod vfs;
