//! A server of the harness' own: started on a free port, restarted there, stopped.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::{ServerCommand, ServerError, ServerProcess, TempDir, admin_token_with, find_binary};

use crate::arguments::ServerArguments;

/// How long a server may take until it is ready, also after a kill.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may take to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(15);

/// How often another port is tried, should the one that was free be taken meanwhile.
const STARTS_MAX: u32 = 4;

/// The file in a data folder that holds the journal, unless another backend is chosen.
pub(crate) const DATABASE_FILE: &str = "journal.sqlite";

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct ManagedServerOptions {
    /// The binary; by default the `cluecast` beside the running one.
    pub binary: Option<PathBuf>,
    /// The data folder; by default a temporary one.
    pub data_dir: Option<PathBuf>,
    /// Settings as `section.key=value`.
    pub settings: Vec<String>,
    /// Where other nodes reach it, if there are any: on a port of its own that it comes back to.
    pub cluster_host: Option<IpAddr>,
}

/// A running server. Dropping it kills it and removes its temporary folder.
#[derive(Debug)]
pub struct ManagedServer {
    process: ServerProcess,
    command: ServerCommand,
    cluster_address: Option<SocketAddr>,
    admin_token: String,
    _folder: Option<TempDir>,
}

/// Why there is no server of our own.
#[derive(Debug, thiserror::Error)]
pub enum ManagedServerError {
    /// There is no binary.
    #[error(
        "there is no `cluecast` binary next to this one: build it with `cargo build --release`, or give \
         its path with --server-binary"
    )]
    NoBinary,
    /// No folder or no port.
    #[error("cannot create a data directory or find a free port for the server: {0}")]
    Prepare(#[from] io::Error),
    /// It did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// The harness founds all teams from one address.
const MANY_TEAMS: &str = "limits.address_new_teams_burst=1000000";

/// A server to drive: one of our own, or another one's.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) admin_token: String,
    pub(crate) own: Option<ManagedServer>,
}

impl Target {
    /// The server that is named, or a new one.
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
    /// Starts a server on a port that it can come back to.
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

    /// Its address, the same after every restart.
    pub fn url(&self) -> String {
        format!("http://{}", self.process.address())
    }

    /// Its host and port, the same after every restart.
    pub fn authority(&self) -> &str {
        &self.command.listen
    }

    /// Where other nodes reach it, the same after every restart.
    pub fn cluster_address(&self) -> Option<SocketAddr> {
        self.cluster_address
    }

    /// An admin's token for it.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Its process id, or none once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Where its data is.
    pub fn data_dir(&self) -> &Path {
        &self.command.data_dir
    }

    /// Waits until it ends by itself. Cancellation loses nothing.
    pub async fn exited(&mut self) -> ServerError {
        self.process.exited().await
    }

    /// Kills it with SIGKILL and starts it again.
    pub async fn kill_and_restart(&mut self) -> Result<(), ServerError> {
        self.kill().await?;
        self.restart().await
    }

    /// Kills it with SIGKILL.
    pub async fn kill(&mut self) -> Result<(), ServerError> {
        self.process.kill().await.map(drop)
    }

    /// Stops all of its threads with SIGSTOP, until it is resumed. Its sockets stay open.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.process.pause()
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.process.resume()
    }

    /// Stops it with SIGTERM, and starts it again.
    pub async fn stop_and_restart(&mut self) -> Result<(), ServerError> {
        self.stop().await?;
        self.restart().await
    }

    /// Stops it with SIGTERM; anything but a clean end in time is an error.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let status = self.process.terminate(STOP_WAIT_MAX).await?;
        if status.success() {
            return Ok(());
        }
        let stderr = self.process.stderr_tail();
        Err(ServerError::Exited { status, stderr })
    }

    /// Starts it again on its ports, once it has ended.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process = ServerProcess::start(&self.command, READY_WAIT_MAX).await?;
        Ok(())
    }
}

/// Brings the schema of the database that these settings name to what the server needs.
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

/// The folder that is wanted, or a temporary one and what keeps it.
fn folder(wanted: Option<PathBuf>) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(wanted) = wanted {
        return Ok((wanted, None));
    }
    let folder = testkit::temporary_folder()?;
    Ok((folder.path().to_owned(), Some(folder)))
}
