//! The location of PostgreSQL's programs and the user as whom they run.

use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;

/// Folders in which distributions install the programs of each version: the parts of the path before and
/// after the version.
const VERSIONED_FOLDERS: [(&str, &str); 2] =
    [("/usr/lib/postgresql", "bin"), ("/usr/local", "bin")];
/// Users to run as when the process runs as root, which PostgreSQL refuses.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A user and group by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

/// How to run PostgreSQL's programs.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    folder: PathBuf,
    /// None unless the process runs as root.
    user: Option<User>,
}

impl Binaries {
    pub(super) fn find() -> Result<Self, PostgresError> {
        let folder = folder().ok_or(PostgresError::NotInstalled)?;
        let user = if rustix::process::geteuid().is_root() {
            Some(unprivileged_user().ok_or(PostgresError::NoUser)?)
        } else {
            None
        };
        Ok(Self { folder, user })
    }

    /// A command that runs one of the programs as that user, without this process's environment.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.env_clear().env("LC_ALL", "C").process_group(0);
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Changes the owner of a file or folder to the user as whom the programs run.
    pub(super) fn hand_over(&self, path: &Path) -> io::Result<()> {
        match self.user {
            Some(User { uid, gid }) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}

/// The folder of the programs: from `pg_config`, else from the path, else of the newest version.
fn folder() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|folder| has_programs(folder));
    asked_of_pg_config()
        .into_iter()
        .chain(on_path)
        .chain(versioned_folders())
        .next()
}

fn asked_of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    has_programs(&folder).then_some(folder)
}

fn versioned_folders() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (base, last) in VERSIONED_FOLDERS {
        let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let version = name.to_string_lossy().trim_start_matches("pgsql-").parse();
            let folder = entry.path().join(last);
            if let Ok(version) = version
                && has_programs(&folder)
            {
                found.push((version, folder));
            }
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// Whether a folder contains the server's programs: some contain only the clients.
fn has_programs(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn unprivileged_user() -> Option<User> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    USERS.iter().find_map(|wanted| user_of(&accounts, wanted))
}

fn user_of(accounts: &str, wanted: &str) -> Option<User> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(wanted) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::{User, user_of};

    #[test]
    fn users_are_found_by_their_whole_name() {
        let accounts =
            "root:x:0:0::/:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:a,b:/:/bin/sh\n";
        let expected = User { uid: 101, gid: 104 };
        assert_eq!(user_of(accounts, "postgres"), Some(expected));
        assert_eq!(user_of(accounts, "nobody"), None);
    }
}
