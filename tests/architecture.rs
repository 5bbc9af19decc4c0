//! Dependency rules: the rules of `docs/ARCHITECTURE.md` about packages and layers, checked on the
//! manifests and the parsed source. For each rule, a planted violation must be detected.
//!
//! The rules are the tables below; `sources` and `packages` check them, on the paths that `references`
//! finds.

#[path = "architecture/packages.rs"]
mod packages;
#[path = "architecture/references.rs"]
mod references;
#[path = "architecture/sources.rs"]
mod sources;

use std::fmt;

/// The layers of `src/`. One may import from itself and from those before it.
const LAYERS: [&str; 12] = [
    "ids",
    "config",
    "telemetry",
    "clock",
    "content",
    "journal",
    "cluster",
    "session",
    "delivery",
    "gateway",
    "http",
    "cli",
];

/// Forbidden even where the order of layers would allow it: (layer, what it never imports).
const NEVER: [(&str, &[&str]); 9] = [
    ("content", &["hunt", "State"]),
    ("content", &["protocol"]),
    ("journal", &["crate", "cluster"]),
    ("journal", &["crate", "session"]),
    ("cluster", &["crate", "journal"]),
    ("cluster", &["crate", "session"]),
    ("session", &["crate", "delivery"]),
    ("session", &["crate", "gateway"]),
    ("session", &["protocol"]),
];

/// The only folder whose files may both read the rules' state and name wire messages: it converts one into
/// the other.
const RENDER: &str = "src/delivery/render/";

/// Exceptions to that rule: (file, reason).
const RENDER_EXCEPTIONS: [(&str, &str); 1] = [(
    "src/delivery/hub.rs",
    "it passes events from the actor on to render, and sends messages that hold no state",
)];

/// The parts of `hunt` that are not its state, definition or events: ids and other plain values,
/// commands with their arguments and outcomes. Every other item counts as state.
const HUNT_VALUES: [&str; 29] = [
    "AnnouncementId",
    "Audience",
    "ClueId",
    "Command",
    "CommandId",
    "ContentHash",
    "DeviceId",
    "DurationMs",
    "Fingerprint",
    "GameMasterId",
    "GameMasterOrder",
    "InstanceId",
    "Issuer",
    "NameId",
    "NewEnd",
    "NumberedCommand",
    "PlayerId",
    "PlayerOrder",
    "PuzzleId",
    "RankedTeam",
    "Receipt",
    "RegistrationOrder",
    "Rejection",
    "Scope",
    "Target",
    "TeamId",
    "Timestamp",
    "UpdateNumber",
    "normalise_code",
];

/// The parts of `protocol` that carry nothing of a session's state. Every other item counts as a message.
const WIRE_VALUES: [&[&str]; 13] = [
    &["protocol", "Advice"],
    &["protocol", "CloseCode"],
    &["protocol", "Codec"],
    &["protocol", "Cursor"],
    &["protocol", "DecodeError"],
    &["protocol", "FrameKind"],
    &["protocol", "Heads"],
    &["protocol", "RejectionCode"],
    &["protocol", "cost"],
    &["protocol", "decode_body"],
    &["protocol", "limits"],
    &["protocol", "rest", "Failure"],
    &["protocol", "rest", "FailureCode"],
];

/// Functions that access the environment. Only `src/config` may call them.
const ENVIRONMENT: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];

/// Functions that read a clock. Only `src/clock.rs` may call them. Tokio's instants are not among them:
/// they follow the runtime's clock, which simulations pause.
const CLOCKS: [&[&str]; 5] = [
    &["std", "time", "SystemTime", "now"],
    &["std", "time", "Instant", "now"],
    &["std", "time", "UNIX_EPOCH", "elapsed"],
    &["time", "OffsetDateTime", "now_utc"],
    &["chrono", "Utc", "now"],
];

/// The module that alone reads and writes frame headers and close frames.
const FRAMES_MODULE: [&str; 2] = ["gateway", "ws"];

/// Names below `tungstenite` for frame headers, opcodes and close frames. A glob could import them too.
const FRAMES: [&str; 3] = ["frame", "CloseFrame", "*"];

/// Paths that the pure packages must not use. The in-memory parts of `std::io` are not IO.
const IO: [&[&str]; 13] = [
    &["std", "env"],
    &["std", "fs"],
    &["std", "io", "stderr"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "net"],
    &["std", "os"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["tokio"],
    &["sqlx"],
];

/// Packages that do IO or read the system's randomness. The pure packages must not depend on them, directly
/// or transitively.
const IO_PACKAGES: [&str; 16] = [
    "async-std",
    "axum",
    "bb8",
    "getrandom",
    "hyper",
    "libsqlite3-sys",
    "mio",
    "rand",
    "redis",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tokio",
];

const PURE: [&str; 2] = ["hunt", "protocol"];

/// Allowed dependencies between the workspace's packages: (package, dependencies, dev-dependencies).
const PACKAGES: [(&str, &[&str], &[&str]); 6] = [
    ("bench", &["cluecast", "testkit"], &[]),
    (
        "cluecast",
        &["hunt", "protocol"],
        // Itself too: with a feature that tests need.
        &["cluecast", "hunt", "protocol", "testkit", "loadtest"],
    ),
    ("hunt", &[], &[]),
    ("protocol", &[], &[]),
    ("testkit", &["protocol"], &["protocol"]),
    (
        "loadtest",
        &["protocol", "testkit"],
        &["protocol", "testkit"],
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    LayerOrder,
    Never,
    RenderOnly,
    UnknownLayer,
    RootReexport,
    Environment,
    Clock,
    Frames,
    PureSource,
    PackageEdge,
    PurePackage,
}

#[derive(Debug)]
struct Violation {
    rule: Rule,
    place: String,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {}", self.rule, self.place, self.what)
    }
}

fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "the architecture is violated:\n{}",
        lines.join("\n")
    );
}
