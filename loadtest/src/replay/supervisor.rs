//! Keeps a server of our own running, and kills it on purpose while guesses are made.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use testkit::{ServerCommand, ServerError, ServerProcess, TempDir, admin_token, find_binary};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::conductor::Stage;

/// How long a server may take until it is ready, also after a kill.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may take to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(15);

/// How often another port is tried, should the one that was free be taken meanwhile.
const STARTS_MAX: u32 = 4;

/// What to start.
#[derive(Debug, Clone)]
pub(super) struct OwnServerOptions {
    pub(super) binary: Option<PathBuf>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) settings: Vec<String>,
}

/// A server that was started for the replay. Dropping it kills it and removes its temporary folder.
#[derive(Debug)]
pub(super) struct OwnServer {
    process: ServerProcess,
    command: ServerCommand,
    pub(super) admin_token: String,
    _folder: Option<TempDir>,
}

/// Why there is no server of our own.
#[derive(Debug, thiserror::Error)]
pub enum OwnServerError {
    /// There is no binary.
    #[error(
        "there is no `cluecast` beside this binary: build it with `cargo build --release`, or name \
         one with --server-binary, or a running server with --server"
    )]
    NoBinary,
    /// No folder or no port.
    #[error("cannot prepare a server: {0}")]
    Prepare(#[from] io::Error),
    /// It did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// What became of the server.
#[derive(Debug)]
pub(super) struct Supervised {
    /// When it was killed on purpose.
    pub(super) kills: Vec<Instant>,
    /// That it ended by itself, did not come up again, or did not stop.
    pub(super) failure: Option<ServerError>,
}

impl OwnServer {
    /// Starts a server on a port that it can come back to.
    pub(super) async fn start(options: OwnServerOptions) -> Result<Self, OwnServerError> {
        let binary = options.binary.or_else(|| find_binary("cluecast"));
        let binary = binary.ok_or(OwnServerError::NoBinary)?;
        let (data_dir, folder) = folder(options.data_dir)?;
        let admin_token = admin_token(&binary, &data_dir).await?;
        let mut command = ServerCommand::new(binary, data_dir);
        command.settings = options.settings;
        let mut starts = 0;
        let process = loop {
            command.listen = format!("127.0.0.1:{}", testkit::free_port()?);
            starts += 1;
            match ServerProcess::start(&command, READY_WAIT_MAX).await {
                Ok(process) => break process,
                Err(ServerError::Exited { .. }) if starts < STARTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Self {
            process,
            command,
            admin_token,
            _folder: folder,
        })
    }

    /// Its address, the same after every restart.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.process.address())
    }

    /// Runs it until the stage is over, then stops it. While guesses are made it is killed about
    /// `every` so often and restarted at once.
    pub(super) async fn supervise(
        mut self,
        mut stage: watch::Receiver<Stage>,
        every: Option<Duration>,
        mut random: StdRng,
    ) -> Supervised {
        let mut kills = Vec::new();
        let failure = match self.run(&mut stage, every, &mut random, &mut kills).await {
            Ok(()) => self.stop().await.err(),
            Err(error) => Some(error),
        };
        Supervised { kills, failure }
    }

    async fn stop(&mut self) -> Result<(), ServerError> {
        let status = self.process.terminate(STOP_WAIT_MAX).await?;
        if status.success() {
            return Ok(());
        }
        let stderr = self.process.stderr_tail();
        Err(ServerError::Exited { status, stderr })
    }

    async fn run(
        &mut self,
        stage: &mut watch::Receiver<Stage>,
        every: Option<Duration>,
        random: &mut StdRng,
        kills: &mut Vec<Instant>,
    ) -> Result<(), ServerError> {
        self.until(stage, Stage::Guess).await?;
        while let Some(every) = every
            && *stage.borrow_and_update() == Stage::Guess
        {
            let pause = every.mul_f64(random.random_range(0.5..1.5));
            tokio::select! {
                biased;
                guessed = self.until(stage, Stage::Settle) => guessed?,
                () = sleep(pause) => {
                    kills.push(Instant::now());
                    self.kill_and_restart().await?;
                }
            }
        }
        self.until(stage, Stage::Over).await
    }

    /// Waits for a stage while watching that the server lives.
    async fn until(
        &mut self,
        stage: &mut watch::Receiver<Stage>,
        wanted: Stage,
    ) -> Result<(), ServerError> {
        tokio::select! {
            biased;
            // An error means that the conductor is gone: the stage is over.
            _ = stage.wait_for(|stage| *stage >= wanted) => Ok(()),
            error = self.process.exited() => Err(error),
        }
    }

    async fn kill_and_restart(&mut self) -> Result<(), ServerError> {
        self.process.kill().await?;
        self.process = ServerProcess::start(&self.command, READY_WAIT_MAX).await?;
        Ok(())
    }
}

/// The folder that is wanted, or a temporary one and what keeps it.
fn folder(wanted: Option<PathBuf>) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(wanted) = wanted {
        return Ok((wanted, None));
    }
    let folder = testkit::temporary_folder()?;
    Ok((folder.path().to_owned(), Some(folder)))
}
