//! One server process: started, waited for, killed, reaped.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ServerCommand;
use crate::tail::Tail;

/// Maximum length of the ready line.
const READY_BYTES_MAX: u64 = 4096;

/// Timeout for a process to end after SIGKILL.
const KILL_WAIT_MAX: Duration = Duration::from_secs(10);

/// Timeout for reading the rest of an ended process's pipes.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(1);

/// A running server. Dropping it kills the process and reaps it.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    session: Option<String>,
    stderr: Tail,
    /// The tasks that drain its pipes. They end with the process, or are aborted when this is dropped.
    drains: JoinSet<()>,
}

/// Why there is no running server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The binary could not be run.
    #[error("cannot run {}: {source}", binary.display())]
    Spawn {
        /// The binary.
        binary: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The process ended unexpectedly, or a command of the binary failed.
    #[error("the server ended with {status}; the end of its log:\n{stderr}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error.
        stderr: String,
    },
    /// A timeout expired.
    #[error("{what} took longer than {waited:?}; the end of the server's log:\n{stderr}")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited: Duration,
        /// The end of its standard error.
        stderr: String,
    },
    /// The first line on standard output is not a valid ready line.
    #[error("{line:?} is no ready line; the end of the server's log:\n{stderr}")]
    NotReady {
        /// The line.
        line: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// The operating system failed.
    #[error("cannot watch the server's process: {0}")]
    Watch(#[from] io::Error),
}

impl ServerError {
    pub(crate) fn spawn(binary: &Path, source: io::Error) -> Self {
        Self::Spawn {
            binary: binary.to_owned(),
            source,
        }
    }
}

/// The ready line, the only line that the server writes to standard output.
#[derive(Deserialize)]
struct ReadyLine {
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    address: SocketAddr,
    #[serde(default)]
    session: Option<String>,
}

impl ServerProcess {
    /// Starts a server and waits for its ready line. An error or a cancellation leaves no process
    /// behind.
    ///
    /// The server runs in its own process group, so that an interrupt from the terminal reaches only
    /// the process that started it.
    pub async fn start(command: &ServerCommand, within: Duration) -> Result<Self, ServerError> {
        let mut child = Command::new(&command.binary)
            .args(command.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(|source| ServerError::spawn(&command.binary, source))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            session: None,
            stderr: Tail::default(),
            drains: JoinSet::new(),
        };
        server.drains.spawn(server.stderr.clone().drain(stderr));
        let ready = server.ready(stdout, within).await?;
        server.address = ready.address;
        server.session = ready.session;
        Ok(server)
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The code of the session of `ServerCommand::hunt`; none if no hunt was given.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The process id; none once the process has been reaped.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The end of its standard error so far.
    pub fn stderr_tail(&self) -> String {
        self.stderr.text()
    }

    /// Waits until the process ends by itself. Cancel-safe.
    pub async fn exited(&mut self) -> ServerError {
        match self.child.wait().await {
            Ok(status) => {
                self.drained().await;
                ServerError::Exited {
                    status,
                    stderr: self.stderr.text(),
                }
            }
            Err(error) => error.into(),
        }
    }

    /// Kills it with SIGKILL and reaps it.
    pub async fn kill(&mut self) -> Result<ExitStatus, ServerError> {
        self.child.start_kill()?;
        self.ended("the kill", KILL_WAIT_MAX).await
    }

    /// Stops all of its threads with SIGSTOP, like a virtual machine that is paused: its sockets stay
    /// open, but it does not respond. It can be killed or dropped in that state.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)
    }

    /// Continues it after a pause, with SIGCONT.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    /// Shuts it down gracefully with SIGTERM and waits until it has ended. After the timeout, returns an
    /// error and leaves the process running until it is killed or dropped.
    pub async fn terminate(&mut self, within: Duration) -> Result<ExitStatus, ServerError> {
        self.signal(Signal::TERM)?;
        self.ended("a clean stop", within).await
    }

    /// Sends SIGHUP, on which the server reloads its certificate. Does nothing if the process has ended.
    pub fn hang_up(&self) -> Result<(), ServerError> {
        self.signal(Signal::HUP)
    }

    /// Sends a signal. Does nothing if the process has ended.
    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        if let Some(pid) = self.pid() {
            rustix::process::kill_process(pid, signal).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Reads the ready line, then drains standard output.
    async fn ready(
        &mut self,
        stdout: impl AsyncRead + Unpin + Send + 'static,
        within: Duration,
    ) -> Result<Ready, ServerError> {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let reading = async {
            (&mut stdout)
                .take(READY_BYTES_MAX)
                .read_line(&mut line)
                .await
        };
        let count = match timeout(within, reading).await {
            Ok(count) => count?,
            Err(_) => return Err(self.late("the start", within)),
        };
        if count == 0 {
            return Err(match timeout(within, self.exited()).await {
                Ok(exited) => exited,
                Err(_) => self.late("the end after a failed start", within),
            });
        }
        let Ok(ReadyLine { ready }) = serde_json::from_str(&line) else {
            let stderr = self.stderr.text();
            return Err(ServerError::NotReady { line, stderr });
        };
        self.drains.spawn(Tail::default().drain(stdout));
        Ok(ready)
    }

    async fn ended(
        &mut self,
        what: &'static str,
        within: Duration,
    ) -> Result<ExitStatus, ServerError> {
        match timeout(within, self.child.wait()).await {
            Ok(status) => {
                self.drained().await;
                Ok(status?)
            }
            Err(_) => Err(self.late(what, within)),
        }
    }

    /// Waits until the last output of the ended process has been read. A child process that inherited
    /// the pipes may keep them open, so the wait has a timeout.
    async fn drained(&mut self) {
        let drained = async { while self.drains.join_next().await.is_some() {} };
        let _ = timeout(DRAIN_WAIT_MAX, drained).await;
    }

    fn late(&self, what: &'static str, waited: Duration) -> ServerError {
        ServerError::Late {
            what,
            waited,
            stderr: self.stderr.text(),
        }
    }

    /// None once the process has been reaped: the kernel may have reused the number.
    fn pid(&self) -> Option<Pid> {
        let id = i32::try_from(self.child.id()?).ok()?;
        Pid::from_raw(id)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        // Blocks for as long as the kernel takes to end a killed process. NOWAIT leaves the zombie, which
        // keeps its number from being reused until `try_wait` reaps it.
        if self.child.start_kill().is_ok() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = rustix::process::waitid(WaitId::Pid(pid), options);
            let _ = self.child.try_wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use tokio::sync::Mutex;

    use super::{ServerError, ServerProcess};
    use crate::{ServerCommand, TempDir, temporary_folder};

    const BOUND: Duration = Duration::from_secs(20);

    /// Serializes the tests. A process that another test starts while a script is being written inherits
    /// the open file for a moment, and a file that is open for writing cannot be executed (ETXTBSY).
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

    /// A shell script that plays the server.
    fn pretend_server(script: &str) -> (TempDir, ServerCommand) {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let path: PathBuf = folder.path().join("server");
        let mut file = File::create(&path).expect("the script can be created");
        write!(file, "#!/bin/sh\n{script}\n").expect("the script can be written");
        let executable = fs::Permissions::from_mode(0o755);
        file.set_permissions(executable)
            .expect("it can be made executable");
        drop(file);
        let command = ServerCommand::new(path, folder.path());
        (folder, command)
    }

    const READY: &str = r#"echo '{"ready":{"address":"127.0.0.1:4711"}}'"#;

    #[tokio::test]
    async fn a_ready_server_is_stopped_and_leaves_nothing() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let script = format!("{READY}; exec sleep 1000");
        let (_folder, command) = pretend_server(&script);
        let server = ServerProcess::start(&command, BOUND)
            .await
            .expect("it starts");
        assert_eq!(server.address().port(), 4711);
        let process = format!("/proc/{}", server.id().expect("it runs"));
        assert!(fs::exists(&process).expect("the process table can be read"));
        drop(server);
        assert!(!fs::exists(&process).expect("the process table can be read"));

        let mut server = ServerProcess::start(&command, BOUND)
            .await
            .expect("it starts");
        let status = server.terminate(BOUND).await.expect("it stops");
        assert!(!status.success(), "a signal ended it");
    }

    #[tokio::test]
    async fn a_failed_start_shows_the_end_of_the_log() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let (_folder, command) = pretend_server("echo 'no such journal' >&2; exit 3");
        let error = ServerProcess::start(&command, BOUND)
            .await
            .expect_err("it fails");
        let ServerError::Exited { status, stderr } = error else {
            panic!("{error}");
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!(stderr, "no such journal\n");
    }

    #[tokio::test]
    async fn a_server_that_is_never_ready_is_given_up() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let (_folder, command) = pretend_server("exec sleep 1000");
        let within = Duration::from_millis(50);
        let error = ServerProcess::start(&command, within)
            .await
            .expect_err("it fails");
        assert!(matches!(error, ServerError::Late { .. }), "{error}");
    }
}
