//! Spelling suggestions ("did you mean") by edit distance.

/// Returns the end of a message that suggests the closest word, or an empty string if none is close.
pub(super) fn did_you_mean<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let closest = words
        .into_iter()
        .map(|word| (edit_distance(typed, word), word))
        .filter(|(edit_distance, _)| *edit_distance <= edit_distance_max(typed))
        .min();
    closest.map_or_else(String::new, |(_, word)| format!("; did you mean `{word}`?"))
}

/// Whether one word may be a misspelling of the other.
pub(super) fn is_close(typed: &str, word: &str) -> bool {
    edit_distance(typed, word) <= edit_distance_max(typed)
}

/// The words in backticks, separated by commas.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// The maximum edit distance for a suggestion: 1 for a short word, 2 for a longer one.
fn edit_distance_max(typed: &str) -> usize {
    if typed.chars().count() < 5 { 1 } else { 2 }
}

/// The edit distance between two words: the number of insertions, deletions, substitutions and
/// transpositions of adjacent characters ("optimal string alignment" distance), ignoring case.
fn edit_distance(from: &str, to: &str) -> usize {
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
    use super::{did_you_mean, edit_distance};

    #[test]
    fn edit_distances_are_counted() {
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
            assert_eq!(edit_distance(from, to), count, "{from} {to}");
            assert_eq!(edit_distance(to, from), count, "{to} {from}");
        }
    }

    #[test]
    fn only_close_words_are_suggested() {
        let keys = ["title", "round", "answer"];
        assert_eq!(did_you_mean("titel", keys), "; did you mean `title`?");
        assert_eq!(did_you_mean("gnu", keys), "");
    }
}
