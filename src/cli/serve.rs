//! `cluecast serve`: runs the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hunt::{GameMasterOrder, Issuer, Phase};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::check_hunt::read_folder;
use super::command::{SettingsArgs, print_line};
use super::errors::CommandError;
use super::server::Server;
use crate::config::Config;
use crate::delivery::Hub;
use crate::gateway::Grant;
use crate::http::random_code;
use crate::ids::SessionId;
use crate::session::{InjectedFault, SessionHandle, StoredHunt, first_game_master};
use crate::telemetry;

/// Time that blocking threads have to finish after the server has stopped.
const BLOCKING_THREADS_WAIT: Duration = Duration::from_millis(500);

/// Timeout for opening a session that this node owns.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingsArgs,
    /// IP address and port to listen on; the same as `--set server.listen=ADDRESS`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Run the hunt in this directory: resume its unfinished session, or create and start a new one.
    #[arg(long, value_name = "DIR")]
    hunt: Option<PathBuf>,
    /// When ready, print one line of JSON instead of text.
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
            self.settings.set(format!("server.listen={address}"));
        }
        let config = self.settings.read_for_server();
        let config = config.map_err(CommandError::Settings)?;
        telemetry::init(&config.telemetry);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| CommandError::Failed(error.to_string()))?;
        let done = runtime.block_on(self.serve(&config));
        // A thread that hangs, for example in a disk read, does not delay the exit.
        runtime.shutdown_timeout(BLOCKING_THREADS_WAIT);
        done
    }

    async fn serve(&self, config: &Config) -> Result<(), CommandError> {
        // First of all, so that a signal also stops a server that is still starting.
        let mut signals = Signals::catch()?;
        let starting = async {
            let hunt = self.read_hunt().await?;
            let server = Server::start_with_fault(config, self.fault).await?;
            Ok::<_, CommandError>((server, hunt))
        };
        let (server, hunt) = tokio::select! {
            started = starting => started?,
            () = signals.stop_requested() => {
                tracing::info!("stopped before startup was complete");
                return Ok(());
            }
        };
        let open = tokio::select! {
            open = open_hunt(&server, hunt) => Some(open?),
            ended = wait_until_stopped(&server, &mut signals) => {
                ended?;
                None
            }
        };
        if let Some(open) = open {
            // Drop the handle once it is printed, so that a finished session can be closed.
            let ready = self.ready_message(&server, open.as_ref());
            drop(open);
            if let Err(error) = print_line(ready) {
                tracing::warn!(%error, "cannot write to standard output");
            }
            wait_until_stopped(&server, &mut signals).await?;
        }
        tracing::info!("stopping");
        let stopped = timeout(config.server.stop_max, server.stop()).await;
        stopped.map_err(|_| {
            let reason = "the graceful shutdown exceeded server.stop_ms_max; acknowledged events \
                          are durable nevertheless";
            CommandError::Failed(reason.to_owned())
        })??;
        Ok(())
    }

    /// Reads the hunt of `--hunt`.
    async fn read_hunt(&self) -> Result<Option<StoredHunt>, CommandError> {
        let Some(folder) = self.hunt.clone() else {
            return Ok(None);
        };
        // On a blocking thread: the directory may be on a network disk that hangs.
        let reading = tokio::task::spawn_blocking(move || {
            let stored = StoredHunt::new(&read_folder(&folder)?);
            stored.map_err(|_| CommandError::Hunt(folder))
        });
        let read = reading.await;
        read.map_err(|error| CommandError::Failed(error.to_string()))?
            .map(Some)
    }

    /// The text that is printed when the server is ready.
    fn ready_message(&self, server: &Server, open: Option<&SessionHandle<Hub>>) -> String {
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

How to join: {http}://{address}/ and protocol/README.md."
        )
    }
}

/// The request that a signal stands for.
enum Request {
    Stop,
    ReloadCertificate,
}

/// The signals that a server handles. It receives them from the creation of this value on.
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

    async fn stop_requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::ReloadCertificate,
        }
    }
}

/// Returns when a signal requests a stop; fails when the server must exit.
async fn wait_until_stopped(server: &Server, signals: &mut Signals) -> Result<(), CommandError> {
    loop {
        tokio::select! {
            request = signals.next() => match request {
                Request::Stop => return Ok(()),
                Request::ReloadCertificate => reload_certificate(server),
            },
            lost = server.lost() => return Err(lost.into()),
        }
    }
}

fn reload_certificate(server: &Server) {
    match server.gateway().reload_certificate() {
        Ok(true) => tracing::info!("reloaded the certificate; new connections use it"),
        Ok(false) => tracing::warn!("no certificate to reload: tls.mode is off"),
        Err(error) => {
            tracing::error!(%error, "cannot reload the certificate; the previous one stays in use");
        }
    }
}

/// Finds the unfinished session of a hunt; creates and starts one if there is none.
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
            let reason = format!(
                "session {code} of this hunt runs on another node; start this node without --hunt"
            );
            return Err(CommandError::Failed(reason));
        }
        // A session is claimed a moment before it is open.
        let arrived = timeout(OPEN_TIMEOUT, sessions.wait_until_running(code)).await;
        if arrived.is_err() {
            let reason = format!(
                "session {code} of this hunt is not open yet; see the log for the reason, and try again"
            );
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
        .submit_order(Issuer::Admin, GameMasterOrder::Start, Vec::new())
        .await;
    let outcome = started.map_err(|error| failed(&error))?;
    outcome.map_err(|refusal| failed(&refusal))?;
    Ok(Some(session))
}
