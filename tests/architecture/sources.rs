//! The rules about sources: the layers, their forbidden imports, and reads of the clock and the environment.

use std::fs;
use std::path::Path;

use crate::references::{Reference, STATE_FIELD, Source, module_of, references};
use crate::{
    CLOCKS, ENVIRONMENT, FRAMES, FRAMES_MODULE, HUNT_VALUES, IO, LAYERS, NEVER, PURE, RENDER,
    RENDER_EXCEPTIONS, Rule, Violation, WIRE_VALUES, assert_none,
};

fn check_sources(sources: &[Source]) -> Vec<Violation> {
    sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Violation> {
    let references = references(source);
    if let Some(package) = PURE
        .iter()
        .find(|p| source.path.starts_with(&format!("{p}/")))
    {
        return check_each(source, &references, |reference| impure(package, reference));
    }
    let module = module_of(&source.path);
    let Some(layer) = module.first() else {
        return check_root(source, &references);
    };
    if !LAYERS.contains(&layer.as_str()) {
        return vec![Violation {
            rule: Rule::UnknownLayer,
            place: source.path.clone(),
            what: format!("{layer} is no layer"),
        }];
    }
    let mut violations = check_each(source, &references, |reference| {
        never(layer, reference)
            .or_else(|| out_of_order(layer, reference))
            .or_else(|| ambient(layer, reference))
            .or_else(|| names_frames(&module, reference))
    });
    if !is_renderer(&source.path) {
        violations.extend(renders_elsewhere(source, &references));
    }
    violations
}

fn is_renderer(path: &str) -> bool {
    path.starts_with(RENDER) || RENDER_EXCEPTIONS.iter().any(|(file, _)| *file == path)
}

/// Only delivery's `render` turns the rules' state into messages. So no other file both reads state and
/// names a message, apart from its unit tests.
fn renders_elsewhere(source: &Source, references: &[Reference]) -> Option<Violation> {
    let mut product = references.iter().filter(|found| !found.is_in_test);
    let state = product.clone().find(|found| reads_state(found))?;
    let message = product.find(|found| names_message(found))?;
    Some(Violation {
        rule: Rule::RenderOnly,
        place: format!("{}:{}", source.path, state.line),
        what: format!(
            "{} beside {} of line {}",
            state.segments.join("::"),
            message.segments.join("::"),
            message.line
        ),
    })
}

fn reads_state(reference: &Reference) -> bool {
    let is_value = |name: &String| HUNT_VALUES.contains(&name.as_str());
    let is_of_hunt = reference.is_below(&["hunt"]);
    reference.is_below(&[STATE_FIELD])
        || is_of_hunt
            && reference
                .segments
                .get(1)
                .is_some_and(|name| !is_value(name))
}

fn names_message(reference: &Reference) -> bool {
    let is_value = || WIRE_VALUES.iter().any(|value| reference.is_below(value));
    let is_module =
        || *reference.segments == ["protocol"] || *reference.segments == ["protocol", "rest"];
    reference.is_below(&["protocol"]) && !is_module() && !is_value()
}

fn check_each(
    source: &Source,
    references: &[Reference],
    broken: impl Fn(&Reference) -> Option<Rule>,
) -> Vec<Violation> {
    let violation = |reference: &Reference| {
        Some(Violation {
            rule: broken(reference)?,
            place: format!("{}:{}", source.path, reference.line),
            what: reference.segments.join("::"),
        })
    };
    references.iter().filter_map(violation).collect()
}

/// The library's root only declares the layers: a re-export would hide where a name is from.
fn check_root(source: &Source, references: &[Reference]) -> Vec<Violation> {
    check_each(source, references, |reference| {
        let is_ours = |name: &str| name == "crate" || LAYERS.contains(&name);
        let reexports = reference
            .segments
            .first()
            .is_some_and(|first| is_ours(first));
        if reexports && source.path.ends_with("lib.rs") {
            return Some(Rule::RootReexport);
        }
        ambient("", reference)
    })
}

fn never(layer: &str, reference: &Reference) -> Option<Rule> {
    let breaks = |(from, to): &(&str, &[&str])| *from == layer && reference.is_below(to);
    NEVER.iter().any(breaks).then_some(Rule::Never)
}

fn out_of_order(layer: &str, reference: &Reference) -> Option<Rule> {
    let place = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let ["crate", used, ..] = reference
        .segments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()[..]
    else {
        return None;
    };
    (place(used)? > place(layer)?).then_some(Rule::LayerOrder)
}

/// Reads of nondeterministic inputs outside the modules that own them.
fn ambient(layer: &str, reference: &Reference) -> Option<Rule> {
    let reads_environment = ENVIRONMENT
        .iter()
        .any(|name| reference.is_below(&["std", "env", name]))
        || reference.is_below(&["std", "env", "*"]);
    if reads_environment && layer != "config" {
        return Some(Rule::Environment);
    }
    let reads_clock = CLOCKS.iter().any(|path| reference.is_below(path));
    (reads_clock && layer != "clock").then_some(Rule::Clock)
}

/// Frame headers, opcodes and close frames of tungstenite, outside the module that owns them.
fn names_frames(module: &[String], reference: &Reference) -> Option<Rule> {
    let is_owner = module.iter().take(FRAMES_MODULE.len()).eq(FRAMES_MODULE);
    let library = reference.segments.first().map(String::as_str);
    let is_tungstenite = matches!(library, Some("tungstenite" | "tokio_tungstenite"));
    let segments = &reference.segments;
    let names = segments.iter().any(|name| FRAMES.contains(&name.as_str()));
    (!is_owner && is_tungstenite && names).then_some(Rule::Frames)
}

fn impure(package: &str, reference: &Reference) -> Option<Rule> {
    let other = PURE
        .iter()
        .any(|other| *other != package && reference.is_below(&[other]));
    let does_io = IO.iter().any(|path| reference.is_below(path));
    (other || does_io).then_some(Rule::PureSource)
}

fn read_sources(folder: &Path, root: &Path, into: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("the project's folders can be read").path();
        if path.is_dir() {
            read_sources(&path, root, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let from_root = path.strip_prefix(root).expect("it is below the root");
            into.push(Source {
                path: from_root.to_string_lossy().into_owned(),
                text: fs::read_to_string(&path).expect("sources are UTF-8"),
            });
        }
    }
}

fn all_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "hunt/src", "protocol/src"] {
        let before = sources.len();
        read_sources(&root.join(folder), root, &mut sources);
        assert!(sources.len() > before, "{folder} has sources");
    }
    sources
}

