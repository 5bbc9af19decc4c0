//! The guesses that a team made on one puzzle.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Verdict;
use crate::ids::PlayerId;
use crate::text::Forms;

/// A judged guess.
///
/// Guesses are most of a stored state, so one is serialised as a tuple, without field names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JudgedGuess<'a> {
    /// The player who made it.
    pub player: PlayerId,
    /// The guess as typed.
    #[serde(borrow)]
    pub guess: Cow<'a, str>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Guesses in the order in which they were made.
///
/// The texts are stored in one string. Cloning a team on its first change after a snapshot therefore costs
/// few allocations, regardless of the number of guesses.
#[derive(Clone, Default)]
pub struct Guesses {
    text: String,
    made: Vec<StoredGuess>,
    /// Digests of the normal forms, in the same order. Derived from the texts when a guess is first looked
    /// up; no part of what is compared, stored or hashed.
    digests: OnceLock<Vec<u64>>,
}

impl PartialEq for Guesses {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.made == other.made
    }
}

impl Eq for Guesses {}

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

    /// Whether the team has made a guess that is equal in all its normal forms. O(guesses).
    pub(crate) fn contains(&self, guess: &Forms) -> bool {
        let digests = self.digests.get_or_init(|| {
            let forms = self.iter().map(|made| Forms::new(&made.guess));
            forms.map(|forms| digest(&forms)).collect()
        });
        let wanted = digest(guess);
        let mut same = digests
            .iter()
            .zip(self.iter())
            .filter(|(digest, _)| **digest == wanted);
        same.any(|(_, made)| Forms::new(&made.guess) == *guess)
    }

    pub(crate) fn push(&mut self, player: PlayerId, guess: &str, verdict: Verdict) {
        if let Some(digests) = self.digests.get_mut() {
            digests.push(digest(&Forms::new(guess)));
        }
        self.text.push_str(guess);
        self.made.push(StoredGuess {
            player,
            verdict,
            end: self.text.len(),
        });
    }
}

/// A digest that is only compared within this process.
fn digest(forms: &Forms) -> u64 {
    let mut hasher = DefaultHasher::new();
    forms.hash(&mut hasher);
    hasher.finish()
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
