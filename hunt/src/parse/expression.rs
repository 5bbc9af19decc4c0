//! The unlock language, in which authors say when a round or a puzzle opens:
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
//! A new kind of condition is a new arm of [`Reader::condition`], a new variant of
//! [`Unlock`](crate::unlock::Unlock), and a new row of the table in `docs/HUNTS.md`. It must be
//! monotonic: once true, it stays true.

use std::collections::BTreeSet;
use std::ops::Range;

use super::suggestion::did_you_mean;
use super::tokens::{Placed, Token, tokens};
use crate::unlock::Unlock;

/// The words of the language; no puzzle may be called so.
pub(super) const KEYWORDS: [&str; 4] = ["and", "or", "of", "score"];

/// How deep parentheses may nest, so that no text can exhaust the stack.
const DEPTH_MAX: usize = 32;

const CONDITION: &str = "a puzzle's id, `score >= N`, `N of (…)` or `(`";

/// What expressions are checked against.
pub(super) struct Names<'d> {
    /// The ids of all rounds.
    pub(super) rounds: BTreeSet<&'d str>,
    /// The ids of all puzzles.
    pub(super) puzzles: BTreeSet<&'d str>,
    /// The points of all puzzles together.
    pub(super) points_total: u32,
}

/// A mistake at a range of bytes of the expression.
pub(super) type Complaint = (Range<usize>, String);

/// Reads an expression. What is wrong is left out of the condition, which so holds more easily than
/// it should: [`Unlock::AtStart`] stands in its place.
pub(super) fn parse(text: &str, names: &Names<'_>) -> (Unlock, Vec<Complaint>) {
    let mut reader = Reader {
        tokens: tokens(text),
        next: 0,
        depth: 0,
        names,
        complaints: Vec::new(),
    };
    let unlock = reader.whole().unwrap_or_else(|syntax| {
        reader.complaints.push(syntax);
        Unlock::AtStart
    });
    (unlock, reader.complaints)
}

/// Reads from left to right. A wrong id or number is a complaint, after which the reading goes on; a
/// wrong sentence ends it.
struct Reader<'t> {
    tokens: Vec<Placed<'t>>,
    next: usize,
    depth: usize,
    names: &'t Names<'t>,
    complaints: Vec<Complaint>,
}

impl<'t> Reader<'t> {
    fn whole(&mut self) -> Result<Unlock, Complaint> {
        let unlock = self.disjunction()?;
        match self.peek() {
            Token::End => Ok(unlock),
            _ => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn disjunction(&mut self) -> Result<Unlock, Complaint> {
        let mut of = vec![self.conjunction()?];
        while self.skip(Token::Word("or")) {
            of.push(self.conjunction()?);
        }
        Ok(single(of).unwrap_or_else(Unlock::any))
    }

    fn conjunction(&mut self) -> Result<Unlock, Complaint> {
        let mut of = vec![self.condition()?];
        while self.skip(Token::Word("and")) {
            of.push(self.condition()?);
        }
        Ok(single(of).unwrap_or_else(Unlock::all))
    }

    fn condition(&mut self) -> Result<Unlock, Complaint> {
        match self.peek() {
            Token::Open => self.parenthesised(),
            Token::Word("score") => self.score(),
            Token::Word(word) if KEYWORDS.contains(&word) => Err(self.expected(CONDITION)),
            Token::Word(word) if self.peek_second() == Token::Word("of") => self.at_least(word),
            Token::Word(word) if self.peek_second() == Token::Open => {
                let message = format!("there is no condition `{word}(…)`");
                Err((self.place(), message))
            }
            Token::Word(word) => Ok(self.solved(word)),
            Token::Close | Token::Comma | Token::AtLeast | Token::Stray(_) | Token::End => {
                Err(self.expected(CONDITION))
            }
        }
    }

    fn parenthesised(&mut self) -> Result<Unlock, Complaint> {
        self.open()?;
        let unlock = self.disjunction()?;
        self.close("`and`, `or` or `)`")?;
        Ok(unlock)
    }

    fn score(&mut self) -> Result<Unlock, Complaint> {
        self.advance();
        self.expect(Token::AtLeast, "`>=` after `score`")?;
        let number = match self.peek() {
            Token::Word(word) => number(word),
            _ => None,
        };
        let Some(score) = number else {
            return Err(self.expected("a whole number of points"));
        };
        let place = self.advance();
        let total = self.names.points_total;
        if score > u64::from(total) {
            let message = format!("no team can score more than {total}, the total of all puzzles");
            self.complaints.push((place, message));
            return Ok(Unlock::AtStart);
        }
        let score = u32::try_from(score).expect("it is at most a u32");
        Ok(Unlock::Score(score))
    }

    fn at_least(&mut self, word: &str) -> Result<Unlock, Complaint> {
        let Some(count) = number(word) else {
            return Err(self.expected("a whole number before `of`"));
        };
        let place = self.advance();
        self.advance();
        self.open()?;
        let mut of = Vec::new();
        let mut listed = BTreeSet::new();
        loop {
            let place = self.place();
            let item = self.disjunction()?;
            if let Unlock::Solved(id) = &item
                && !listed.insert(id.clone())
            {
                let message = format!("`{id}` is listed twice and would count twice");
                self.complaints.push((place, message));
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
            self.complaints.push((place, message));
            return Ok(Unlock::AtStart);
        };
        Ok(Unlock::AtLeast { count, of })
    }

    fn solved(&mut self, id: &str) -> Unlock {
        let place = self.advance();
        if self.names.puzzles.contains(id) {
            return Unlock::Solved(id.into());
        }
        let message = if self.names.rounds.contains(id) {
            format!("`{id}` is a round; only puzzles can be solved")
        } else {
            let known = self.names.puzzles.iter().copied().chain(KEYWORDS);
            format!("there is no puzzle `{id}`{}", did_you_mean(id, known))
        };
        self.complaints.push((place, message));
        Unlock::AtStart
    }

    fn open(&mut self) -> Result<(), Complaint> {
        if self.depth == DEPTH_MAX {
            let message = format!("parentheses may nest at most {DEPTH_MAX} levels deep");
            return Err((self.place(), message));
        }
        self.depth += 1;
        self.expect(Token::Open, "`(`")
    }

    fn close(&mut self, expected: &str) -> Result<(), Complaint> {
        self.depth -= 1;
        self.expect(Token::Close, expected)
    }

    fn expect(&mut self, token: Token<'_>, expected: &str) -> Result<(), Complaint> {
        if self.skip(token) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn expected(&self, expected: &str) -> Complaint {
        let message = format!("expected {expected}, not {}", self.peek());
        (self.place(), message)
    }

    fn skip(&mut self, token: Token<'_>) -> bool {
        let skipped = self.peek() == token;
        if skipped {
            self.advance();
        }
        skipped
    }

    /// Goes past the next token and tells where it was. The end is never passed.
    fn advance(&mut self) -> Range<usize> {
        let place = self.place();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        place
    }

    fn peek(&self) -> Token<'t> {
        self.tokens[self.next].0
    }

    fn peek_second(&self) -> Token<'t> {
        let second = self.tokens.get(self.next + 1);
        second.map_or(Token::End, |(token, _)| *token)
    }

    fn place(&self) -> Range<usize> {
        self.tokens[self.next].1.clone()
    }
}

/// The only one of them; all of them back if there are more.
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

/// A whole number; one too big for its type is as good as the biggest.
fn number(word: &str) -> Option<u64> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().unwrap_or(u64::MAX))
}
