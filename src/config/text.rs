//! Parses the text of a TOML file into entries with line numbers.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The content of a file, in the order of its lines.
#[derive(Debug, Default)]
pub(super) struct FileText {
    /// The keys of sections.
    pub(super) entries: Vec<Entry>,
    /// Keys outside a section, and sections without a key.
    pub(super) strays: Vec<Stray>,
    /// Syntax errors. If there are any, the other lists are empty.
    pub(super) errors: Vec<SyntaxError>,
}

/// A position at which the text is not TOML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    /// The last key or section that begins at or before the position, if one can be read.
    pub(super) key: Option<String>,
    pub(super) reason: String,
}

/// A key of a section and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) section: String,
    pub(super) key: String,
    /// `Err` holds the text of a number that does not fit 64 bits.
    pub(super) value: Result<toml::Value, String>,
}

/// A key outside a section, or a section without a key.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) is_table: bool,
}

/// Parses a text. If it has syntax errors, only those are returned: the entries around an error may not
/// be what the author meant.
pub(super) fn read(text: &str) -> FileText {
    let line = |span: Range<usize>| {
        let before = &text.as_bytes()[..span.start.min(text.len())];
        before.split(|byte| *byte == b'\n').count()
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut read = FileText::default();
    if !errors.is_empty() {
        let errors = errors.iter().map(|error| {
            let line = error.span().map_or(1, line);
            SyntaxError {
                line,
                key: last_key_until(text, line),
                reason: error.message().to_owned(),
            }
        });
        read.errors = errors.collect();
        return read;
    }
    for (section, value) in table.get_ref() {
        let stray = |is_table| Stray {
            line: line(section.span()),
            name: section.get_ref().to_string(),
            is_table,
        };
        match value.get_ref() {
            DeValue::Table(values) if values.is_empty() => read.strays.push(stray(true)),
            DeValue::Table(values) => {
                let entries = values.iter().map(|(key, value)| Entry {
                    line: line(key.span()),
                    section: section.get_ref().to_string(),
                    key: key.get_ref().to_string(),
                    value: to_owned_value(value.get_ref()),
                });
                read.entries.extend(entries);
            }
            _ => read.strays.push(stray(false)),
        }
    }
    read.entries.sort_by_key(|entry| entry.line);
    read
}

/// The last key (with its section) or section that begins up to a line. Error messages name it.
fn last_key_until(text: &str, line: usize) -> Option<String> {
    let mut section = None;
    let mut last = None;
    for text in text.lines().take(line) {
        let text = text.trim_start_matches('\u{feff}').trim();
        if let Some(header) = text.strip_prefix('[') {
            let name = leading_key(header.trim_start_matches('['));
            if name.is_some() {
                section = name;
                last = section.map(str::to_owned);
            }
        } else if let Some(name) = leading_key(text) {
            last = Some(match section {
                Some(section) if !name.contains('.') => format!("{section}.{name}"),
                Some(_) | None => name.to_owned(),
            });
        }
    }
    last
}

/// The bare, possibly dotted key at the start of a text.
fn leading_key(text: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let name = &text[..end];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some(name)
}

fn to_owned_value(value: &DeValue<'_>) -> Result<toml::Value, String> {
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
            let values = values.iter().map(|value| to_owned_value(value.get_ref()));
            toml::Value::Array(values.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let values = table.iter().map(|(key, value)| {
                Ok((key.get_ref().to_string(), to_owned_value(value.get_ref())?))
            });
            toml::Value::Table(values.collect::<Result<_, String>>()?)
        }
    })
}
