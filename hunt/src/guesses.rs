//! The guesses that a team made on one puzzle.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Verdict;
use crate::ids::PlayerId;

/// A guess that was judged. Most of a state is these, so it is written down without the names of its
/// fields; with them, as it once was, it is read as well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GuessMade<'a> {
    /// Who made it.
    pub player: PlayerId,
    /// The guess, normalised.
    #[serde(borrow)]
    pub guess: Cow<'a, str>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Guesses in the order in which they were made.
///
/// Their texts lie in one piece: a team's first guess after its state was shared copies all of them, and
/// that costs two allocations however many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Guesses {
    text: String,
    made: Vec<Made>,
}

/// A guess, whose text lies between the end of the one before and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    player: PlayerId,
    verdict: Verdict,
    end: usize,
}

impl Serialize for GuessMade<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.player, &self.guess, self.verdict).serialize(serializer)
    }
}

impl Guesses {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = GuessMade<'_>> {
        let mut start = 0;
        self.made.iter().map(move |made| {
            let guess = &self.text[start..made.end];
            start = made.end;
            GuessMade {
                player: made.player,
                guess: guess.into(),
                verdict: made.verdict,
            }
        })
    }

    /// Whether this was guessed.
    pub(crate) fn contains(&self, guess: &str) -> bool {
        self.iter().any(|made| made.guess == guess)
    }

    pub(crate) fn push(&mut self, player: PlayerId, guess: &str, verdict: Verdict) {
        self.text.push_str(guess);
        self.made.push(Made {
            player,
            verdict,
            end: self.text.len(),
        });
    }
}

impl fmt::Debug for Guesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Guesses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Guesses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut guesses = Self::default();
        for made in Vec::<GuessMade<'de>>::deserialize(deserializer)? {
            guesses.push(made.player, &made.guess, made.verdict);
        }
        Ok(guesses)
    }
}