#[test]
fn sources_keep_to_their_layers() {
    assert_none(&check_sources(&all_sources()));
}

#[test]
fn every_exception_from_rendering_is_needed() {
    let sources = all_sources();
    for (file, why) in RENDER_EXCEPTIONS {
        let source = sources.iter().find(|source| source.path == file);
        let source =
            source.unwrap_or_else(|| panic!("{file} is gone; it was listed because {why}"));
        let renders = renders_elsewhere(source, &references(source));
        assert!(renders.is_some(), "{file} needs no exception any more");
    }
}

/// One violation of each kind: (rule, path, source).
const PLANTED: [(Rule, &str, &str); 35] = [
    (
        Rule::LayerOrder,
        "src/journal/mod.rs",
        "use crate::gateway::Outbox;",
    ),
    (
        Rule::LayerOrder,
        "src/config/mod.rs",
        "use crate::{clock::Clock, config::Limits};",
    ),
    (
        Rule::LayerOrder,
        "src/gateway/attach.rs",
        "fn f() { crate::http::router(); }",
    ),
    (
        Rule::LayerOrder,
        "src/delivery/mod.rs",
        "use super::gateway::Outbox;",
    ),
    (
        Rule::LayerOrder,
        "src/delivery/ring.rs",
        "fn f() -> super::super::http::Body { loop {} }",
    ),
    (
        Rule::LayerOrder,
        "src/clock.rs",
        "mod tests { use super::super::session::Actor; }",
    ),
    (
        Rule::LayerOrder,
        "src/clock.rs",
        "use cluecast::session::Actor;",
    ),
    (
        Rule::LayerOrder,
        "src/http/mod.rs",
        "fn f() { assert!(crate::cli::main() == [1]); }",
    ),
    (
        Rule::Never,
        "src/journal/mod.rs",
        "use crate::cluster::Bus;",
    ),
    (
        Rule::Never,
        "src/journal/sqlite/mod.rs",
        "use crate::session as s;",
    ),
    (
        Rule::Never,
        "src/cluster/mod.rs",
        "use crate::journal::{self, Journal};",
    ),
    (
        Rule::Never,
        "src/cluster/mod.rs",
        "impl crate::session::Route for X {}",
    ),
    (
        Rule::Never,
        "src/session/mod.rs",
        "use crate::{clock, delivery};",
    ),
    (
        Rule::Never,
        "src/session/mod.rs",
        "type Queue = crate::gateway::Outbox;",
    ),
    (Rule::Never, "src/session/mod.rs", "use protocol::Event;"),
    (
        Rule::Never,
        "src/session/gate.rs",
        "fn f(event: protocol::Event) {}",
    ),
    (
        Rule::RenderOnly,
        "src/http/devices.rs",
        "use hunt::{Team, TeamId}; use protocol::rest::Roster;",
    ),
    (
        Rule::RenderOnly,
        "src/http/playing.rs",
        "use protocol::rest; fn f() { session.read(|view| rest::Standings { rows: rows(view.state) }) }",
    ),
    (
        Rule::RenderOnly,
        "src/gateway/connection.rs",
        "fn f(phase: hunt::Phase) -> protocol::Phase { loop {} }",
    ),
    (
        Rule::RenderOnly,
        "src/delivery/attach.rs",
        "use protocol as wire; fn f(&self) { wire::Welcome { heads: self.view.state.heads() }; }",
    ),
    (
        Rule::RenderOnly,
        "src/cli/archive.rs",
        "use hunt::*; use protocol::rest::ExportLine;",
    ),
    (Rule::UnknownLayer, "src/utils.rs", "fn f() {}"),
    (
        Rule::RootReexport,
        "src/lib.rs",
        "mod journal; pub use journal::Journal;",
    ),
    (
        Rule::Environment,
        "src/cli/mod.rs",
        "use std::env; fn f() { env::var(\"HOME\"); }",
    ),
    (
        Rule::Environment,
        "src/main.rs",
        "fn main() { println!(\"{:?}\", std::env::vars()); }",
    ),
    (
        Rule::Environment,
        "src/http/mod.rs",
        "use std::env::{self as e}; fn f() { e::var_os(\"A\"); }",
    ),
    (
        Rule::Clock,
        "src/session/mod.rs",
        "fn f() { std::time::Instant::now(); }",
    ),
    (
        Rule::Clock,
        "src/gateway/mod.rs",
        "use std::time::SystemTime as T; fn f() { T::now(); }",
    ),
    (
        Rule::Frames,
        "src/gateway/connection/closing.rs",
        "use tokio_tungstenite::tungstenite::protocol::CloseFrame;",
    ),
    (
        Rule::Frames,
        "src/gateway/peers/relay.rs",
        "use tokio_tungstenite::tungstenite as t; fn f(h: t::protocol::frame::FrameHeader) {}",
    ),
    (
        Rule::Frames,
        "src/delivery/outbox.rs",
        "use tokio_tungstenite::tungstenite::protocol::*;",
    ),
    (Rule::PureSource, "hunt/src/lib.rs", "use std::fs;"),
    (
        Rule::PureSource,
        "hunt/src/decide.rs",
        "use protocol::Event;",
    ),
    (
        Rule::PureSource,
        "protocol/src/lib.rs",
        "fn f() -> hunt::State { loop {} }",
    ),
    (
        Rule::PureSource,
        "protocol/src/codec.rs",
        "async fn f() { tokio::task::yield_now().await }",
    ),
];

