//! "Did you mean": the known word that is closest to a mistyped one.

/// A sentence end that offers the closest of the words, or nothing if none is close.
pub(super) fn did_you_mean<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let closest = words
        .into_iter()
        .map(|word| (slips(typed, word), word))
        .filter(|(slips, _)| *slips <= slips_max(typed))
        .min();
    closest.map_or_else(String::new, |(_, word)| format!("; did you mean `{word}`?"))
}

/// Whether one word may be meant by the other.
pub(super) fn is_close(typed: &str, word: &str) -> bool {
    slips(typed, word) <= slips_max(typed)
}

/// The words in backticks with commas between them.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// One slip in a short word, two in a longer one; more would be guessing.
fn slips_max(typed: &str) -> usize {
    if typed.chars().count() < 5 { 1 } else { 2 }
}

/// How many characters must be added, removed, replaced, or swapped with their neighbour to get from
/// one word to the other: the "optimal string alignment" distance, without regard to case.
fn slips(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut next = vec![i];
        for j in 1..=to.len() {
            let replaced = row[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                least = least.min(above[j - 2] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, slips};

    #[test]
    fn slips_are_counted() {
        for (from, to, count) in [
            ("", "", 0),
            ("quay", "quay", 0),
            ("Quay", "quay", 0),
            ("quai", "quay", 1),
            ("qauy", "quay", 1),
            ("titel", "title", 1),
            ("flag", "flags", 1),
            ("", "abc", 3),
            ("knots", "bell", 5),
        ] {
            assert_eq!(slips(from, to), count, "{from} {to}");
            assert_eq!(slips(to, from), count, "{to} {from}");
        }
    }

    #[test]
    fn only_what_is_close_is_offered() {
        let keys = ["title", "round", "answer"];
        assert_eq!(did_you_mean("titel", keys), "; did you mean `title`?");
        assert_eq!(did_you_mean("gnu", keys), "");
    }
}
