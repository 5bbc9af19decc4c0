//! The data folder and its files: accessible by the user of the process only, because they hold codes that
//! admit players.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder and its missing parents with mode 0700. An existing folder stays as it is.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file for writing, and creates it with mode 0600 if it is missing.
pub fn open_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{make_private_folder, open_private_file};

    #[test]
    fn created_files_are_private() {
        let above = tempfile::tempdir().expect("a temporary folder");
        let folder = above.path().join("data");
        make_private_folder(&folder).expect("it is created");
        let file = folder.join("journal");
        open_private_file(&file).expect("it is created");
        for (path, expected) in [(&folder, 0o700), (&file, 0o600)] {
            let mode = path.metadata().expect("it exists").permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
    }
}
