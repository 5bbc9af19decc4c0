//! From the text of a TOML file to its values, each with its line.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// What a file says, in the order of its lines.
#[derive(Debug, Default)]
pub(super) struct FileText {
    /// The values of sections.
    pub(super) values: Vec<Placed>,
    /// What is not two levels deep: a value outside a section, and a section without a value.
    pub(super) bare: Vec<Bare>,
    /// Where the text is no TOML.
    pub(super) broken: Vec<Broken>,
}

/// A place at which a text is no TOML.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) line: usize,
    /// The key or the section that was begun there or before, as far as it can be read.
    pub(super) key: Option<String>,
    pub(super) reason: String,
}

/// A value of a section.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) line: usize,
    pub(super) section: String,
    pub(super) key: String,
    /// An error if it is a number beyond 64 bits.
    pub(super) value: Result<toml::Value, String>,
}

/// A key outside a section, or a section without a key.
#[derive(Debug)]
pub(super) struct Bare {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) is_table: bool,
}

/// Reads a text. If it is no TOML, only `broken` says something: what else is in it may have been
/// meant otherwise.
pub(super) fn read(text: &str) -> FileText {
    let line = |span: Range<usize>| {
        let before = &text.as_bytes()[..span.start.min(text.len())];
        before.split(|byte| *byte == b'\n').count()
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut read = FileText::default();
    if !errors.is_empty() {
        let places = errors.iter().map(|error| {
            let line = error.span().map_or(1, line);
            Broken {
                line,
                key: begun(text, line),
                reason: error.message().to_owned(),
            }
        });
        read.broken = places.collect();
        return read;
    }
    for (section, value) in table.get_ref() {
        let bare = |is_table| Bare {
            line: line(section.span()),
            name: section.get_ref().to_string(),
            is_table,
        };
        match value.get_ref() {
            DeValue::Table(values) if values.is_empty() => read.bare.push(bare(true)),
            DeValue::Table(values) => {
                let placed = values.iter().map(|(key, value)| Placed {
                    line: line(key.span()),
                    section: section.get_ref().to_string(),
                    key: key.get_ref().to_string(),
                    value: owned(value.get_ref()),
                });
                read.values.extend(placed);
            }
            _ => read.bare.push(bare(false)),
        }
    }
    read.values.sort_by_key(|placed| placed.line);
    read
}

/// The last key, with its section, or the last section that begins up to a line: what a human would say
/// is broken there.
fn begun(text: &str, line: usize) -> Option<String> {
    let mut section = None;
    let mut begun = None;
    for text in text.lines().take(line) {
        let text = text.trim_start_matches('\u{feff}').trim();
        if let Some(header) = text.strip_prefix('[') {
            let name = name_of(header.trim_start_matches('['));
            if name.is_some() {
                section = name;
                begun = section.map(str::to_owned);
            }
        } else if let Some(name) = name_of(text) {
            begun = Some(match section {
                Some(section) if !name.contains('.') => format!("{section}.{name}"),
                Some(_) | None => name.to_owned(),
            });
        }
    }
    begun
}

/// The bare key with which a text begins, which may have dots.
fn name_of(text: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let name = &text[..end];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some(name)
}

fn owned(value: &DeValue<'_>) -> Result<toml::Value, String> {
    Ok(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            toml::Value::Integer(parsed.map_err(|_| number.to_string())?)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse();
            toml::Value::Float(parsed.map_err(|_| number.to_string())?)
        }
        DeValue::Boolean(value) => toml::Value::Boolean(*value),
        DeValue::Datetime(value) => toml::Value::Datetime(*value),
        DeValue::Array(values) => {
            let values = values.iter().map(|value| owned(value.get_ref()));
            toml::Value::Array(values.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let values = table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), owned(value.get_ref())?)));
            toml::Value::Table(values.collect::<Result<_, String>>()?)
        }
    })
}
