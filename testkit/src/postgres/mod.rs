//! A private PostgreSQL server in a temporary folder, on a free port, with synchronous commits. It can be
//! killed, frozen, stopped and started again.
//!
//! As root it runs as another user, because PostgreSQL refuses to run as root. Processes, shared memory and
//! files are removed when the owning value is dropped or its process ends (`guardian`). The cluster is a
//! copy of a template that each process creates once, because `initdb` takes a second.
//!
//! Never here: SQL, or knowledge of what is stored.

mod binaries;
mod disk;
mod guardian;
mod processes;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::free_port;
use binaries::Binaries;
pub use disk::SmallDisk;
use guardian::Guardian;

/// The only role: a superuser without a password.
pub const POSTGRES_ROLE: &str = "cluecast";
/// The initial database of every cluster.
pub const POSTGRES_DATABASE: &str = "postgres";

/// Timeout of a start, including recovery after a kill.
const START_WAIT_MAX: Duration = Duration::from_mins(1);
/// Timeout of a stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// Polling interval for a server that starts or stops.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Maximum number of ports to try: another process may bind a free port before the server does.
const PORT_TRIES_MAX: u32 = 4;
/// Maximum number of bytes from the end of the log that an error contains.
const LOG_BYTES_SHOWN: usize = 8 * 1024;

/// The template cluster, created when the first server starts.
static TEMPLATE: LazyLock<Mutex<Option<Guardian>>> = LazyLock::new(|| Mutex::new(None));

/// Options of a server.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Settings that differ from the defaults, such as `("synchronous_commit", "off")`.
    pub settings: Vec<(String, String)>,
    /// Folder of the write-ahead log, if it must be on another disk than the data. Created if missing.
    pub wal_folder: Option<PathBuf>,
}

/// A PostgreSQL server. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Postgres {
    /// `None` once it has been reaped.
    postmaster: Option<Child>,
    guardian: Guardian,
    binaries: Binaries,
    settings: Vec<(String, String)>,
    port: u16,
}

