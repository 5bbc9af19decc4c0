//! `cluecast serve`: runs the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hunt::{By, GameMasterOrder, Phase};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::check_hunt::read_folder;
use super::output::say;
use super::server::Server;
use super::{CommandError, SettingsArgs};
use crate::config::Config;
use crate::delivery::Hub;
use crate::gateway::Grant;
use crate::http::random_code;
use crate::journal::SessionId;
use crate::session::{InjectedFault, SessionHandle, StoredHunt, first_game_master};
use crate::telemetry;

/// How long threads that were started for one task each may go on after the end.
const THREADS_WAIT: Duration = Duration::from_millis(500);

/// How long a session that is this node's may take until it is open.
const OPENING_MAX: Duration = Duration::from_secs(10);

/// See there.
#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Address and port to listen on; the same as `--set server.listen=ADDRESS`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Runs the hunt in this folder: goes on with its session, or creates and starts one.
    #[arg(long, value_name = "DIR")]
    hunt: Option<PathBuf>,
    /// Prints one JSON line once it is ready, instead of text.
    #[arg(long)]
    json: bool,
    #[arg(skip)]
    fault: InjectedFault,
}

impl Serve {
    #[cfg(feature = "fault-injection")]
    pub(super) fn inject(&mut self, fault: InjectedFault) {
        self.fault = fault;
    }

    pub(super) fn run(mut self) -> Result<(), CommandError> {
        if let Some(address) = self.listen {
            self.settings
                .settings
                .push(format!("server.listen={address}"));
        }
        let config = self.settings.read_for_server();
        let config = config.map_err(CommandError::Settings)?;
        telemetry::init(&config.telemetry);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| CommandError::Failed(error.to_string()))?;
        let done = runtime.block_on(self.serve(&config));
        // A thread that hangs, at a disk for example, keeps nobody from ending.
        runtime.shutdown_timeout(THREADS_WAIT);
        done
    }

    async fn serve(&self, config: &Config) -> Result<(), CommandError> {
        // Before anything else: a stop is heeded while the server starts, too.
        let mut signals = Signals::catch()?;
        let starting = async {
            let hunt = self.read_hunt().await?;
            let server = Server::start_with_fault(config, self.fault).await?;
            Ok::<_, CommandError>((server, hunt))
        };
        let (server, hunt) = tokio::select! {
            started = starting => started?,
            () = signals.stop_asked_for() => {
                tracing::info!("stopped before it was ready");
                return Ok(());
            }
        };
        let open = tokio::select! {
            open = open_hunt(&server, hunt) => Some(open?),
            ended = wait_for_the_end(&server, &mut signals) => {
                ended?;
                None
            }
        };
        if let Some(open) = open {
            // The session is not held longer than it is shown: finished, it may be closed.
            let ready = self.ready(&server, open.as_ref());
            drop(open);
            if let Err(error) = say(ready) {
                tracing::warn!(%error, "nobody reads what the server prints");
            }
            wait_for_the_end(&server, &mut signals).await?;
        }
        tracing::info!("stopping");
        let stopped = timeout(config.server.stop_max, server.stop()).await;
        stopped.map_err(|_| {
            let reason = "the stop took longer than server.stop_ms_max; what was acknowledged \
                          is durable all the same";
            CommandError::Failed(reason.to_owned())
        })??;
        Ok(())
    }

    /// The hunt to be opened, before anything is started for it.
    async fn read_hunt(&self) -> Result<Option<StoredHunt>, CommandError> {
        let Some(folder) = self.hunt.clone() else {
            return Ok(None);
        };
        // On a thread of its own, because a folder may be on a disk that does not answer.
        let reading = tokio::task::spawn_blocking(move || {
            let stored = StoredHunt::new(&read_folder(&folder)?);
            stored.map_err(|_| CommandError::Hunt(folder))
        });
        let read = reading.await;
        read.map_err(|error| CommandError::Failed(error.to_string()))?
            .map(Some)
    }

    /// What is printed once the server is ready.
    fn ready(&self, server: &Server, open: Option<&SessionHandle<Hub>>) -> String {
        let address = server.address();
        let token = |session: &SessionHandle<Hub>| {
            let now = server.gateway().sessions().clock().now();
            let grant = Grant::GameMaster(session.id(), first_game_master());
            server.gateway().tokens().seal(grant, now)
        };
        if self.json {
            let mut ready = serde_json::json!({ "address": address });
            if let Some(session) = open {
                ready["session"] = session.record().code.clone().into();
                ready["game_master_token"] = token(session).into();
            }
            return serde_json::json!({ "ready": ready }).to_string();
        }
        let (http, ws) = if server.gateway().is_encrypted() {
            ("https", "wss")
        } else {
            ("http", "ws")
        };
        let ready = format!("Cluecast is ready: {http}://{address}/  (Ctrl-C stops it)");
        let Some(session) = open else { return ready };
        let (code, title, token) = (&session.record().code, session.title(), token(session));
        format!(
            "{ready}

  hunt               {title}
  join code          {code}
  players connect to {ws}://{address}/ws/{code}
  standings          {http}://{address}/api/v1/sessions/{code}/standings
  game master token  {token}

How to join is at {http}://{address}/ and in protocol/README.md."
        )
    }
}

