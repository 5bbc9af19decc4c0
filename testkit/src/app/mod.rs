//! A server process with a session, and clients that check everything they receive.
//!
//! ```no_run
//! # use cluecast_testkit::app::{ANSWER, TestApp};
//! # use protocol::{Event, Target};
//! # async fn story() {
//! let mut app = TestApp::running(&["limits.commands_burst=20"]).await;
//! let mut player = app.team("Owls").await;
//! let mut desk = app.desk().await;
//! player.guess("p0", "wrong").await.expect_wrong();
//! player.guess("p0", ANSWER).await.expect_correct();
//!
//! let clue = desk.push_clue(Target::Everyone, "Look up").await;
//! let is_it = |event: &Event| matches!(event, Event::CluePushed { clue: shown, .. } if shown.id == clue);
//! player.expect_update(is_it).await;
//!
//! app.kill().await;
//! app.start().await;
//! player.reconnect().await;
//! assert_eq!(app.scores().await, [("Owls".to_owned(), 1)]);
//! # }
//! ```
//!
//! [`TestApp`] owns the process. It dereferences to its [`Session`], whose verbs send REST requests
//! and attach [`TestClient`]s. A [`Session`] alone works with a server that the test runs itself.
//! [`Socket`] and [`http`] are the raw layers, for input that no correct client sends.
//!
//! Everything here panics if the server violates the protocol.

mod client;
pub mod http;
mod reducer;
mod session;
mod socket;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use crate::{
    ServerCommand, ServerProcess, TempDir, admin_token_with, find_binary, temporary_folder,
};

pub use client::{Answer, TestClient, announcement, clue, cursor_at, guess};
pub use reducer::{apply_to_overview, apply_to_snapshot};
pub use session::{ANSWER, Check, PUZZLES, Session, TITLE};
pub use socket::{Ended, Socket, frame, upgrade_request};

/// Timeout of everything that a test waits for.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// Settings of every test server: practically no rate limit, and frequent heads, so that a client soon
/// knows that no update is missing.
const SETTINGS: [&str; 3] = [
    "limits.commands_per_second=1000000",
    "limits.commands_burst=1000000",
    "delivery.heads_every_ms=100",
];

/// A server process with a data folder of its own, and a session.
pub struct TestApp {
    /// The session that the app dereferences to.
    pub session: Session,
    /// The process.
    pub server: ServerProcess,
    /// The command that starts the server.
    pub command: ServerCommand,
    folder: TempDir,
}

impl TestApp {
    /// A server without a session, with these settings added to the usual ones.
    pub async fn bare(settings: &[&str]) -> Self {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let binary = find_binary("cluecast").expect("tests are built together with the server");
        let mut command = ServerCommand::new(binary, folder.path());
        let settings = SETTINGS.iter().chain(settings);
        command.settings = settings.map(ToString::to_string).collect();
        let admin = admin_token_with(&command.binary, folder.path(), &command.settings).await;
        let admin = admin.unwrap_or_else(|error| panic!("{error}"));
        let server = start(&command).await;
        Self {
            session: Session::none(server.address(), &admin),
            server,
            command,
            folder,
        }
    }

    /// A server with a session in its lobby.
    pub async fn lobby(settings: &[&str]) -> Self {
        let mut app = Self::bare(settings).await;
        app.open_lobby().await;
        app
    }

    /// A server with a session that has started.
    pub async fn running(settings: &[&str]) -> Self {
        let app = Self::lobby(settings).await;
        app.order("start").await;
        app
    }

    /// Uploads the test hunt, and creates the app's session.
    pub async fn open_lobby(&mut self) {
        self.session.upload_hunt().await;
        self.session = self.session.create().await;
    }

    /// The folder with the journal and the token key.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the server with SIGKILL.
    pub async fn kill(&mut self) {
        self.server.kill().await.expect("it can be killed");
    }

    /// Stops the server with SIGTERM. It must exit with status 0 within the timeout.
    pub async fn stop(&mut self) {
        let status = self.server.terminate(WAIT_MAX).await;
        let status = status.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(status.code(), Some(0), "{}", self.server.stderr_tail());
    }

    /// Starts the server again, on the same folder and another port.
    pub async fn start(&mut self) {
        self.server = start(&self.command).await;
        self.session.set_address(self.server.address());
    }

    /// Stops and starts the server.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Kills and starts the server.
    pub async fn crash(&mut self) {
        self.kill().await;
        self.start().await;
    }

    /// Asserts that the server runs and has not panicked.
    pub fn assert_healthy(&self) {
        let log = self.server.stderr_tail();
        assert!(self.server.id().is_some(), "the server has ended:\n{log}");
        assert!(!log.contains("panicked"), "the server has panicked:\n{log}");
    }
}

impl Deref for TestApp {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for TestApp {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

async fn start(command: &ServerCommand) -> ServerProcess {
    let started = ServerProcess::start(command, WAIT_MAX).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}
