//! The journal's folder, which belongs to one process at a time.

use std::fs::File;
use std::path::Path;

use super::super::files::{make_private_folder, open_private_file};

/// The database's name within its folder.
pub const DATABASE_FILE: &str = "journal.sqlite";
const LOCK_FILE: &str = "journal.lock";

/// The lock lasts as long as the file is open.
pub(super) fn lock_folder(folder: &Path) -> Result<File, String> {
    let described = |error: std::io::Error| format!("{}: {error}", folder.display());
    make_private_folder(folder).map_err(described)?;
    let file = open_private_file(&folder.join(LOCK_FILE)).map_err(described)?;
    // SQLite gives its other files the rights of this one.
    open_private_file(&folder.join(DATABASE_FILE)).map_err(described)?;
    file.try_lock().map_err(|_| {
        let folder = folder.display();
        format!("{folder} is in use by another server; stop it or choose another folder")
    })?;
    Ok(file)
}
