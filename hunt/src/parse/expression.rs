//! Parses unlock conditions, the language in which authors define when rounds and puzzles unlock:
//!
//! ```text
//! disjunction = conjunction { "or" conjunction }
//! conjunction = condition { "and" condition }
//! condition   = "(" disjunction ")"
//!             | number "of" "(" disjunction { "," disjunction } ")"
//!             | "score" ">=" number
//!             | puzzle-id
//! ```
//!
//! A new kind of condition is a new arm of [`Parser::condition`], a new variant of
//! [`Unlock`](crate::unlock::Unlock), and a new row of the table in `docs/HUNTS.md`. It must be
//! monotonic: once true, it stays true.

use std::collections::BTreeSet;
use std::ops::Range;

use super::suggestion::did_you_mean;
use super::tokens::{SpannedToken, Token, tokens};
use crate::unlock::Unlock;

/// The keywords of the language, which are not valid puzzle ids.
pub(super) const KEYWORDS: [&str; 4] = ["and", "or", "of", "score"];

/// Maximum nesting depth of parentheses. Bounds the recursion.
const DEPTH_MAX: usize = 32;

const CONDITION: &str = "a puzzle's id, `score >= N`, `N of (…)` or `(`";

/// The names and values that expressions may refer to.
pub(super) struct Names<'d> {
    /// The ids of all rounds.
    pub(super) rounds: BTreeSet<&'d str>,
    /// The ids of all puzzles.
    pub(super) puzzles: BTreeSet<&'d str>,
    /// The total points of all puzzles.
    pub(super) points_total: u32,
}

/// A mistake with its byte range in the expression.
pub(super) type ExpressionMistake = (Range<usize>, String);

/// Parses an expression. [`Unlock::AtStart`] replaces every invalid part, so the result is at most too
/// lenient.
pub(super) fn parse(text: &str, names: &Names<'_>) -> (Unlock, Vec<ExpressionMistake>) {
    let mut parser = Parser {
        tokens: tokens(text),
        next: 0,
        depth: 0,
        names,
        mistakes: Vec::new(),
    };
    let unlock = parser.expression().unwrap_or_else(|syntax| {
        parser.mistakes.push(syntax);
        Unlock::AtStart
    });
    (unlock, parser.mistakes)
}

/// A recursive-descent parser. It records invalid ids and numbers and continues; it stops at the first
/// syntax error.
struct Parser<'t> {
    tokens: Vec<SpannedToken<'t>>,
    next: usize,
    depth: usize,
    names: &'t Names<'t>,
    mistakes: Vec<ExpressionMistake>,
}

