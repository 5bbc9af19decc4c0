//! Takes typed values out of layers and collects what is wrong with them.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
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

    /// The value of a key, as `convert` understands it. Every value that was given is looked at,
    /// also those that a later layer replaces. A wrong one is recorded, and the built-in one
    /// stands in for it.
    fn take<T>(&mut self, key: &str, convert: impl Fn(&toml::Value) -> Result<T, String>) -> T {
        self.unread.retain(|unread| unread != key);
        let stack = &self.layers.stacks[key];
        let mut value = convert(&stack.built_in).expect("the built-in values are right");
        let mut mistakes = Vec::new();
        for Setting {
            value: given,
            origin,
        } in &stack.given
        {
            match of_same_kind(given, &stack.built_in).and_then(|()| convert(given)) {
                Ok(converted) => value = converted,
                Err(message) => mistakes.push((origin.clone(), message)),
            }
        }
        for (origin, message) in mistakes {
            self.layers.wrong(origin, Some(key), message);
        }
        value
    }

    /// One of a few words.
    pub(super) fn take_word<T: DeserializeOwned>(&mut self, key: &str) -> T {
        self.take(key, |value| {
            let word = value.clone().try_into();
            word.map_err(|error: toml::de::Error| error.message().to_owned())
        })
    }

    /// Text that means something: `wanted` says what, for those who wrote something else.
    pub(super) fn take_text<T: FromStr>(&mut self, key: &str, wanted: &str) -> T {
        self.take_checked(key, |text| text.parse().map_err(|_| wanted.to_owned()))
    }

    /// Text that a check understands. None may be empty or hold control characters.
    pub(super) fn take_checked<T>(
        &mut self,
        key: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.take(key, |value| {
            let text = value.as_str().ok_or("text is expected")?;
            if text.trim().is_empty() {
                return Err("must not be empty; leave the key out for its default".to_owned());
            }
            if text.chars().any(char::is_control) {
                return Err("must not hold control characters".to_owned());
            }
            check(text)
        })
    }

    /// A folder that is there, or whose place is: nothing on the way to it is a file.
    pub(super) fn take_folder(&mut self, key: &str) -> PathBuf {
        self.take_checked(key, |text| {
            let path = PathBuf::from(text);
            for place in path
                .ancestors()
                .filter(|place| !place.as_os_str().is_empty())
            {
                match fs::metadata(place) {
                    Ok(found) if found.is_dir() => break,
                    Ok(_) => return Err(format!("{} is no folder", place.display())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    // What comes above it tells more.
                    Err(error) if error.kind() == ErrorKind::NotADirectory => {}
                    Err(error) => return Err(format!("{}: {error}", place.display())),
                }
            }
            Ok(path)
        })
    }

    /// A list of at most `count_max` texts that each mean something.
    pub(super) fn take_list<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        count_max: usize,
        wanted: &str,
    ) -> Vec<T> {
        self.take(key, |value| {
            let values = value.as_array().map_or(&[][..], Vec::as_slice);
            if values.len() > count_max {
                return Err(format!("{} values; at most {count_max}", values.len()));
            }
            let read = values.iter().map(|value| {
                let text = value.as_str().ok_or_else(|| {
                    format!("{value} is {}; a list of text is expected", kind(value))
                })?;
                let parsed = text.parse();
                parsed.map_err(|error: T::Err| format!("{value}: {error}; {wanted}"))
            });
            let (good, wrong): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
            let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
            if wrong.is_empty() {
                Ok(good.into_iter().flatten().collect())
            } else {
                Err(wrong.join("; "))
            }
        })
    }

    /// A whole number within a range.
    pub(super) fn take_within(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        self.take(key, |value| {
            let number = value.as_integer().ok_or("a whole number is expected")?;
            let found = u64::try_from(number)
                .ok()
                .filter(|found| range.contains(found));
            let (least, most) = (range.start(), range.end());
            found.ok_or_else(|| format!("{number} is out of range, {least} to {most}"))
        })
    }

    /// As [`Reader::take_within`], for a number of things in memory.
    pub(super) fn take_count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.take_within(key, range)).expect("ranges of counts fit a usize")
    }

    /// As [`Reader::take_within`], for a number of milliseconds.
    pub(super) fn take_ms(&mut self, key: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.take_within(key, range))
    }

    /// Records that the values of keys contradict each other: at the one that was set last, with
    /// the places of the others.
    pub(super) fn contradiction(&mut self, keys: [&str; 2], message: &str) {
        let [first, second] = keys.map(|key| (place(self.origin(key)), key));
        let (blamed, other) = if first.0 >= second.0 {
            (first.1, second.1)
        } else {
            (second.1, first.1)
        };
        let message = format!("{message} ({other} is from {})", self.origin(other));
        let origin = self.origin(blamed).clone();
        self.layers.wrong(origin, Some(blamed), message);
    }

    fn origin(&self, key: &str) -> &Origin {
        self.layers.stacks[key].origin()
    }

    pub(super) fn finish<T>(mut self, config: T) -> Result<T, Vec<ConfigMistake>> {
        assert!(self.unread.is_empty(), "no setting reads {:?}", self.unread);
        if self.layers.mistakes.is_empty() {
            return Ok(config);
        }
        self.layers
            .mistakes
            .sort_by(|a, b| place(&a.origin).cmp(&place(&b.origin)));
        Err(self.layers.mistakes)
    }
}

/// The order in which mistakes are told: by layer, file and line.
fn place(origin: &Origin) -> (u8, &str, usize) {
    match origin {
        Origin::BuiltIn => (0, "", 0),
        Origin::WholeFile(name) => (1, name, 0),
        Origin::File { name, line } => (1, name, *line),
        Origin::Environment(variable) => (2, variable, 0),
        Origin::Flag(flag) => (3, flag, 0),
    }
}

/// Whether a value is of the kind that its key's built-in value is of.
fn of_same_kind(given: &toml::Value, built_in: &toml::Value) -> Result<(), String> {
    if given.same_type(built_in) {
        return Ok(());
    }
    Err(format!(
        "{} is expected, not {}; the default is {built_in}",
        kind(built_in),
        kind(given)
    ))
}

fn kind(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "text",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}