/// Why there is no running server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// PostgreSQL's programs were not found.
    #[error("no initdb and postgres found; install PostgreSQL 15 or later (Debian: postgresql)")]
    NotInstalled,
    /// The process runs as root, and the system has no suitable unprivileged user.
    #[error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")]
    NoUser,
    /// A program failed.
    #[error("{program} ended with {status}: {output}")]
    Failed {
        /// The program's name.
        program: &'static str,
        /// Its exit status.
        status: ExitStatus,
        /// Its standard error.
        output: String,
    },
    /// The server ended unexpectedly.
    #[error("the server ended with {status}; the end of its log:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A timeout expired.
    #[error("{what} took longer than {waited:?}; the end of the server's log:\n{log}")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// The server is not running.
    #[error("the server does not run; start it again first")]
    NotRunning,
    /// The operating system failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Postgres {
    /// Starts a server and waits until it accepts connections. An error or a cancellation leaves nothing
    /// behind.
    pub async fn start(options: &PostgresOptions) -> Result<Self, PostgresError> {
        let binaries = Binaries::find()?;
        let guardian = Guardian::of_new_folder()?;
        binaries.hand_over(guardian.folder())?;
        copy_template(&binaries, guardian.folder()).await?;
        let mut server = Self {
            postmaster: None,
            guardian,
            binaries,
            settings: options.settings.clone(),
            port: 0,
        };
        if let Some(wal_folder) = &options.wal_folder {
            server.move_wal(wal_folder)?;
        }
        let mut tries = 1;
        loop {
            server.port = free_port()?;
            match server.restart().await {
                Err(PostgresError::Exited { log, .. })
                    if log.contains("could not bind") && tries < PORT_TRIES_MAX =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
    }

    /// The URL of the initial database.
    pub fn url(&self) -> String {
        self.database_url(POSTGRES_DATABASE)
    }

    /// The URL of a database.
    pub fn database_url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{POSTGRES_ROLE}@127.0.0.1:{port}/{database}")
    }

    /// The port on the loopback interface; restarts keep it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the cluster.
    pub fn data_folder(&self) -> PathBuf {
        self.guardian.folder().join("data")
    }

    /// The postmaster's process id, if it was started and has not been reaped.
    pub fn id(&self) -> Option<u32> {
        self.postmaster.as_ref().map(Child::id)
    }

    /// Whether it is running. A server whose disk is full ends by itself.
    pub fn is_running(&mut self) -> io::Result<bool> {
        match &mut self.postmaster {
            Some(postmaster) => Ok(postmaster.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        let from = bytes.len().saturating_sub(LOG_BYTES_SHOWN);
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    /// Adds a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it on the same port and data, unless it is running, and waits until it accepts connections.
    pub async fn restart(&mut self) -> Result<(), PostgresError> {
        if self.is_running()? {
            return Ok(());
        }
        let log = File::create(self.log_file())?;
        let mut command = self.binaries.command("postgres");
        command.arg("-D").arg(self.data_folder());
        command.args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // Files in the data folder, which are removed with it.
            "dynamic_shared_memory_type=mmap",
        ] {
            command.args(["-c", setting]);
        }
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.postmaster = Some(command.stderr(log).spawn()?);
        self.ready().await
    }

    /// Stops it with SIGINT (fast shutdown): connections are closed, and everything is flushed.
    pub async fn stop(&mut self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        processes::signal(id, Signal::INT)?;
        self.collect().await
    }

    /// Kills all of its processes at once with SIGKILL, like a crash of the machine, except that written
    /// data survives without `fsync`, because the operating system keeps running.
    pub async fn kill(&mut self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        let children = processes::stop_postmaster(id).await?;
        for child in &children {
            processes::signal(*child, Signal::KILL)?;
        }
        processes::signal(id, Signal::KILL)?;
        self.collect().await?;
        for child in children {
            processes::wait_for_end(child).await?;
        }
        Ok(())
    }

    /// Freezes all of its processes with SIGSTOP: connections stay open, but it does not respond.
    pub async fn freeze(&self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        for child in processes::stop_postmaster(id).await? {
            processes::signal(child, Signal::STOP)?;
        }
        Ok(())
    }

    /// Continues a frozen server.
    pub fn thaw(&self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        Ok(processes::continue_all(id)?)
    }

    /// Waits until the lock file has the status `ready`: the server accepts connections.
    async fn ready(&mut self) -> Result<(), PostgresError> {
        let began = Instant::now();
        let id = self.id().unwrap_or_default().to_string();
        let lock = self.data_folder().join("postmaster.pid");
        loop {
            if let Some(postmaster) = &mut self.postmaster
                && let Some(status) = postmaster.try_wait()?
            {
                self.postmaster = None;
                let log = self.log();
                return Err(PostgresError::Exited { status, log });
            }
            let text = fs::read_to_string(&lock).unwrap_or_default();
            let mut lines = text.lines();
            let is_own = lines.next() == Some(&id);
            if is_own && lines.nth(6).map(str::trim) == Some("ready") {
                return Ok(());
            }
            self.look_again(began, "the start", START_WAIT_MAX).await?;
        }
    }

    /// Waits until the postmaster has ended, and reaps it.
    async fn collect(&mut self) -> Result<(), PostgresError> {
        let began = Instant::now();
        while self.is_running()? {
            self.look_again(began, "the stop", STOP_WAIT_MAX).await?;
        }
        self.postmaster = None;
        Ok(())
    }

    async fn look_again(
        &self,
        began: Instant,
        what: &'static str,
        waited: Duration,
    ) -> Result<(), PostgresError> {
        if began.elapsed() > waited {
            let log = self.log();
            return Err(PostgresError::Late { what, waited, log });
        }
        sleep(LOOK_EVERY).await;
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.guardian.folder().join("log")
    }

    /// Moves the write-ahead log to another folder and leaves a symbolic link.
    fn move_wal(&self, to: &Path) -> Result<(), PostgresError> {
        let from = self.data_folder().join("pg_wal");
        fs::create_dir_all(to)?;
        run(
            "cp",
            std::process::Command::new("cp")
                .arg("-a")
                .arg(from.join("."))
                .arg(to),
        )?;
        self.binaries.hand_over(to)?;
        fs::remove_dir_all(&from)?;
        std::os::unix::fs::symlink(to, &from)?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The guardian would end the server too, but only the parent can reap the process.
        if let Some(postmaster) = &mut self.postmaster {
            let _ = processes::continue_all(postmaster.id());
            let _ = processes::signal(postmaster.id(), Signal::QUIT);
            let _ = postmaster.wait();
        }
    }
}

/// Copies the template cluster into a folder. The first call creates the template.
async fn copy_template(binaries: &Binaries, folder: &Path) -> Result<(), PostgresError> {
    let mut template = TEMPLATE.lock().await;
    let from = match &*template {
        Some(made) => made.folder().join("data"),
        None => template
            .insert(make_template(binaries)?)
            .folder()
            .join("data"),
    };
    run(
        "cp",
        std::process::Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(folder),
    )
}

fn make_template(binaries: &Binaries) -> Result<Guardian, PostgresError> {
    let guardian = Guardian::of_new_folder()?;
    binaries.hand_over(guardian.folder())?;
    let mut initdb = binaries.command("initdb");
    initdb.arg("-D").arg(guardian.folder().join("data"));
    initdb.args(["-U", POSTGRES_ROLE, "-A", "trust", "-E", "UTF8"]);
    // The template needs no fsync, because it need not survive a crash. The server's own writes have it.
    initdb.args(["--no-locale", "--no-sync", "--no-instructions"]);
    run("initdb", &mut initdb)?;
    Ok(guardian)
}

/// Runs a program until it ends. A failure status is an error.
fn run(program: &'static str, command: &mut std::process::Command) -> Result<(), PostgresError> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::Failed {
        program,
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::{Postgres, PostgresError, PostgresOptions, processes};

    async fn start() -> Postgres {
        let started = Postgres::start(&PostgresOptions::default()).await;
        started.expect("PostgreSQL is installed")
    }

    /// Sends an `SSLRequest` and returns the server's one-byte answer.
    async fn asks_for_tls(server: &Postgres) -> io::Result<u8> {
        ask_for_tls(server).await?.read_u8().await
    }

    async fn ask_for_tls(server: &Postgres) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).await?;
        socket.write_all(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]).await?;
        Ok(socket)
    }

    #[tokio::test]
    async fn a_server_answers_and_leaves_nothing() {
        let server = start().await;
        assert_eq!(asks_for_tls(&server).await.expect("it answers"), b'N');
        let process = format!("/proc/{}", server.id().expect("it runs"));
        let folder = server.data_folder();
        assert!(Path::new(&process).exists() && folder.exists());
        drop(server);
        assert!(!Path::new(&process).exists() && !folder.exists());
    }

    #[tokio::test]
    async fn a_killed_server_starts_again_on_its_port() {
        let mut server = start().await;
        let port = server.port();
        server.kill().await.expect("it dies");
        assert!(asks_for_tls(&server).await.is_err());
        assert!(matches!(
            server.kill().await,
            Err(PostgresError::NotRunning)
        ));
        server.restart().await.expect("it recovers");
        assert_eq!(server.port(), port);
        assert_eq!(asks_for_tls(&server).await.expect("it answers"), b'N');
        server.stop().await.expect("it stops");
        assert!(!server.is_running().expect("its process can be looked at"));
    }

    #[tokio::test]
    async fn a_thawed_server_answers_what_was_sent_while_it_was_frozen() {
        let server = start().await;
        server.freeze().await.expect("it freezes");
        let mut socket = ask_for_tls(&server).await.expect("the kernel accepts it");
        let early = socket.try_read(&mut [0]).expect_err("no answer yet");
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
        server.thaw().expect("it thaws");
        assert_eq!(socket.read_u8().await.expect("it answers"), b'N');
    }

    #[tokio::test]
    async fn dropping_a_frozen_server_ends_it() {
        let server = start().await;
        server.freeze().await.expect("it freezes");
        let folder = server.data_folder();
        drop(server);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_server_ends_when_the_process_that_owns_it_dies() {
        let mut server = start().await;
        let id = server.id().expect("it runs");
        // The operating system closes the pipe of a process that dies.
        server.guardian.let_go();
        processes::wait_for_end(id).await.expect("it ends");
        server.guardian.wait();
        assert!(!server.data_folder().exists());
    }

    #[tokio::test]
    async fn an_invalid_setting_is_reported_with_the_log() {
        let options = PostgresOptions {
            settings: vec![("fsync".to_owned(), "perhaps".to_owned())],
            ..PostgresOptions::default()
        };
        let failed = Postgres::start(&options).await.map(drop);
        let Err(PostgresError::Exited { log, .. }) = &failed else {
            panic!("{failed:?}");
        };
        assert!(log.contains("fsync"), "{log}");
    }

    #[tokio::test]
    async fn the_write_ahead_log_can_be_in_another_folder() {
        let folder = crate::temporary_folder().expect("a temporary folder");
        // The server may run as another user, who must be able to enter the folder.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("it is ours");
        let options = PostgresOptions {
            wal_folder: Some(folder.path().join("wal")),
            ..PostgresOptions::default()
        };
        let server = Postgres::start(&options).await.expect("it starts");
        assert_eq!(asks_for_tls(&server).await.expect("it answers"), b'N');
        let segments = std::fs::read_dir(folder.path().join("wal"));
        assert!(segments.expect("it is there").count() > 0);
    }
}
