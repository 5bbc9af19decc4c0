//! End-to-end tests of roles over real HTTP and WebSockets: joining, restoring, permissions, orders and
//! revocation. Every response is checked against the OpenAPI document.

mod clues;
mod codes;
mod console;
mod console_state;
mod devices;
mod document;
mod export;
mod game_masters;
mod idempotency;
mod joining;
mod limits;
mod links;
mod openapi;
mod phases;
mod renaming;
mod restarts;
mod scopes;
mod times;

use testkit::app::TestApp;

/// A server with a session in its lobby, whose responses are checked against the document.
async fn lobby() -> TestApp {
    let mut app = TestApp::bare(&[]).await;
    app.check_exchanges(document::check);
    app.open_lobby().await;
    app
}

/// The same with a session that has started.
async fn running() -> TestApp {
    let app = lobby().await;
    app.order("start").await;
    app
}
