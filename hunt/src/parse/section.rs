//! Tables of the document: typed values out of them, complaints about what they should not hold.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistakes;
use super::suggestion::{did_you_mean, is_close, listed};

/// A table of the document.
pub(super) struct Section<'d> {
    /// The last part of its name: an id, or a word like `hunt`.
    pub(super) key: &'d str,
    /// Where it is named.
    pub(super) place: Range<usize>,
    table: &'d DeTable<'d>,
}

/// A text of the document.
pub(super) struct Text<'d> {
    /// The text.
    pub(super) value: &'d str,
    /// Where it stands, quotes included.
    pub(super) place: Range<usize>,
}

impl<'d> Section<'d> {
    /// The document as a whole.
    pub(super) fn root(document: &'d DeTable<'d>) -> Self {
        Self {
            key: "",
            place: 0..0,
            table: document,
        }
    }

    /// Complains about every key that is not one of these.
    pub(super) fn refuse_unknown(&self, known: &[&str], mistakes: &mut Mistakes<'_>) {
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
        Self::of(name.get_ref(), name.span(), value, mistakes)
    }

    /// The tables within the table at a key, in the order of the file.
    pub(super) fn sections(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Vec<Self> {
        let Some(parent) = self.section(key, mistakes) else {
            return Vec::new();
        };
        let entries = parent.table.iter();
        let mut sections: Vec<Self> = entries
            .filter_map(|(name, value)| Self::of(name.get_ref(), name.span(), value, mistakes))
            .collect();
        sections.sort_by_key(|section| section.place.start);
        sections
    }

    fn of(
        key: &'d str,
        place: Range<usize>,
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
        Some(Self { key, place, table })
    }

    /// The text at a key that must be there.
    pub(super) fn required_text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Text<'d>> {
        let mistyped = |typed: &str| typed != key && is_close(typed, key);
        let keys = || self.table.keys().map(|typed| typed.get_ref().as_ref());
        // A mistyped key is refused as unknown; one mistake is enough.
        if !self.table.contains_key(key) && !keys().any(mistyped) {
            let message = format!("`{}` is missing the key `{key}`", self.key);
            mistakes.add(&self.place, message);
        }
        self.text(key, mistakes)
    }

    /// The text at a key.
    pub(super) fn text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Text<'d>> {
        let value = self.table.get(key)?;
        text(&quoted(key), value, mistakes)
    }

    /// The texts of a list at a key.
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

    /// The whole number at a key, from 0 to a maximum.
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

    /// Whether nothing is at a key, or a table with nothing in it.
    pub(super) fn lacks(&self, key: &str) -> bool {
        let value = self.table.get(key).map(Spanned::get_ref);
        value.is_none_or(|value| value.as_table().is_some_and(DeTable::is_empty))
    }

    /// Where the value of a key stands; where the section is named if there is none.
    pub(super) fn place_of(&self, key: &str) -> Range<usize> {
        let value = self.table.get(key);
        value.map_or_else(|| self.place.clone(), Spanned::span)
    }
}

impl Text<'_> {
    /// Where a part of the text stands in the file. A text that is spelled with escapes is not
    /// looked into: then it is where the whole text stands.
    pub(super) fn place_within(&self, part: Range<usize>, source: &str) -> Range<usize> {
        let spelled = &source[self.place.clone()];
        match spelled.find(self.value) {
            Some(quotes) if !self.value.is_empty() => {
                let start = self.place.start + quotes;
                start + part.start..start + part.end
            }
            Some(_) | None => self.place.clone(),
        }
    }
}

fn text<'d>(
    name: &str,
    value: &'d Spanned<DeValue<'d>>,
    mistakes: &mut Mistakes<'_>,
) -> Option<Text<'d>> {
    let place = value.span();
    let Some(text) = value.get_ref().as_str() else {
        mistakes.add(&place, wrong_type(name, "text in quotes", value.get_ref()));
        return None;
    };
    Some(Text { value: text, place })
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
