//! The data folder and what is in it: for its owner alone, since it holds codes that let others play.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder and those above it that are missing; one that is there stays as it is.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file for writing; one that is missing is made.
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
    fn what_is_made_is_for_its_owner_alone() {
        let above = tempfile::tempdir().expect("a temporary folder");
        let folder = above.path().join("data");
        make_private_folder(&folder).expect("it is made");
        let file = folder.join("journal");
        open_private_file(&file).expect("it is made");
        for (path, expected) in [(&folder, 0o700), (&file, 0o600)] {
            let mode = path.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
    }
}
