//! Normalisation of guesses and answers for comparison.

use unicode_normalization::UnicodeNormalization;

/// Removes case, accents, width variants, spaces and punctuation: `Café-Bar 7` becomes `CAFEBAR7`. The
/// result consists of upper-case letters and digits; marks that form a different letter instead of an
/// accent are kept. The algorithm is described in `docs/HUNTS.md`.
///
/// Idempotent.
pub fn normalise(text: &str) -> String {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_accent(*c))
        .nfkc()
        // Lower case first, because only the lower-case form of ẞ becomes SS in upper case.
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .filter(|c| c.is_alphanumeric())
        .collect();
    folded.nfkc().filter(|c| c.is_alphanumeric()).collect()
}

/// The Unicode block Combining Diacritical Marks: the accents of Latin, Greek and Cyrillic.
fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::normalise;

    #[test]
    fn equivalent_spellings_normalise_to_the_same_text() {
        for (typed, meant) in [
            ("spinnaker", "SPINNAKER"),
            (" Spin - naker! ", "SPINNAKER"),
            ("Café-Bar 7", "CAFEBAR7"),
            ("straße", "STRASSE"),
            ("STRAẞE", "STRASSE"),
            ("ＦＵＬＬ　ＷＩＤＴＨ", "FULLWIDTH"),
            ("ﬁn", "FIN"),
            ("がぎ", "がぎ"),
            ("한국", "한국"),
            ("…!?", ""),
        ] {
            assert_eq!(normalise(typed), meant, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn normalisation_is_idempotent(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
