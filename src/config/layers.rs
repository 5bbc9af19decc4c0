//! Layers of settings: each key's values with where they come from, later layers over earlier ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::mistake::{ConfigMistake, Origin};
use super::text::{self, Bare, Broken, Placed};

const BUILT_IN: &str = include_str!("../../config/default.toml");
const ENVIRONMENT_PREFIX: &str = "CLUECAST_";
/// Variables with the prefix that are not settings of the server.
const OTHER_VARIABLES: [&str; 1] = ["CLUECAST_ADMIN_TOKEN"];
/// Keys whose values hold a password or are one.
const SECRETS: [&str; 2] = ["cluster.secret", "journal.postgres_url"];
/// A key that differs from a known one by at most this many letters is taken for a slip.
const SLIP_LETTERS_MAX: usize = 3;

/// A value with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// The values of one key, of which the last one counts.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) built_in: toml::Value,
    pub(super) given: Vec<Setting>,
}

impl Stack {
    pub(super) fn value(&self) -> &toml::Value {
        let given = self.given.last();
        given.map_or(&self.built_in, |setting| &setting.value)
    }

    pub(super) fn origin(&self) -> &Origin {
        let given = self.given.last();
        given.map_or(&Origin::BuiltIn, |setting| &setting.origin)
    }
}

/// Settings by their key, `section.key`.
#[derive(Debug, Clone)]
pub struct Layers {
    pub(super) stacks: BTreeMap<String, Stack>,
    pub(super) mistakes: Vec<ConfigMistake>,
}

impl Layers {
    /// The built-in defaults.
    pub fn built_in() -> Self {
        let read = text::read(BUILT_IN);
        assert!(read.broken.is_empty(), "{:?}", read.broken);
        assert!(read.bare.is_empty(), "{:?}", read.bare);
        let stacks = read.values.into_iter().map(|placed| {
            let stack = Stack {
                built_in: placed.value.expect("built-in numbers have 64 bits"),
                given: Vec::new(),
            };
            (format!("{}.{}", placed.section, placed.key), stack)
        });
        Self {
            stacks: stacks.collect(),
            mistakes: Vec::new(),
        }
    }

