//! Splits unlock conditions into tokens.

use std::fmt;
use std::ops::Range;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// An id, a number or a keyword: letters, digits, `-` and `_`.
    Word(&'t str),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `>=`
    AtLeast,
    /// A character that is not part of the language.
    Stray(char),
    /// The end of the text.
    End,
}

/// A token with its byte range in the text.
pub(super) type SpannedToken<'t> = (Token<'t>, Range<usize>);

/// Splits a text into tokens. The last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Vec<SpannedToken<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '>' if rest.starts_with(">=") => (Token::AtLeast, 2),
            c if in_word(c) => {
                let length = rest.len() - rest.trim_start_matches(in_word).len();
                (Token::Word(&rest[..length]), length)
            }
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            c => (Token::Stray(c), c.len_utf8()),
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    tokens.push((Token::End, text.len()..text.len()));
    tokens
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::AtLeast => f.write_str("`>=`"),
            Self::Stray(c) => write!(f, "`{c}`"),
            Self::End => f.write_str("the end"),
        }
    }
}
