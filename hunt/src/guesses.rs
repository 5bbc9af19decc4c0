//! The guesses that a team made on one puzzle.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Verdict;
use crate::ids::PlayerId;

/// A judged guess.
///
/// Guesses are most of a stored state, so one is serialised as a tuple, without field names. The older form
/// with field names can be deserialised too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JudgedGuess<'a> {
    /// The player who made it.
    pub player: PlayerId,
    /// The guess, normalised.
    #[serde(borrow)]
    pub guess: Cow<'a, str>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Guesses in the order in which they were made.
///
/// The texts are stored in one string. Cloning a team on its first change after a snapshot therefore costs
/// two allocations, regardless of the number of guesses.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Guesses {
    text: String,
    made: Vec<StoredGuess>,
}

/// A guess. Its text begins at the end of the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StoredGuess {
    player: PlayerId,
    verdict: Verdict,
    end: usize,
}

impl Serialize for JudgedGuess<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.player, &self.guess, self.verdict).serialize(serializer)
    }
}

impl Guesses {
    /// The number of guesses.
    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// The guesses, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = JudgedGuess<'_>> {
        let mut start = 0;
        self.made.iter().map(move |made| {
            let guess = &self.text[start..made.end];
            start = made.end;
            JudgedGuess {
                player: made.player,
                guess: guess.into(),
                verdict: made.verdict,
            }
        })
    }

    /// Whether the team has made this guess. O(guesses).
    pub(crate) fn contains(&self, guess: &str) -> bool {
        self.iter().any(|made| made.guess == guess)
    }

    pub(crate) fn push(&mut self, player: PlayerId, guess: &str, verdict: Verdict) {
        self.text.push_str(guess);
        self.made.push(StoredGuess {
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
        for made in Vec::<JudgedGuess<'de>>::deserialize(deserializer)? {
            guesses.push(made.player, &made.guess, made.verdict);
        }
        Ok(guesses)
    }
}
