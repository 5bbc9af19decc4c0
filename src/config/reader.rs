//! Reads typed values from layers and collects the mistakes in them.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::layers::{Layers, Setting};
use super::mistake::{ConfigMistake, Origin};

pub(super) struct Reader {
    layers: Layers,
    unread: Vec<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Self {
        let unread = layers.stacks.keys().cloned().collect();
        Self { layers, unread }
    }

    /// Returns the converted value of a key. Checks the values of all layers, including overridden ones. A
    /// mistake is recorded, and the default is used instead of the value.
    fn read<T>(&mut self, key: &str, convert: impl Fn(&toml::Value) -> Result<T, String>) -> T {
        self.unread.retain(|unread| unread != key);
        let stack = &self.layers.stacks[key];
        let mut value = convert(&stack.built_in).expect("the built-in values are valid");
        let mut mistakes = Vec::new();
        for Setting {
            value: given,
            origin,
        } in &stack.given
        {
            match check_type(given, &stack.built_in).and_then(|()| convert(given)) {
                Ok(converted) => value = converted,
                Err(message) => mistakes.push((origin.clone(), message)),
            }
        }
        for (origin, message) in mistakes {
            self.layers.record_mistake(origin, Some(key), message);
        }
        value
    }

    /// One of the words of an enum.
    pub(super) fn read_choice<T: DeserializeOwned>(&mut self, key: &str) -> T {
        self.read(key, |value| {
            let word = value.clone().try_into();
            word.map_err(|error: toml::de::Error| error.message().to_owned())
        })
    }

    /// A string that `T` parses; `expected` is the message if it does not.
    pub(super) fn read_parsed<T: FromStr>(&mut self, key: &str, expected: &str) -> T {
        self.read_with(key, |text| text.parse().map_err(|_| expected.to_owned()))
    }

    /// An IP address and a port; `example` is part of the message if the value is neither.
    pub(super) fn read_socket_address(&mut self, key: &str, example: &str) -> SocketAddr {
        let expected = format!(
            "expected an IP address and a port, such as {example} (a host name is not resolved)"
        );
        self.read_parsed(key, &expected)
    }

    /// A string that `parse` accepts. It may not be empty or contain control characters.
    pub(super) fn read_with<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.read(key, |value| {
            let text = value.as_str().ok_or("expected a string")?;
            if text.trim().is_empty() {
                return Err("must not be empty; remove the key to use its default".to_owned());
            }
            if text.chars().any(char::is_control) {
                return Err("must not contain control characters".to_owned());
            }
            parse(text)
        })
    }

    /// The path of a directory that exists or can be created: no ancestor of it is a file.
    pub(super) fn read_directory(&mut self, key: &str) -> PathBuf {
        self.read_with(key, |text| {
            let path = PathBuf::from(text);
            for ancestor in path
                .ancestors()
                .filter(|ancestor| !ancestor.as_os_str().is_empty())
            {
                match fs::metadata(ancestor) {
                    Ok(found) if found.is_dir() => break,
                    Ok(_) => return Err(format!("{} is not a directory", ancestor.display())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    // A higher ancestor is the file; its message is clearer.
                    Err(error) if error.kind() == ErrorKind::NotADirectory => {}
                    Err(error) => return Err(format!("{}: {error}", ancestor.display())),
                }
            }
            Ok(path)
        })
    }

    /// A list of at most `count_max` strings that `T` parses.
    pub(super) fn read_list<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        count_max: usize,
        expected: &str,
    ) -> Vec<T> {
        self.read(key, |value| {
            let values = value.as_array().map_or(&[][..], Vec::as_slice);
            if values.len() > count_max {
                return Err(format!("{} values; at most {count_max}", values.len()));
            }
            let parsed = values.iter().map(|value| {
                let text = value.as_str().ok_or_else(|| {
                    format!(
                        "{value} is {}; expected a list of strings",
                        type_name(value)
                    )
                })?;
                let parsed = text.parse();
                parsed.map_err(|error: T::Err| format!("{value}: {error}; {expected}"))
            });
            let (good, wrong): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
            let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
            if wrong.is_empty() {
                Ok(good.into_iter().flatten().collect())
            } else {
                Err(wrong.join("; "))
            }
        })
    }

    /// An integer within a range.
    pub(super) fn read_integer(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        self.read(key, |value| {
            let number = value.as_integer().ok_or("expected an integer")?;
            let in_range = u64::try_from(number)
                .ok()
                .filter(|number| range.contains(number));
            let (min, max) = (range.start(), range.end());
            in_range.ok_or_else(|| format!("{number} is out of range, {min} to {max}"))
        })
    }

    /// As [`Reader::read_integer`], for a number of things in memory.
    pub(super) fn read_count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.read_integer(key, range)).expect("ranges of counts fit a usize")
    }

    /// As [`Reader::read_integer`], for a number of milliseconds.
    pub(super) fn read_ms(&mut self, key: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.read_integer(key, range))
    }

    /// Records that the values of two keys conflict, at the key that was set last. The message names the
    /// origin of the other one.
    pub(super) fn record_conflict(&mut self, keys: [&str; 2], message: &str) {
        let [first, second] = keys.map(|key| (layer_order(self.origin(key)), key));
        let (blamed, other) = if first.0 >= second.0 {
            (first.1, second.1)
        } else {
            (second.1, first.1)
        };
        let other_origin = match self.origin(other) {
            Origin::BuiltIn => format!("{other} has its default value"),
            origin => format!("{other} is set in {origin}"),
        };
        let message = format!("{message} ({other_origin})");
        let origin = self.origin(blamed).clone();
        self.layers.record_mistake(origin, Some(blamed), message);
    }

    fn origin(&self, key: &str) -> &Origin {
        self.layers.stacks[key].origin()
    }

    /// The configuration, or all mistakes in the order of the layers.
    pub(super) fn finish<T>(mut self, config: T) -> Result<T, Vec<ConfigMistake>> {
        assert!(self.unread.is_empty(), "no setting reads {:?}", self.unread);
        if self.layers.mistakes.is_empty() {
            return Ok(config);
        }
        self.layers
            .mistakes
            .sort_by(|a, b| layer_order(&a.origin).cmp(&layer_order(&b.origin)));
        Err(self.layers.mistakes)
    }
}

/// Sort key of mistakes: layer, name and line.
fn layer_order(origin: &Origin) -> (u8, &str, usize) {
    match origin {
        Origin::BuiltIn => (0, "", 0),
        Origin::WholeFile(name) => (1, name, 0),
        Origin::File { name, line } => (1, name, *line),
        Origin::Environment(variable) => (2, variable, 0),
        Origin::Flag(flag) => (3, flag, 0),
    }
}

/// Checks that a value has the type of its key's default.
fn check_type(given: &toml::Value, built_in: &toml::Value) -> Result<(), String> {
    if given.same_type(built_in) {
        return Ok(());
    }
    Err(format!(
        "expected {}, not {}; the default is {built_in}",
        type_name(built_in),
        type_name(given)
    ))
}

fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a string",
        toml::Value::Integer(_) => "an integer",
        toml::Value::Float(_) => "a float",
        toml::Value::Boolean(_) => "a boolean",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}
