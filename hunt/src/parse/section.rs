//! Typed access to the tables of the document. Wrong types and unknown keys become mistakes.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistakes;
use super::suggestion::{did_you_mean, is_close, listed};

/// A table of the document.
pub(super) struct Section<'d> {
    /// The last part of its name: an id, or a name such as `hunt`.
    pub(super) key: &'d str,
    /// The span of its name.
    pub(super) span: Range<usize>,
    table: &'d DeTable<'d>,
}

/// A string of the document.
pub(super) struct Text<'d> {
    /// The string.
    pub(super) value: &'d str,
    /// Its span, including the quotes.
    pub(super) span: Range<usize>,
}

impl<'d> Section<'d> {
    /// The root table of the document.
    pub(super) fn root(document: &'d DeTable<'d>) -> Self {
        Self {
            key: "",
            span: 0..0,
            table: document,
        }
    }

    /// Adds a mistake for every unknown key.
    pub(super) fn reject_unknown_keys(&self, known: &[&str], mistakes: &mut Mistakes<'_>) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let suggestion = did_you_mean(name, known.iter().copied());
                let message = if suggestion.is_empty() {
                    let known = listed(known.iter().copied());
                    format!("unknown key `{name}`; the keys are {known}")
                } else {
                    format!("unknown key `{name}`{suggestion}")
                };
                mistakes.add(&key.span(), message);
            }
        }
    }

    /// The table at a key.
    pub(super) fn section(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let (name, value) = self.table.get_key_value(key)?;
        Self::from_value(name.get_ref(), name.span(), value, mistakes)
    }

    /// The subtables of the table at a key, in the order of the file.
    pub(super) fn sections(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Vec<Self> {
        let Some(parent) = self.section(key, mistakes) else {
            return Vec::new();
        };
        let entries = parent.table.iter();
        let mut sections: Vec<Self> = entries
            .filter_map(|(name, value)| {
                Self::from_value(name.get_ref(), name.span(), value, mistakes)
            })
            .collect();
        sections.sort_by_key(|section| section.span.start);
        sections
    }

    fn from_value(
        key: &'d str,
        span: Range<usize>,
        value: &'d Spanned<DeValue<'d>>,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            mistakes.add(
                &value.span(),
                wrong_type(&quoted(key), "a table", value.get_ref()),
            );
            return None;
        };
        Some(Self { key, span, table })
    }

    /// The string at a required key.
    pub(super) fn required_text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Text<'d>> {
        let misspelled = |typed: &str| typed != key && is_close(typed, key);
        let keys = || self.table.keys().map(|typed| typed.get_ref().as_ref());
        // A misspelled key was already reported as unknown.
        if !self.table.contains_key(key) && !keys().any(misspelled) {
            let message = format!("`{}` is missing the key `{key}`", self.key);
            mistakes.add(&self.span, message);
        }
        self.text(key, mistakes)
    }

    /// The string at a key.
    pub(super) fn text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Text<'d>> {
        let value = self.table.get(key)?;
        text(&quoted(key), value, mistakes)
    }

    /// The list of strings at a key.
    pub(super) fn texts(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Vec<Text<'d>>> {
        let value = self.table.get(key)?;
        let Some(list) = value.get_ref().as_array() else {
            let message = wrong_type(&quoted(key), "a list of quoted texts", value.get_ref());
            mistakes.add(&value.span(), message);
            return None;
        };
        let item = format!("each item of `{key}`");
        let texts = list.iter();
        Some(
            texts
                .filter_map(|value| text(&item, value, mistakes))
                .collect(),
        )
    }

    /// The whole number at a key, at most `max`.
    pub(super) fn number(&self, key: &str, max: u32, mistakes: &mut Mistakes<'_>) -> Option<u32> {
        let value = self.table.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            let message = wrong_type(&quoted(key), "a whole number", value.get_ref());
            mistakes.add(&value.span(), message);
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.filter(|number| *number <= max);
        if fitting.is_none() {
            let message = format!("`{key}` must be from 0 to {max}, not {integer}");
            mistakes.add(&value.span(), message);
        }
        fitting
    }

    /// Whether a key is missing, or its value is an empty table.
    pub(super) fn is_empty_or_missing(&self, key: &str) -> bool {
        let value = self.table.get(key).map(Spanned::get_ref);
        value.is_none_or(|value| value.as_table().is_some_and(DeTable::is_empty))
    }

    /// The span of the value at a key; the span of the section's name if the key is missing.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        let value = self.table.get(key);
        value.map_or_else(|| self.span.clone(), Spanned::span)
    }
}

impl Text<'_> {
    /// The span of a part of the string in the file. For a string with escapes, the span of the whole
    /// string.
    pub(super) fn span_within(&self, part: Range<usize>, source: &str) -> Range<usize> {
        let spelled = &source[self.span.clone()];
        match spelled.find(self.value) {
            Some(quotes) if !self.value.is_empty() => {
                let start = self.span.start + quotes;
                start + part.start..start + part.end
            }
            Some(_) | None => self.span.clone(),
        }
    }
}

fn text<'d>(
    name: &str,
    value: &'d Spanned<DeValue<'d>>,
    mistakes: &mut Mistakes<'_>,
) -> Option<Text<'d>> {
    let span = value.span();
    let Some(text) = value.get_ref().as_str() else {
        mistakes.add(&span, wrong_type(name, "text in quotes", value.get_ref()));
        return None;
    };
    Some(Text { value: text, span })
}

fn quoted(key: &str) -> String {
    format!("`{key}`")
}

fn wrong_type(name: &str, wanted: &str, value: &DeValue<'_>) -> String {
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("{name} must be {wanted}, not {found}")
}
