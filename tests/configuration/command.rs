//! `cluecast config`, run as a program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use testkit::{TempDir, temporary_folder};

fn folder() -> TempDir {
    temporary_folder().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

struct Config {
    command: Command,
}

/// Exit status, standard output and standard error.
struct Printed {
    code: Option<i32>,
    out: String,
    err: String,
}

fn config(subcommand: &str) -> Config {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluecast"));
    command.env_clear().args(["config", subcommand]);
    Config { command }
}

impl Config {
    fn file(mut self, path: &Path) -> Self {
        self.command.arg("--config").arg(path);
        self
    }

    fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn run(mut self) -> Printed {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command.output().expect("the binary runs");
        Printed {
            code: status.code(),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

#[test]
fn good_settings_have_status_0() {
    let folder = folder();
    let file = write(&folder, "good.toml", "[session]\nmailbox_max = 100\n");
    let printed = config("check").file(&file).run();
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert_eq!(printed.out, "The settings are valid.\n");
    let printed = config("check").file(&file).arguments(&["--json"]).run();
    let json: Value = serde_json::from_str(&printed.out).expect("it is JSON");
    assert_eq!(json, serde_json::json!({ "mistakes": [] }));
}

#[test]
fn all_mistakes_of_all_layers_are_reported_at_once_with_status_1() {
    let folder = folder();
    let one = "[session]\nmailbox_max = 1\nturn_requests_max = \"many\"\n[gateway]\nvenue = []\n";
    let one = write(&folder, "one.toml", one);
    let two = write(&folder, "two.toml", "[session]\nmailbox_max = 100\nx\n");
    let latin = write(&folder, "latin.toml", b"[server]\n# caf\xe9\n");
    let missing = folder.path().join("missing.toml");
    let files = || {
        let config = config("check")
            .file(&one)
            .file(&two)
            .file(&latin)
            .file(&missing);
        config
            .arguments(&["--set", "limits.commands_burst=0", "--set", "nonsense"])
            .variable("CLUECAST_DELIVERY__HEADS_EVERY_MS", "soon")
            .variable("CLUECAST_TYPO", "1")
    };
    let printed = files().run();
    assert_eq!(printed.code, Some(1));
    let (one, two) = (one.display(), two.display());
    let expected = [
        format!("{latin}:2: the file is not UTF-8", latin = latin.display()),
        format!("{missing}: cannot be read", missing = missing.display()),
        // Also of a value that a later file overrides.
        format!("{one}:2: session.mailbox_max: 1 is out of range, 16 to 100000"),
        format!("{one}:3: session.turn_requests_max: expected an integer, not a string"),
        format!("{one}:5: gateway.venue: unknown key; did you mean gateway.venues?"),
        format!("{two}:3: "),
        "CLUECAST_DELIVERY__HEADS_EVERY_MS: delivery.heads_every_ms: expected an integer"
            .to_owned(),
        "CLUECAST_TYPO: typo: unknown key".to_owned(),
        "--set: `nonsense` is not of the form section.key=value".to_owned(),
        "--set: limits.commands_burst: 0 is out of range, 1 to 1000000".to_owned(),
        "10 mistakes".to_owned(),
    ];
    let lines: Vec<&str> = printed.err.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{}", printed.err);
    for begin in &expected {
        let told = lines.iter().filter(|line| line.starts_with(begin)).count();
        assert_eq!(told, 1, "{begin}\nmust be once in\n{}", printed.err);
    }

    let printed = files().arguments(&["--json"]).run();
    assert_eq!(printed.code, Some(1));
    let json: Value = serde_json::from_str(&printed.out).expect("it is JSON");
    let mistakes = json["mistakes"].as_array().expect("a list");
    assert_eq!(mistakes.len(), 10);
    let of_one = &mistakes
        .iter()
        .find(|mistake| mistake["key"] == "gateway.venue");
    let of_one = of_one.expect("it is there");
    assert_eq!(of_one["origin"], format!("{one}:5"));
    assert_eq!(
        of_one["message"],
        "unknown key; did you mean gateway.venues?"
    );
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let folder = folder();
    let file = "[session]\nmailbox_max = 100\n[gateway]\nvenues = [\"10.0.0.0/8\"]\n";
    let file = write(&folder, "site.toml", file);
    let show = || {
        config("show")
            .file(&file)
            .arguments(&["--set", "telemetry.log=warn"])
            .variable(
                "CLUECAST_GATEWAY__VENUES",
                "[\"10.1.0.0/16\", \"2001:db8::/32\"]",
            )
            .variable("CLUECAST_ADMIN_TOKEN", "is no setting")
    };
    let printed = show().arguments(&["--origin"]).run();
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    let origin_of = |key: &str| {
        let mut lines = printed.out.lines();
        let line = lines.find(|line| line.starts_with(&format!("{key} = ")));
        let line = line.unwrap_or_else(|| panic!("{key} is not in {}", printed.out));
        let (value, origin) = line.split_once(" # ").expect("an origin");
        (value.trim().to_owned(), origin.to_owned())
    };
    let file_line = format!("{}:2", file.display());
    let expected = [
        ("session.mailbox_max", "100", file_line.as_str()),
        ("telemetry.log", "\"warn\"", "--set"),
        ("limits.commands_burst", "40", "built-in default"),
        (
            "gateway.venues",
            "[\"10.1.0.0/16\", \"2001:db8::/32\"]",
            "CLUECAST_GATEWAY__VENUES",
        ),
    ];
    for (key, value, origin) in expected {
        let shown = (format!("{key} = {value}"), origin.to_owned());
        assert_eq!(origin_of(key), shown);
    }

    let printed = show().run();
    assert!(
        printed.out.contains("session.mailbox_max = 100\n"),
        "{}",
        printed.out
    );
    assert!(!printed.out.contains('#'), "no origins: {}", printed.out);

    let printed = show().arguments(&["--json"]).run();
    let json: Value = serde_json::from_str(&printed.out).expect("it is JSON");
    assert_eq!(
        json["session.mailbox_max"],
        serde_json::json!({ "value": 100, "origin": file_line })
    );
    assert_eq!(json["gateway.venues"]["value"][1], "2001:db8::/32");
}

#[test]
fn wrong_settings_are_shown_and_have_status_1() {
    let printed = config("show")
        .arguments(&["--set", "session.mailbox_max=1"])
        .run();
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.out.contains("session.mailbox_max = 1\n"),
        "{}",
        printed.out
    );
    let mistake = "--set: session.mailbox_max: 1 is out of range, 16 to 100000\n";
    assert_eq!(printed.err, mistake);
}

#[test]
fn no_server_starts_with_wrong_settings() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluecast"));
    let output = command
        .env_clear()
        .args([
            "serve",
            "--set",
            "session.mailbox_max=1",
            "--set",
            "nonsense.x=1",
        ])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn an_unusable_certificate_is_reported_at_its_key() {
    let folder = folder();
    let empty = write(&folder, "empty.pem", "");
    let empty = empty.display();
    let text =
        format!("[tls]\nmode = \"on\"\ncertificate_file = \"{empty}\"\nkey_file = \"{empty}\"\n");
    let file = write(&folder, "tls.toml", text);
    let printed = config("check").file(&file).run();
    assert_eq!(printed.code, Some(1), "{}", printed.out);
    let place = format!("{}:3: tls.certificate_file: ", file.display());
    assert!(printed.err.starts_with(&place), "{}", printed.err);
    assert!(
        printed.err.contains("holds no PEM certificate"),
        "{}",
        printed.err
    );
}

#[test]
fn no_secret_is_shown_as_none() {
    let printed = config("show").run();
    assert!(
        printed.out.contains("cluster.secret = \"none\""),
        "{}",
        printed.out
    );
    let secret = "a secret of more than enough characters";
    let printed = config("show")
        .variable("CLUECAST_CLUSTER__SECRET", secret)
        .run();
    assert!(!printed.out.contains(secret), "{}", printed.out);
    assert!(
        printed.out.contains("cluster.secret = \"***\""),
        "{}",
        printed.out
    );
}
