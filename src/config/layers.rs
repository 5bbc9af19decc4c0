//! Layers of settings: the values of each key with their origins. Later layers override earlier ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::mistake::{ConfigMistake, Origin};
use super::secret;
use super::text::{self, Entry, Stray, SyntaxError};

const BUILT_IN: &str = include_str!("../../config/default.toml");
const ENVIRONMENT_PREFIX: &str = "CLUECAST_";
/// Variables with the prefix that are not settings.
const OTHER_VARIABLES: [&str; 1] = ["CLUECAST_ADMIN_TOKEN"];
/// Edit distance up to which an unknown key counts as a misspelling of a known one.
const TYPO_DISTANCE_MAX: usize = 3;

/// A value and its origin.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// The values of one key. The last one is effective.
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

/// Settings by key, `section.key`.
#[derive(Debug, Clone)]
pub struct Layers {
    pub(super) stacks: BTreeMap<String, Stack>,
    pub(super) mistakes: Vec<ConfigMistake>,
}

impl Layers {
    /// The built-in defaults.
    pub fn built_in() -> Self {
        let read = text::read(BUILT_IN);
        assert!(read.errors.is_empty(), "{:?}", read.errors);
        assert!(read.strays.is_empty(), "{:?}", read.strays);
        let stacks = read.entries.into_iter().map(|entry| {
            let stack = Stack {
                built_in: entry.value.expect("built-in numbers have 64 bits"),
                given: Vec::new(),
            };
            (format!("{}.{}", entry.section, entry.key), stack)
        });
        Self {
            stacks: stacks.collect(),
            mistakes: Vec::new(),
        }
    }

    /// Adds a layer from a TOML file. If it cannot be read, that is recorded as a mistake.
    pub fn add_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                return self.record_mistake(Origin::WholeFile(name), None, message);
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.add_text(&name, text),
            Err(error) => {
                let good = &bytes[..error.valid_up_to()];
                let line = good.split(|byte| *byte == b'\n').count();
                let message = "the file is not UTF-8".to_owned();
                self.record_mistake(Origin::File { name, line }, None, message);
            }
        }
    }

    /// Adds a layer from the text of a TOML file.
    pub fn add_text(&mut self, name: &str, text: &str) {
        let origin = |line| Origin::File {
            name: name.to_owned(),
            line,
        };
        let read = text::read(text);
        for SyntaxError { line, key, reason } in read.errors {
            self.record_mistake(origin(line), key.as_deref(), reason);
        }
        for stray in read.strays {
            self.add_stray(origin(stray.line), stray);
        }
        for entry in read.entries {
            let Entry {
                section,
                key,
                value,
                line,
            } = entry;
            self.add(&format!("{section}.{key}"), value, origin(line));
        }
    }

    /// Adds a layer from environment variables named `CLUECAST_SECTION__KEY`. Others are ignored.
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

    /// Adds a layer from the environment of this process.
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
                    let message = "the value is not UTF-8".to_owned();
                    self.record_mistake(Origin::Environment(name), None, message);
                }
                _ => {}
            }
        }
        self.add_environment(utf8);
    }

    /// Adds the assignment `section.key=value` of a `--set` flag.
    pub fn add_flag(&mut self, assignment: &str) {
        let origin = Origin::Flag("--set");
        if let Some((key, text)) = assignment.split_once('=') {
            self.add_unquoted(key.trim(), text.trim(), origin);
        } else {
            let message = format!("`{assignment}` is not of the form section.key=value");
            self.record_mistake(origin, None, message);
        }
    }

    /// Adds the value of a dedicated flag, such as `--data-dir`.
    pub fn add_dedicated_flag(&mut self, flag: &'static str, key: &str, text: &str) {
        self.add_unquoted(key, text, Origin::Flag(flag));
    }

    /// Adds a value as typed in a shell: strings need no quotes, everything else is TOML.
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
                let message = format!("{number} does not fit 64 bits");
                self.record_mistake(origin, Some(key), message);
            }
            (None, _) => {
                let message = match self.suggestion(key) {
                    Some(known) => format!("unknown key; did you mean {known}?"),
                    None => "unknown key; config/default.toml lists all keys".to_owned(),
                };
                self.record_mistake(origin, Some(key), message);
            }
        }
    }

    fn add_stray(&mut self, origin: Origin, stray: Stray) {
        let Stray { name, is_table, .. } = stray;
        let prefix = format!("{name}.");
        let is_section = self.stacks.keys().any(|key| key.starts_with(&prefix));
        let message = match (is_section, is_table) {
            // An empty section is allowed: a template with everything commented out.
            (true, true) => return,
            (true, false) => {
                format!("this is a section, not a key; write [{name}] and its keys below it")
            }
            (false, true) => "unknown section; config/default.toml lists all sections".to_owned(),
            (false, false) => match &*self.sections_with_key(&name) {
                [] => "unknown key; config/default.toml lists all keys".to_owned(),
                sections => {
                    let sections = sections.join("] or [");
                    format!("this key is outside a section; move {name} below [{sections}]")
                }
            },
        };
        self.record_mistake(origin, Some(&name), message);
    }

    /// The known key closest to an unknown one: a likely misspelling, or the same key in another section.
    fn suggestion(&self, key: &str) -> Option<String> {
        let known = self.stacks.keys();
        let nearest = known
            .map(|known| (edit_distance(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= TYPO_DISTANCE_MAX)
            .map(|(_, known)| known.clone());
        nearest.or_else(|| {
            let (_, last) = key.rsplit_once('.')?;
            let sections = self.sections_with_key(last);
            sections.first().map(|section| format!("{section}.{last}"))
        })
    }

    /// The sections that have a key of this name.
    fn sections_with_key(&self, wanted: &str) -> Vec<&str> {
        let keys = self.stacks.keys();
        let split = keys.filter_map(|key| key.split_once('.'));
        let having = split.filter(|(_, key)| *key == wanted);
        having.map(|(section, _)| section).collect()
    }

    pub(super) fn record_mistake(&mut self, origin: Origin, key: Option<&str>, message: String) {
        self.mistakes.push(ConfigMistake {
            origin,
            key: key.map(str::to_owned),
            message,
        });
    }

    /// Every key with its effective value and the value's origin, sorted by key. Secrets are redacted.
    pub fn effective(&self) -> impl Iterator<Item = (&str, Cow<'_, toml::Value>, &Origin)> {
        self.stacks.iter().map(|(key, stack)| {
            let value = if secret::is_secret(key) {
                Cow::Owned(secret::redacted(stack.value()))
            } else {
                Cow::Borrowed(stack.value())
            };
            (key.as_str(), value, stack.origin())
        })
    }
}

/// Levenshtein distance in bytes; keys are ASCII.
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
