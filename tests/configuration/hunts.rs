//! `cluecast hunt check` on unusable folders.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use testkit::temporary_folder;

/// The error for a folder that is refused.
fn refusal(folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluecast"));
    let printed = command.args(["hunt", "check"]).arg(folder).output();
    let printed = printed.expect("the binary runs");
    assert_eq!(printed.status.code(), Some(1));
    String::from_utf8(printed.stderr).expect("it is text")
}

#[test]
fn a_file_instead_of_a_directory_is_refused() {
    let folder = temporary_folder().expect("a temporary folder");
    let file = folder.path().join("hunt.toml");
    std::fs::write(&file, "[hunt]").expect("written");
    let told = refusal(&file);
    assert!(told.contains("is a file; give the directory"), "{told}");
}

#[test]
fn a_text_that_is_not_utf_8_is_refused_with_its_line() {
    let folder = temporary_folder().expect("a temporary folder");
    std::fs::write(folder.path().join("body.md"), b"first\nsecond \xff").expect("written");
    let told = refusal(folder.path());
    assert!(
        told.contains("body.md is not valid UTF-8 in line 2"),
        "{told}"
    );
}

#[test]
fn nothing_is_read_that_lies_elsewhere() {
    let folder = temporary_folder().expect("a temporary folder");
    let elsewhere = temporary_folder().expect("a temporary folder");
    let secret = elsewhere.path().join("secret.md");
    std::fs::write(&secret, "the answer").expect("written");
    symlink(&secret, folder.path().join("body.md")).expect("a link");
    let told = refusal(folder.path());
    assert!(
        told.contains("body.md is a link out of the hunt's directory"),
        "{told}"
    );
}
