//! Output and logs that cannot be written: a broken pipe, or a full disk.

use std::fs::OpenOptions;
use std::io::pipe;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use testkit::app::http::Request;
use testkit::temporary_folder;

use crate::secrets::ready_line;
use crate::stops::stop;

fn cluecast() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluecast"));
    command.env_clear();
    command
}

/// A pipe whose reader is closed.
fn broken_pipe() -> Stdio {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_command_whose_output_is_cut_short_ends_quietly() {
    let mut command = cluecast();
    let printed = command
        .args(["config", "show"])
        .stdout(broken_pipe())
        .output();
    let printed = printed.expect("the binary runs");
    assert!(printed.status.success(), "{}", printed.status);
    assert_eq!(String::from_utf8_lossy(&printed.stderr), "");
}

#[test]
fn a_command_that_cannot_print_reports_it() {
    let full = OpenOptions::new().write(true).open("/dev/full");
    let full = full.expect("the system has a full disk");
    let mut command = cluecast();
    let printed = command.args(["config", "check"]).stdout(full).output();
    let printed = printed.expect("the binary runs");
    assert_eq!(printed.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&printed.stderr);
    assert!(
        stderr.starts_with("cannot write to standard output: "),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_server_survives_a_log_that_cannot_be_written() {
    let folder = temporary_folder().expect("a temporary folder");
    let mut server = tokio::process::Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args([
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "telemetry.log=trace",
        ])
        .arg("--data-dir")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(broken_pipe())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    let ready = ready_line(&mut server).await;
    let address = ready["address"].as_str().expect("text");
    let address: SocketAddr = address.parse().expect("an address");
    for _ in 0..3 {
        assert_eq!(
            Request::get("/health/ready").send(address).await.status,
            200
        );
    }
    let status = stop(server).await;
    assert!(status.success(), "{status}");
}
