//! A PostgreSQL server of one's own: in a temporary folder, on a free port, with everything
//! synchronous, and able to be killed, frozen, stopped and started again.
//!
//! It runs as another user if we are root, because PostgreSQL refuses root. Processes, shared memory
//! and files go with the value that owns them, or with the process that does (`guardian`). The
//! cluster is a copy of one that is made once a process, because making one takes a second.
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

/// The only role; it may do everything, and needs no password.
pub const POSTGRES_ROLE: &str = "cluecast";
/// The database that every cluster begins with.
pub const POSTGRES_DATABASE: &str = "postgres";

/// How long a start may take, recovery after a kill included.
const START_WAIT_MAX: Duration = Duration::from_mins(1);
/// How long a stop may take.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// Time between two looks at a server that starts or stops.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A free port may be lost to another process before the server has it; then another is tried.
const PORT_TRIES_MAX: u32 = 4;
/// How much of the end of the log an error shows.
const LOG_BYTES_SHOWN: usize = 8 * 1024;

/// The cluster that is copied; made when the first server starts.
static TEMPLATE: LazyLock<Mutex<Option<Guardian>>> = LazyLock::new(|| Mutex::new(None));

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Settings beside the defaults, as `("synchronous_commit", "off")`.
    pub settings: Vec<(String, String)>,
    /// A folder to hold the write-ahead log, if it should be on another disk than the data. It is made if
    /// it is missing.
    pub wal_folder: Option<PathBuf>,
}

/// A PostgreSQL server. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Postgres {
    /// `None` after it has ended and was collected.
    postmaster: Option<Child>,
    guardian: Guardian,
    binaries: Binaries,
    settings: Vec<(String, String)>,
    port: u16,
}

/// Why there is no running server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Its programs are not there.
    #[error("no initdb and postgres found; install PostgreSQL 15 or later (Debian: postgresql)")]
    NotInstalled,
    /// We are root, and there is nobody else to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")]
    NoUser,
    /// A program failed.
    #[error("{program} ended with {status}: {output}")]
    Failed {
        /// Which.
        program: &'static str,
        /// How.
        status: ExitStatus,
        /// What it wrote.
        output: String,
    },
    /// The server ended, though it should run.
    #[error("the server ended with {status}; the end of its log:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Something took longer than it may.
    #[error("{what} took longer than {waited:?}; the end of the server's log:\n{log}")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// It does not run now.
    #[error("the server does not run; start it again first")]
    NotRunning,
    /// The operating system failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Postgres {
    /// Starts a server and waits until it takes connections. Nothing is left behind on an error, nor
    /// when this is cancelled.
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

    /// Where clients connect to.
    pub fn url(&self) -> String {
        self.database_url(POSTGRES_DATABASE)
    }

    /// Where clients connect to for one of its databases.
    pub fn database_url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{POSTGRES_ROLE}@127.0.0.1:{port}/{database}")
    }

    /// The port on the loopback interface; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the cluster.
    pub fn data_folder(&self) -> PathBuf {
        self.guardian.folder().join("data")
    }

    /// The postmaster's process id, if it was started and has not been collected.
    pub fn id(&self) -> Option<u32> {
        self.postmaster.as_ref().map(Child::id)
    }

    /// Whether it runs: a server whose disk is full ends by itself.
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

    /// Adds a setting that the next start uses.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it, on the same port and data, if it does not run, and waits until it takes connections.
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
            // Files in the data folder, which go with it.
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

    /// Stops it as an operator does, with SIGINT: connections are cut, and everything is flushed.
    pub async fn stop(&mut self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        processes::signal(id, Signal::INT)?;
        self.collect().await
    }

    /// Kills all of its processes at once with SIGKILL, as a crash of the machine would (though what
    /// was written and not synchronised stays, because the operating system goes on).
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

    /// Freezes all of its processes with SIGSTOP: connections stay open, and nothing answers.
    pub async fn freeze(&self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        for child in processes::stop_postmaster(id).await? {
            processes::signal(child, Signal::STOP)?;
        }
        Ok(())
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) -> Result<(), PostgresError> {
        let id = self.id().ok_or(PostgresError::NotRunning)?;
        Ok(processes::continue_all(id)?)
    }

    /// Waits until the server takes connections: it writes so into its lock file.
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

    /// Waits for the postmaster's end.
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

    /// Puts the write-ahead log elsewhere.
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
        // The guardian would end the server too, but only its parent can collect the process.
        if let Some(postmaster) = &mut self.postmaster {
            let _ = processes::continue_all(postmaster.id());
            let _ = processes::signal(postmaster.id(), Signal::QUIT);
            let _ = postmaster.wait();
        }
    }
}

/// Copies the template's cluster into a folder; makes it first if this is the first time.
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
    // Nothing is synchronised yet, because nothing of it need survive; the server's own writes are.
    initdb.args(["--no-locale", "--no-sync", "--no-instructions"]);
    run("initdb", &mut initdb)?;
    Ok(guardian)
}

/// Runs a program to its end.
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

    /// Asks for TLS, which every server answers with one letter before anything else.
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
    async fn a_frozen_server_goes_on_where_it_stood() {
        let server = start().await;
        server.freeze().await.expect("it freezes");
        let mut socket = ask_for_tls(&server).await.expect("the system takes it");
        let early = socket.try_read(&mut [0]).expect_err("nobody answers");
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
        server.thaw().expect("it thaws");
        assert_eq!(socket.read_u8().await.expect("it answers"), b'N');
    }

    #[tokio::test]
    async fn a_frozen_server_ends_too() {
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
        // The system closes the pipe of a process that dies.
        server.guardian.let_go();
        processes::wait_for_end(id).await.expect("it ends");
        server.guardian.wait();
        assert!(!server.data_folder().exists());
    }

    #[tokio::test]
    async fn a_setting_that_is_wrong_shows_the_log() {
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
    async fn the_log_of_changes_can_be_elsewhere() {
        let folder = crate::temporary_folder().expect("a temporary folder");
        // Everybody may pass, because the server runs as somebody else.
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
