//! Layers of settings: each key's value with where it comes from, later layers over earlier ones.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const BUILT_IN: &str = include_str!("../../config/default.toml");
const ENVIRONMENT_PREFIX: &str = "CLUECAST_";
/// Variables with the prefix that are not settings of the server.
const OTHER_VARIABLES: [&str; 1] = ["CLUECAST_ADMIN_TOKEN"];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`, which is part of the binary.
    BuiltIn,
    /// A line of a file.
    File {
        /// The file as it was named.
        name: String,
        /// The line, from 1 on.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A `--set` or another flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// Something that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Where.
    pub origin: Origin,
    /// Which key; none if the layer as a whole could not be read.
    pub key: Option<String>,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A value with where it comes from.
#[derive(Debug, Clone)]
struct Setting {
    value: toml::Value,
    origin: Origin,
}

/// Settings by their key, `section.key`.
#[derive(Debug, Clone)]
pub struct Layers {
    built_in: BTreeMap<String, Setting>,
    settings: BTreeMap<String, Setting>,
    mistakes: Vec<ConfigMistake>,
}

impl Layers {
    /// The built-in defaults.
    pub fn built_in() -> Self {
        let mut layers = Self {
            built_in: BTreeMap::new(),
            settings: BTreeMap::new(),
            mistakes: Vec::new(),
        };
        let table = DeTable::parse(BUILT_IN).expect("config/default.toml is TOML");
        for (key, value) in flatten(&table) {
            let setting = Setting {
                value: owned(value.get_ref()),
                origin: Origin::BuiltIn,
            };
            layers.built_in.insert(key, setting);
        }
        layers.settings.clone_from(&layers.built_in);
        layers
    }

    /// Adds the text of a TOML file over what is there.
    pub fn add_text(&mut self, name: &str, text: &str) {
        let origin_at = |offset: usize| Origin::File {
            name: name.to_owned(),
            line: text[..offset].matches('\n').count() + 1,
        };
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                self.mistakes.push(ConfigMistake {
                    origin: origin_at(offset),
                    key: None,
                    message: error.message().to_owned(),
                });
                return;
            }
        };
        let mut values = flatten(&table);
        values.sort_by_key(|(_, value)| value.span().start);
        for (key, value) in values {
            let origin = origin_at(value.span().start);
            self.add(key, owned(value.get_ref()), origin);
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
            self.add_bare(key, &text, Origin::Environment(name));
        }
    }

    /// The variables of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn add_process_environment(&mut self) {
        self.add_environment(std::env::vars());
    }

    /// Adds `section.key=value`.
    pub fn add_flag(&mut self, assignment: &str) {
        match assignment.split_once('=') {
            Some((key, text)) => self.add_bare(key.trim().to_owned(), text.trim(), Origin::Flag),
            None => self.mistakes.push(ConfigMistake {
                origin: Origin::Flag,
                key: None,
                message: format!("`{assignment}` is not of the form section.key=value"),
            }),
        }
    }

    /// A value without quotes: what the built-in value of the key is decides how it is read.
    fn add_bare(&mut self, key: String, text: &str, origin: Origin) {
        let is_text = matches!(
            self.built_in.get(&key),
            Some(Setting {
                value: toml::Value::String(_),
                ..
            })
        );
        let parsed = if is_text { None } else { text.parse().ok() };
        let value = parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()));
        self.add(key, value, origin);
    }

    fn add(&mut self, key: String, value: toml::Value, origin: Origin) {
        if self.built_in.contains_key(&key) {
            self.settings.insert(key, Setting { value, origin });
            return;
        }
        let message = match self.nearest(&key) {
            Some(near) => format!("no such key; did you mean {near}?"),
            None => "no such key; config/default.toml lists all of them".to_owned(),
        };
        self.mistakes.push(ConfigMistake {
            origin,
            key: Some(key),
            message,
        });
    }

    /// The known key that differs least, if it differs little.
    fn nearest(&self, key: &str) -> Option<&str> {
        const EDITS_MAX: usize = 3;
        let known = self.built_in.keys().map(String::as_str);
        known
            .map(|known| (edit_distance(known, key), known))
            .min()
            .filter(|(edits, _)| *edits <= EDITS_MAX)
            .map(|(_, known)| known)
    }

    /// Every key with its value as TOML and where it comes from, in order.
    pub fn effective(&self) -> impl Iterator<Item = (&str, String, &Origin)> {
        let settings = self.settings.iter();
        settings.map(|(key, setting)| (key.as_str(), setting.value.to_string(), &setting.origin))
    }
}

/// Takes typed values out of layers and collects what is wrong with them.
pub(super) struct Reader {
    layers: Layers,
    unread: Vec<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Self {
        let unread = layers.built_in.keys().cloned().collect();
        Self { layers, unread }
    }

    /// The value of a key. A wrong one is recorded, and the built-in one stands in for it.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str) -> T {
        self.unread.retain(|unread| unread != key);
        let setting = &self.layers.settings[key];
        match setting.value.clone().try_into() {
            Ok(value) => value,
            Err(error) => {
                let message = error.to_string().trim().replace('\n', " ");
                self.wrong(key, message);
                self.built_in(key)
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn take_within(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        let value: u64 = self.take(key);
        if range.contains(&value) {
            return value;
        }
        let (least, most) = range.into_inner();
        self.wrong(key, format!("{value} is out of range, {least} to {most}"));
        self.built_in(key)
    }

    /// As [`Reader::take_within`], for a number of things in memory.
    pub(super) fn take_count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.take_within(key, range)).expect("ranges of counts fit a usize")
    }

    /// As [`Reader::take_within`], for a number of milliseconds.
    pub(super) fn take_ms(&mut self, key: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.take_within(key, range))
    }

    /// Records that a key's value is wrong.
    pub(super) fn wrong(&mut self, key: &str, message: String) {
        self.layers.mistakes.push(ConfigMistake {
            origin: self.layers.settings[key].origin.clone(),
            key: Some(key.to_owned()),
            message,
        });
    }

    fn built_in<T: DeserializeOwned>(&self, key: &str) -> T {
        let value = self.layers.built_in[key].value.clone();
        value
            .try_into()
            .expect("the built-in values are of their type")
    }

    pub(super) fn finish<T>(mut self, config: T) -> Result<T, Vec<ConfigMistake>> {
        assert!(self.unread.is_empty(), "no setting reads {:?}", self.unread);
        if self.layers.mistakes.is_empty() {
            return Ok(config);
        }
        let place = |mistake: &ConfigMistake| match &mistake.origin {
            Origin::BuiltIn => (0, String::new(), 0),
            Origin::File { name, line } => (1, name.clone(), *line),
            Origin::Environment(variable) => (2, variable.clone(), 0),
            Origin::Flag => (3, String::new(), 0),
        };
        self.layers.mistakes.sort_by_key(place);
        Err(self.layers.mistakes)
    }
}

/// Values two levels deep by `section.key`; what is not in a section keeps its bare key.
fn flatten<'a, 'i>(table: &'a Spanned<DeTable<'i>>) -> Vec<(String, &'a Spanned<DeValue<'i>>)> {
    let mut values = Vec::new();
    for (section, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(section_table) => {
                for (key, value) in section_table {
                    values.push((format!("{}.{}", section.get_ref(), key.get_ref()), value));
                }
            }
            _ => values.push((section.get_ref().to_string(), value)),
        }
    }
    values
}

fn owned(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            // A number beyond 64 bits is no setting's value: kept as text, it is refused by type.
            parsed.map_or_else(
                |_| toml::Value::String(number.as_str().to_owned()),
                toml::Value::Integer,
            )
        }
        DeValue::Float(number) => number.as_str().parse().map_or_else(
            |_| toml::Value::String(number.as_str().to_owned()),
            toml::Value::Float,
        ),
        DeValue::Boolean(value) => toml::Value::Boolean(*value),
        DeValue::Datetime(value) => toml::Value::Datetime(*value),
        DeValue::Array(values) => {
            toml::Value::Array(values.iter().map(|value| owned(value.get_ref())).collect())
        }
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), owned(value.get_ref())))
                .collect(),
        ),
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