    /// Adds a TOML file over what is there. One that cannot be read is a mistake like others.
    pub fn add_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                return self.wrong(Origin::WholeFile(name), None, message);
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.add_text(&name, text),
            Err(error) => {
                let good = &bytes[..error.valid_up_to()];
                let line = good.split(|byte| *byte == b'\n').count();
                let message = "not UTF-8, which TOML files are".to_owned();
                self.wrong(Origin::File { name, line }, None, message);
            }
        }
    }

    /// Adds the text of a TOML file over what is there.
    pub fn add_text(&mut self, name: &str, text: &str) {
        let origin = |line| Origin::File {
            name: name.to_owned(),
            line,
        };
        let read = text::read(text);
        for Broken { line, key, reason } in read.broken {
            self.wrong(origin(line), key.as_deref(), reason);
        }
        for bare in read.bare {
            self.add_bare(origin(bare.line), bare);
        }
        for placed in read.values {
            let Placed {
                section,
                key,
                value,
                line,
            } = placed;
            self.add(&format!("{section}.{key}"), value, origin(line));
        }
    }

    /// Adds variables of the environment: `CLUECAST_SECTION__KEY`. Others are not looked at.
    pub fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut ours: Vec<(String, String)> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
            .collect();
        ours.sort();
        for (name, text) in ours {
            let key = name[ENVIRONMENT_PREFIX.len()..]
                .to_ascii_lowercase()
                .replacen("__", ".", 1);
            self.add_unquoted(&key, &text, Origin::Environment(name));
        }
    }

    /// The variables of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn add_process_environment(&mut self) {
        let mut utf8 = Vec::new();
        for (name, text) in std::env::vars_os() {
            match (name.into_string(), text.into_string()) {
                (Ok(name), Ok(text)) => utf8.push((name, text)),
                (Ok(name), Err(_)) if name.starts_with(ENVIRONMENT_PREFIX) => {
                    let message = "not UTF-8, which every setting is".to_owned();
                    self.wrong(Origin::Environment(name), None, message);
                }
                _ => {}
            }
        }
        self.add_environment(utf8);
    }

    /// Adds `section.key=value`.
    pub fn add_flag(&mut self, assignment: &str) {
        let origin = Origin::Flag("--set");
        if let Some((key, text)) = assignment.split_once('=') {
            self.add_unquoted(key.trim(), text.trim(), origin);
        } else {
            let message = format!("`{assignment}` is not of the form section.key=value");
            self.wrong(origin, None, message);
        }
    }

    /// The value of a flag of its own for one key, such as `--data-dir`.
    pub fn add_own_flag(&mut self, flag: &'static str, key: &str, text: &str) {
        self.add_unquoted(key, text, Origin::Flag(flag));
    }

    /// A value as it is typed in a shell: text needs no quotes, everything else is TOML.
    fn add_unquoted(&mut self, key: &str, text: &str, origin: Origin) {
        let built_in = self.stacks.get(key).map(|stack| &stack.built_in);
        let is_text = matches!(built_in, Some(toml::Value::String(_)));
        let parsed = if is_text { None } else { text.parse().ok() };
        let value = parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()));
        self.add(key, Ok(value), origin);
    }

    fn add(&mut self, key: &str, value: Result<toml::Value, String>, origin: Origin) {
        match (self.stacks.get_mut(key), value) {
            (Some(stack), Ok(value)) => stack.given.push(Setting { value, origin }),
            (Some(_), Err(number)) => {
                let message = format!("{number} is out of range, whatever the range");
                self.wrong(origin, Some(key), message);
            }
            (None, _) => {
                let message = match self.meant(key) {
                    Some(meant) => format!("no such key; did you mean {meant}?"),
                    None => "no such key; config/default.toml lists all of them".to_owned(),
                };
                self.wrong(origin, Some(key), message);
            }
        }
    }

    fn add_bare(&mut self, origin: Origin, bare: Bare) {
        let Bare { name, is_table, .. } = bare;
        let prefix = format!("{name}.");
        let is_section = self.stacks.keys().any(|key| key.starts_with(&prefix));
        let message = match (is_section, is_table) {
            // A section that sets nothing is allowed: that is what is left of a template.
            (true, true) => return,
            (true, false) => {
                format!("a section, not a value; write [{name}] and its keys below")
            }
            (false, true) => "no such section; config/default.toml lists all of them".to_owned(),
            (false, false) => match &*self.sections_of(&name) {
                [] => "no such key; config/default.toml lists all of them".to_owned(),
                sections => {
                    let sections = sections.join("] or [");
                    format!("outside a section; write {name} below [{sections}]")
                }
            },
        };
        self.wrong(origin, Some(&name), message);
    }

    /// The known key that differs least, if it differs little or only in its section.
    fn meant(&self, key: &str) -> Option<String> {
        let known = self.stacks.keys();
        let nearest = known
            .map(|known| (edit_distance(known, key), known))
            .min()
            .filter(|(letters, _)| *letters <= SLIP_LETTERS_MAX)
            .map(|(_, known)| known.clone());
        nearest.or_else(|| {
            let (_, last) = key.rsplit_once('.')?;
            let sections = self.sections_of(last);
            sections.first().map(|section| format!("{section}.{last}"))
        })
    }

    /// The sections that have such a key.
    fn sections_of(&self, wanted: &str) -> Vec<&str> {
        let keys = self.stacks.keys();
        let split = keys.filter_map(|key| key.split_once('.'));
        let having = split.filter(|(_, key)| *key == wanted);
        having.map(|(section, _)| section).collect()
    }

    pub(super) fn wrong(&mut self, origin: Origin, key: Option<&str>, message: String) {
        self.mistakes.push(ConfigMistake {
            origin,
            key: key.map(str::to_owned),
            message,
        });
    }

    /// Every key with its value and where it comes from, in order. Of secrets the value is not told.
    pub fn effective(&self) -> impl Iterator<Item = (&str, Cow<'_, toml::Value>, &Origin)> {
        self.stacks.iter().map(|(key, stack)| {
            let value = if SECRETS.contains(&key.as_str()) {
                Cow::Owned(super::postgres::redacted(stack.value()))
            } else {
                Cow::Borrowed(stack.value())
            };
            (key.as_str(), value, stack.origin())
        })
    }
}

/// Levenshtein's distance, counted in bytes, which suits keys.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
