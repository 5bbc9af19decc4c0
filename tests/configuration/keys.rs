//! The keys of `config/default.toml` and the comments above them.

use cluecast::config::{Config, Layers};

pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A key and its comment.
#[derive(Debug, Clone)]
pub struct Key {
    pub section: String,
    pub name: String,
    /// The default, as written.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The comment above the key, joined to one line.
    pub comment: String,
}

impl Key {
    pub fn full(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The range that the comment gives, for integer keys.
    pub fn range(&self) -> Option<(u64, u64)> {
        self.value.parse::<u64>().ok()?;
        let words: Vec<&str> = self.comment.split_whitespace().collect();
        let number = |word: &str| word.trim_end_matches(['.', ',', ';', ':']).parse().ok();
        let mut ranges = words.windows(3).filter(|words| words[1] == "to");
        ranges.find_map(|words| Some((number(words[0])?, number(words[2])?)))
    }
}

/// All keys, in the order of the file.
pub fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    for (index, line) in DEFAULTS.lines().enumerate() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, value)) = line.split_once(" = ") {
            keys.push(Key {
                section: section.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
                line: index + 1,
                comment: comment.join(" "),
            });
        }
        comment.clear();
    }
    keys
}

fn set(key: &Key, value: &str) -> Vec<String> {
    let mut layers = Layers::built_in();
    layers.add_flag(&format!("{}={value}", key.full()));
    let mistakes = Config::read(layers).err().unwrap_or_default();
    let mut messages = Vec::new();
    for mistake in mistakes {
        messages.push(mistake.message);
    }
    messages
}

#[test]
fn every_key_has_a_comment() {
    let keys = keys();
    let layers = Layers::built_in();
    let known: Vec<&str> = layers.effective().map(|(key, _, _)| key).collect();
    assert_eq!(keys.len(), known.len());
    for key in &keys {
        assert!(known.contains(&key.full().as_str()), "{}", key.full());
        assert!(key.comment.len() >= 20, "{} has no comment", key.full());
    }
}

#[test]
fn ranges_in_comments_are_those_of_the_code() {
    for key in keys() {
        if key.value.parse::<u64>().is_err() {
            continue;
        }
        let name = key.full();
        let range = key.range();
        let (least, most) =
            range.unwrap_or_else(|| panic!("{name} has no `N to M` in its comment"));
        let refusal = format!("is out of range, {least} to {most}");
        for beyond in [i128::from(least) - 1, i128::from(most) + 1] {
            let messages = set(&key, &beyond.to_string());
            let told = messages.iter().any(|message| message.contains(&refusal));
            assert!(told, "{name}={beyond} is refused: {messages:?}");
        }
        for within in [least, most] {
            let messages = set(&key, &within.to_string());
            let told = messages
                .iter()
                .any(|message| message.contains("out of range"));
            assert!(!told, "{name}={within} is in range: {messages:?}");
        }
    }
}

#[test]
fn units_are_named() {
    let units = [
        ("_ms", "Milliseconds"),
        ("_ms_max", "Milliseconds"),
        ("_bytes_max", "Bytes"),
    ];
    for key in keys() {
        for (suffix, unit) in units {
            if key.name.ends_with(suffix) {
                assert!(key.comment.starts_with(unit), "{}", key.full());
            }
        }
    }
}