/// What signals ask for.
enum Asked {
    ToStop,
    ForTheCertificate,
}

/// The signals that a server heeds, caught from the moment on at which this is made.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn catch() -> Result<Self, CommandError> {
        let failed = |error: std::io::Error| CommandError::Failed(error.to_string());
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            hangup: signal(SignalKind::hangup()).map_err(failed)?,
        })
    }

    async fn stop_asked_for(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::ToStop,
            _ = self.interrupt.recv() => Asked::ToStop,
            _ = self.hangup.recv() => Asked::ForTheCertificate,
        }
    }
}

/// Returns when the server is asked to stop, and fails when it should not go on.
async fn wait_for_the_end(server: &Server, signals: &mut Signals) -> Result<(), CommandError> {
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::ToStop => return Ok(()),
                Asked::ForTheCertificate => reload_certificate(server),
            },
            lost = server.lost() => return Err(lost.into()),
        }
    }
}

fn reload_certificate(server: &Server) {
    match server.gateway().reload_certificate() {
        Ok(true) => tracing::info!("new connections get the certificate that is in the file now"),
        Ok(false) => tracing::warn!("there is no certificate to reload: tls.mode is off"),
        Err(error) => tracing::error!(%error, "the certificate stays the one from before"),
    }
}

/// The unfinished session of the hunt in a folder; a new one is created and started if there is
/// none.
async fn open_hunt(
    server: &Server,
    hunt: Option<StoredHunt>,
) -> Result<Option<SessionHandle<Hub>>, CommandError> {
    let Some(stored) = hunt else { return Ok(None) };
    let failed = |error: &dyn std::fmt::Display| CommandError::Failed(error.to_string());
    let sessions = server.gateway().sessions();
    let finished = sessions.journal().finished_sessions().await;
    let finished = finished.map_err(|error| failed(&error))?;
    let known = sessions.journal().sessions().await;
    let known = known.map_err(|error| failed(&error))?;
    let live = known
        .into_iter()
        .filter(|record| !finished.contains(&record.id));
    for record in live.filter(|record| record.hunt_revision == stored.revision) {
        let code = &record.code;
        if server.is_elsewhere(record.id).await {
            let reason =
                format!("session {code} of this hunt runs at another node; leave --hunt out here");
            return Err(CommandError::Failed(reason));
        }
        // It is claimed a moment before it is opened.
        let arrived = timeout(OPENING_MAX, sessions.wait_until_running(code)).await;
        if arrived.is_err() {
            let reason =
                format!("session {code} of this hunt is not open yet; the log says why; try again");
            return Err(CommandError::Failed(reason));
        }
    }
    for session in sessions.all() {
        if session.record().hunt_revision == stored.revision {
            let phase = session.read(|view| view.state.phase()).await;
            if phase.map_err(|error| failed(&error))? != Phase::Finished {
                return Ok(Some(session));
            }
        }
    }
    sessions
        .put_hunt(&stored)
        .await
        .map_err(|error| failed(&error))?;
    let id = SessionId::new(rand::random());
    let created = sessions.create(id, random_code(), stored.revision).await;
    let session = created.map_err(|error| failed(&error))?;
    let started = session
        .submit_order(By::Admin, GameMasterOrder::Start, Vec::new())
        .await;
    let outcome = started.map_err(|error| failed(&error))?;
    outcome.map_err(|refusal| failed(&refusal))?;
    Ok(Some(session))
}
