//! The form in which guesses are compared with answers.

use unicode_normalization::UnicodeNormalization;

/// Folds away what people do not mean when they type an answer: case, accents, width, spaces and
/// punctuation. `Café-Bar 7` becomes `CAFEBAR7`. What stays are upper-case letters, digits, and
/// the marks that belong to letters of scripts in which they are not accents.
///
/// It is idempotent: normalising twice gives the same as normalising once.
pub fn normalise(text: &str) -> String {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_accent(*c))
        .nfkc()
        // Lower first: there is an upper-case ẞ, which must become SS like any other.
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
    fn people_mean_the_same() {
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
        fn twice_is_once(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
