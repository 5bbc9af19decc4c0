//! How the server's binary is found and called.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::ServerError;

/// Timeout for commands other than `serve`.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(30);

/// Arguments of a `serve` command.
#[derive(Debug, Clone)]
pub struct ServerCommand {
    /// The server's binary.
    pub binary: PathBuf,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// The address to listen on; with port 0 the system chooses one at every start.
    pub listen: String,
    /// Settings as `section.key=value`.
    pub settings: Vec<String>,
    /// The folder of a hunt to run at once.
    pub hunt: Option<PathBuf>,
}

impl ServerCommand {
    /// A server on a port that the system chooses, with the default settings.
    pub fn new(binary: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            data_dir: data_dir.into(),
            listen: "127.0.0.1:0".to_owned(),
            settings: Vec::new(),
            hunt: None,
        }
    }

    /// The arguments after the binary's name.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--json".into()];
        arguments.extend(["--listen".into(), self.listen.clone().into()]);
        arguments.extend(["--data-dir".into(), self.data_dir.clone().into()]);
        for setting in &self.settings {
            arguments.extend(["--set".into(), setting.clone().into()]);
        }
        if let Some(hunt) = &self.hunt {
            arguments.extend(["--hunt".into(), hunt.clone().into()]);
        }
        arguments
    }
}

/// Finds the binary with this name in the build directory of the running one. A test's own binary is one
/// folder deeper than the others.
pub fn find_binary(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Returns an admin token for the servers of this data folder. Creates the token key if it is missing.
pub async fn admin_token(binary: &Path, data_dir: &Path) -> Result<String, ServerError> {
    admin_token_with(binary, data_dir, &[]).await
}

/// Like [`admin_token`], with settings, which may name another key.
pub async fn admin_token_with(
    binary: &Path,
    data_dir: &Path,
    settings: &[String],
) -> Result<String, ServerError> {
    let arguments = [OsStr::new("token"), OsStr::new("admin")];
    let folder = [OsStr::new("--data-dir"), data_dir.as_os_str()];
    let arguments = arguments.into_iter().chain(folder);
    let output = run(binary, arguments, settings, "`token admin`").await?;
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if token.is_empty() {
        return Err(exited(&output));
    }
    Ok(token)
}

/// Migrates the schema of the database that these settings name.
pub async fn migrate(binary: &Path, settings: &[String]) -> Result<(), ServerError> {
    let arguments = [OsStr::new("migrate")];
    run(binary, arguments, settings, "`migrate`")
        .await
        .map(drop)
}

/// Runs a command of the server's binary until it ends. A failure status is an error.
async fn run(
    binary: &Path,
    arguments: impl IntoIterator<Item = &OsStr>,
    settings: &[String],
    what: &'static str,
) -> Result<Output, ServerError> {
    let output = Command::new(binary)
        .args(arguments)
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(COMMAND_WAIT_MAX, output)
        .await
        .map_err(|_| ServerError::Late {
            what,
            waited: COMMAND_WAIT_MAX,
            stderr: String::new(),
        })?
        .map_err(|source| ServerError::spawn(binary, source))?;
    if !output.status.success() {
        return Err(exited(&output));
    }
    Ok(output)
}

fn exited(output: &Output) -> ServerError {
    ServerError::Exited {
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
