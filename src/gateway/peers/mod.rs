//! Connections between nodes: the internal listener, requests to other nodes, and relayed WebSockets.
//!
//! Never here: which node owns a session (`cluster`), and which requests are relayed (`http`).

pub(super) mod listener;
pub(super) mod neighbours;
pub(super) mod relay;