impl<'t> Parser<'t> {
    fn expression(&mut self) -> Result<Unlock, ExpressionMistake> {
        let unlock = self.disjunction()?;
        match self.peek() {
            Token::End => Ok(unlock),
            _ => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn disjunction(&mut self) -> Result<Unlock, ExpressionMistake> {
        let mut of = vec![self.conjunction()?];
        while self.skip(Token::Word("or")) {
            of.push(self.conjunction()?);
        }
        Ok(single(of).unwrap_or_else(Unlock::any))
    }

    fn conjunction(&mut self) -> Result<Unlock, ExpressionMistake> {
        let mut of = vec![self.condition()?];
        while self.skip(Token::Word("and")) {
            of.push(self.condition()?);
        }
        Ok(single(of).unwrap_or_else(Unlock::all))
    }

    fn condition(&mut self) -> Result<Unlock, ExpressionMistake> {
        match self.peek() {
            Token::Open => self.parenthesised(),
            Token::Word("score") => self.score(),
            Token::Word(word) if KEYWORDS.contains(&word) => Err(self.expected(CONDITION)),
            Token::Word(word) if self.peek_second() == Token::Word("of") => self.at_least(word),
            Token::Word(word) if self.peek_second() == Token::Open => {
                let message = format!("there is no condition `{word}(…)`");
                Err((self.span(), message))
            }
            Token::Word(word) => Ok(self.solved(word)),
            Token::Close | Token::Comma | Token::AtLeast | Token::Stray(_) | Token::End => {
                Err(self.expected(CONDITION))
            }
        }
    }

    fn parenthesised(&mut self) -> Result<Unlock, ExpressionMistake> {
        self.open()?;
        let unlock = self.disjunction()?;
        self.close("`and`, `or` or `)`")?;
        Ok(unlock)
    }

    fn score(&mut self) -> Result<Unlock, ExpressionMistake> {
        self.advance();
        self.expect(Token::AtLeast, "`>=` after `score`")?;
        let number = match self.peek() {
            Token::Word(word) => number(word),
            _ => None,
        };
        let Some(score) = number else {
            return Err(self.expected("a whole number of points"));
        };
        let span = self.advance();
        let total = self.names.points_total;
        if score > u64::from(total) {
            let message = format!("no team can score more than {total}, the total of all puzzles");
            self.mistakes.push((span, message));
            return Ok(Unlock::AtStart);
        }
        let score = u32::try_from(score).expect("it is at most the total, which is a u32");
        Ok(Unlock::Score(score))
    }

    fn at_least(&mut self, word: &str) -> Result<Unlock, ExpressionMistake> {
        let Some(count) = number(word) else {
            return Err(self.expected("a whole number before `of`"));
        };
        let span = self.advance();
        self.advance();
        self.open()?;
        let mut of = Vec::new();
        let mut listed = BTreeSet::new();
        loop {
            let span = self.span();
            let item = self.disjunction()?;
            if let Unlock::Solved(id) = &item
                && !listed.insert(id.clone())
            {
                let message = format!("`{id}` is listed twice and would count twice");
                self.mistakes.push((span, message));
            }
            of.push(item);
            if !self.skip(Token::Comma) {
                break;
            }
        }
        self.close("`and`, `or`, `,` or `)`")?;
        let fitting = usize::try_from(count).ok();
        let Some(count) = fitting.filter(|count| (1..=of.len()).contains(count)) else {
            let length = of.len();
            let range = match length {
                1 => "1".to_owned(),
                _ => format!("from 1 to {length}"),
            };
            let message = format!("the number before `of` must be {range}, the length of its list");
            self.mistakes.push((span, message));
            return Ok(Unlock::AtStart);
        };
        Ok(Unlock::AtLeast { count, of })
    }

    fn solved(&mut self, id: &str) -> Unlock {
        let span = self.advance();
        if self.names.puzzles.contains(id) {
            return Unlock::Solved(id.into());
        }
        let message = if self.names.rounds.contains(id) {
            format!("`{id}` is a round; only puzzles can be solved")
        } else {
            let known = self.names.puzzles.iter().copied().chain(KEYWORDS);
            format!("there is no puzzle `{id}`{}", did_you_mean(id, known))
        };
        self.mistakes.push((span, message));
        Unlock::AtStart
    }

    fn open(&mut self) -> Result<(), ExpressionMistake> {
        if self.depth == DEPTH_MAX {
            let message = format!("parentheses may nest at most {DEPTH_MAX} levels deep");
            return Err((self.span(), message));
        }
        self.depth += 1;
        self.expect(Token::Open, "`(`")
    }

    fn close(&mut self, expected: &str) -> Result<(), ExpressionMistake> {
        self.depth -= 1;
        self.expect(Token::Close, expected)
    }

    fn expect(&mut self, token: Token<'_>, expected: &str) -> Result<(), ExpressionMistake> {
        if self.skip(token) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn expected(&self, expected: &str) -> ExpressionMistake {
        let message = format!("expected {expected}, not {}", self.peek());
        (self.span(), message)
    }

    fn skip(&mut self, token: Token<'_>) -> bool {
        let skipped = self.peek() == token;
        if skipped {
            self.advance();
        }
        skipped
    }

    /// Consumes the next token and returns its span. Never consumes the end.
    fn advance(&mut self) -> Range<usize> {
        let span = self.span();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        span
    }

    fn peek(&self) -> Token<'t> {
        self.tokens[self.next].0
    }

    fn peek_second(&self) -> Token<'t> {
        let second = self.tokens.get(self.next + 1);
        second.map_or(Token::End, |(token, _)| *token)
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.next].1.clone()
    }
}

/// Returns the only condition, or all of them as the error if there are several.
fn single(mut of: Vec<Unlock>) -> Result<Unlock, Vec<Unlock>> {
    match of.pop() {
        Some(only) if of.is_empty() => Ok(only),
        Some(last) => {
            of.push(last);
            Err(of)
        }
        None => Err(of),
    }
}

/// Parses a whole number, saturating.
fn number(word: &str) -> Option<u64> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().unwrap_or(u64::MAX))
}
