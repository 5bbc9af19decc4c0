//! A server that the harness starts on a free port, restarts there, and stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::{ServerCommand, ServerError, ServerProcess, TempDir, admin_token_with, find_binary};

use crate::arguments::ServerArguments;

/// Timeout for a server to become ready, also after a kill.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Timeout of a graceful shutdown.
const STOP_WAIT_MAX: Duration = Duration::from_secs(15);

/// Maximum number of attempts to start, each on another port, if the free port was taken meanwhile.
const STARTS_MAX: u32 = 4;

/// File in the data directory that holds the SQLite journal.
pub(crate) const DATABASE_FILE: &str = "journal.sqlite";

/// Options of a server to start.
#[derive(Debug, Clone, Default)]
pub struct ManagedServerOptions {
    /// Server binary; by default the `cluecast` next to the running one.
    pub binary: Option<PathBuf>,
    /// Data directory, created if missing; by default temporary.
    pub data_dir: Option<PathBuf>,
    /// Settings as `section.key=value`.
    pub settings: Vec<String>,
    /// Address for other nodes, if any; its port stays the same after restarts.
    pub cluster_host: Option<IpAddr>,
}

/// A running server. Dropping it kills it and removes its temporary directory.
#[derive(Debug)]
pub struct ManagedServer {
    process: ServerProcess,
    command: ServerCommand,
    cluster_address: Option<SocketAddr>,
    admin_token: String,
    _folder: Option<TempDir>,
}

/// Error that prevents the start of a server.
#[derive(Debug, thiserror::Error)]
pub enum ManagedServerError {
    /// The binary was not found.
    #[error(
        "there is no `cluecast` binary next to this one: build it with `cargo build --release`, or give \
         its path with --server-binary"
    )]
    NoBinary,
    /// The data directory or port is not available.
    #[error("cannot create a data directory or find a free port for the server: {0}")]
    Prepare(#[from] io::Error),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// The harness creates all teams from one address.
const MANY_TEAMS: &str = "limits.address_new_teams_burst=1000000";

/// The server under test: started by the harness, or running.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) admin_token: String,
    pub(crate) own: Option<ManagedServer>,
}

impl Target {
    /// Uses the running server in the arguments, or starts one.
    pub(crate) async fn resolve(arguments: &ServerArguments) -> Result<Self, ManagedServerError> {
        if let (Some(url), Some(token)) = (&arguments.server, &arguments.admin_token) {
            return Ok(Self {
                url: url.clone(),
                admin_token: token.clone(),
                own: None,
            });
        }
        let own = ManagedServer::start(ManagedServerOptions {
            binary: arguments.server_binary.clone(),
            data_dir: arguments.data_dir.clone(),
            settings: arguments.server_settings.clone(),
            cluster_host: None,
        })
        .await?;
        Ok(Self {
            url: own.url(),
            admin_token: own.admin_token.clone(),
            own: Some(own),
        })
    }
}

impl ManagedServer {
    /// Starts a server on a free port, which it keeps after restarts.
    pub async fn start(options: ManagedServerOptions) -> Result<Self, ManagedServerError> {
        let binary = options.binary.or_else(|| find_binary("cluecast"));
        let binary = binary.ok_or(ManagedServerError::NoBinary)?;
        let (data_dir, folder) = folder(options.data_dir)?;
        let admin_token = admin_token_with(&binary, &data_dir, &options.settings).await?;
        let mut command = ServerCommand::new(binary, data_dir);
        let mut starts = 0;
        let (process, cluster_address) = loop {
            command.listen = format!("127.0.0.1:{}", testkit::free_port()?);
            command.settings = vec![MANY_TEAMS.to_owned()];
            command.settings.extend_from_slice(&options.settings);
            let cluster_address = options.cluster_host.map(free_address).transpose()?;
            let setting = cluster_address.map(|address| format!("cluster.listen={address}"));
            command.settings.extend(setting);
            starts += 1;
            match ServerProcess::start(&command, READY_WAIT_MAX).await {
                Ok(process) => break (process, cluster_address),
                Err(ServerError::Exited { .. }) if starts < STARTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Self {
            process,
            command,
            cluster_address,
            admin_token,
            _folder: folder,
        })
    }

    /// URL; constant across restarts.
    pub fn url(&self) -> String {
        format!("http://{}", self.process.address())
    }

    /// Host and port; constant across restarts.
    pub fn authority(&self) -> &str {
        &self.command.listen
    }

    /// Address for other nodes; constant across restarts.
    pub fn cluster_address(&self) -> Option<SocketAddr> {
        self.cluster_address
    }

    /// Admin token.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Process id; `None` after the process has exited.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Data directory.
    pub fn data_dir(&self) -> &Path {
        &self.command.data_dir
    }

    /// Waits until the process exits by itself. Cancellation-safe.
    pub async fn exited(&mut self) -> ServerError {
        self.process.exited().await
    }

    /// Kills the process with SIGKILL and restarts it.
    pub async fn kill_and_restart(&mut self) -> Result<(), ServerError> {
        self.kill().await?;
        self.restart().await
    }

    /// Kills the process with SIGKILL.
    pub async fn kill(&mut self) -> Result<(), ServerError> {
        self.process.kill().await.map(drop)
    }

    /// Stops the process with SIGSTOP until `resume`. Its sockets stay open.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.process.pause()
    }

    /// Continues a stopped process with SIGCONT.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.process.resume()
    }

    /// Shuts down gracefully with SIGTERM and restarts.
    pub async fn stop_and_restart(&mut self) -> Result<(), ServerError> {
        self.stop().await?;
        self.restart().await
    }

    /// Shuts down with SIGTERM; a timeout or a non-zero exit status is an error.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let status = self.process.terminate(STOP_WAIT_MAX).await?;
        if status.success() {
            return Ok(());
        }
        let stderr = self.process.stderr_tail();
        Err(ServerError::Exited { status, stderr })
    }

    /// Restarts an exited server on the same ports.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process = ServerProcess::start(&self.command, READY_WAIT_MAX).await?;
        Ok(())
    }
}

/// Migrates the database that these settings name.
pub(crate) async fn migrate(
    binary: Option<&Path>,
    settings: &[String],
) -> Result<(), ManagedServerError> {
    let binary = binary
        .map(Path::to_owned)
        .or_else(|| find_binary("cluecast"));
    let binary = binary.ok_or(ManagedServerError::NoBinary)?;
    Ok(testkit::migrate(&binary, settings).await?)
}

fn free_address(host: IpAddr) -> io::Result<SocketAddr> {
    Ok(SocketAddr::new(host, testkit::free_port_of(host)?))
}

/// Returns the given directory, created if missing, or a temporary one with its guard.
fn folder(wanted: Option<PathBuf>) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(wanted) = wanted {
        std::fs::create_dir_all(&wanted)?;
        return Ok((wanted, None));
    }
    let folder = testkit::temporary_folder()?;
    Ok((folder.path().to_owned(), Some(folder)))
}
