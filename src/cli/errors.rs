//! Errors of commands and of a server.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigMistake;
use crate::gateway::{KeyError, TlsError};
use crate::journal::JournalError;
use crate::session::OpenError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("{}", join_lines(.0))]
    Settings(Vec<ConfigMistake>),
    #[error("{path}: {reason}", path = path.display())]
    File {
        path: PathBuf,
        reason: std::io::Error,
    },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the hunt in {path} has mistakes; `cluecast hunt check {path}` lists them", path = .0.display())]
    Hunt(PathBuf),
    #[error("{0}")]
    Failed(String),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
    /// The command has printed its findings already.
    #[error("mistakes were found")]
    Reported,
}

fn join_lines(mistakes: &[ConfigMistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Why a server did not start, or must exit.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A session could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The token key could not be read or created.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate or its key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port for clients could not be bound.
    #[error("cannot listen on {address}: {reason}; set server.listen to another address")]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// The port for other nodes could not be bound.
    #[error("cannot listen on {address}: {reason}; set cluster.listen to another address")]
    BindNodes {
        /// The configured address.
        address: SocketAddr,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// The node could not join the cluster.
    #[error("cannot join the cluster: {0}")]
    Join(String),
    /// The journal was unreachable for too long, during startup or later.
    #[error(
        "the journal was unreachable for longer than cluster.exit_after_ms; restart the server when the \
         journal is reachable"
    )]
    Lost,
    /// A task that must run as long as the server has ended, during startup or later.
    #[error("the task `{0}` failed, which is a bug; see the log, and restart the server")]
    TaskEnded(&'static str),
}
