//! The verdicts of a log and the words for them.

use std::str::FromStr;

use protocol::Verdict;

/// Words for verdicts, as in `Y=correct,N=wrong`. Letter case is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts(Vec<(String, Verdict)>);

impl Verdicts {
    /// The verdict of a word.
    pub(super) fn verdict(&self, word: &str) -> Result<Verdict, String> {
        let lower = word.to_lowercase();
        let known = self.0.iter().find(|(known, _)| *known == lower);
        known.map(|(_, verdict)| *verdict).ok_or_else(|| {
            let words: Vec<String> = self.0.iter().map(|(word, _)| word.to_uppercase()).collect();
            let words = words.join(", ");
            format!("expected one of {words}; other words can be defined with --verdicts")
        })
    }
}

impl FromStr for Verdicts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut verdicts: Vec<(String, Verdict)> = Vec::new();
        for pair in text.split(',') {
            let (word, meaning) = pair.split_once('=').unwrap_or_default();
            let word = word.trim().to_lowercase();
            let verdict = match meaning.trim() {
                // A free answer is the right one, so that the server judges it correct.
                "correct" | "free" => Verdict::Correct,
                "wrong" => Verdict::Wrong,
                _ => {
                    return Err(format!(
                        "{pair:?} is not WORD=correct, WORD=wrong or WORD=free"
                    ));
                }
            };
            if word.is_empty() || verdicts.iter().any(|(known, _)| *known == word) {
                return Err(format!(
                    "{pair:?} has no word, or one that is defined twice"
                ));
            }
            verdicts.push((word, verdict));
        }
        Ok(Self(verdicts))
    }
}