#[test]
fn planted_violations_in_sources_are_caught() {
    for (rule, path, text) in PLANTED {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let caught = check_sources(&[source]);
        assert!(
            !caught.is_empty(),
            "{rule:?} was not caught in {path}: {text}"
        );
        for violation in &caught {
            assert_eq!(violation.rule, rule, "{violation}, in: {text}");
        }
    }
}

#[test]
fn honest_sources_are_not_accused() {
    for (path, text) in [
        (
            "src/cli/mod.rs",
            "use crate::{config::Config, http, session::{self, Registry}};",
        ),
        (
            "src/delivery/render/event.rs",
            "use hunt::Event; use protocol::Update; use crate::session;",
        ),
        (
            "src/http/devices.rs",
            "use hunt::{DeviceId, Receipt, Scope}; use protocol::rest::DeviceCreated;",
        ),
        (
            "src/http/identity.rs",
            "use protocol::limits::NAME_CHARS_MAX; fn f() { view.state.device(id) }",
        ),
        (
            "src/delivery/ring.rs",
            "use protocol::Update; #[cfg(test)] mod tests { use hunt::State; }",
        ),
        (
            "src/delivery/outbox/tests.rs",
            "use hunt::State; use protocol::Update;",
        ),
        ("src/config/layers.rs", "fn f() { std::env::vars(); }"),
        (
            "src/clock.rs",
            "use std::time::SystemTime; fn f() { SystemTime::now(); }",
        ),
        (
            "src/session/mod.rs",
            "use tokio::time::Instant; fn f() { Instant::now(); }",
        ),
        (
            "src/session/actor.rs",
            "use super::gate; fn f() { self::gateway(); gate::hold(); }",
        ),
        (
            "src/cli/serve.rs",
            "fn f() { std::env::args(); std::env::current_exe(); }",
        ),
        (
            "src/gateway/ws/queue.rs",
            "use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;",
        ),
        (
            "src/gateway/connection/handshake.rs",
            "use tokio_tungstenite::tungstenite::handshake::derive_accept_key;",
        ),
        ("src/lib.rs", "pub mod config; pub mod journal;"),
        ("src/main.rs", "fn main() { cluecast::cli::main() }"),
        ("protocol/src/codec.rs", "use std::io::Cursor;"),
        ("hunt/src/lib.rs", "mod protocols; use crate::state::State;"),
    ] {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        assert_none(&check_sources(&[source]));
    }
}
