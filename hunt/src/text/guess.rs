//! How guesses are compared with answers: by what people mean, not by how they type it.
//!
//! Which marks are accents and which make another word depends on the script. This file owns these
//! rules; [`NORMALISER_VERSION`] changes with them, and journaled verdicts are never judged again.

use icu_properties::props::{Alphabetic, DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

use super::latin::plain_letters;

/// The version of the rules in this file, journaled with each verdict.
pub const NORMALISER_VERSION: u32 = 1;

const DIAERESIS: char = '\u{308}';
const GRAVE: char = '\u{300}';
const ACUTE: char = '\u{301}';
const TATWEEL: char = '\u{640}';

/// The normal forms of a guess or an answer.
///
/// There are two, because umlauts are typed in two ways: `Müller` is `MULLER` and `MUELLER`. The order
/// is total and serves no purpose but to store forms in ordered collections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forms {
    plain: String,
    /// Umlauts written as two letters; `None` where that changes nothing.
    spelled_out: Option<String>,
}

impl Forms {
    /// Normalises a text. Idempotent: each form of the result has itself as its only form.
    ///
    /// What stays are upper-case letters, digits, and marks that belong to letters of scripts in which
    /// they are not accents. A text with a letter or a digit never becomes empty.
    pub fn new(text: &str) -> Self {
        let forms = Self::without_modifiers(text);
        if !forms.is_empty() {
            return forms;
        }
        // A mark that belonged to a symbol stands on its own once the symbol is gone.
        let letters = letters_as_they_are(text);
        let forms = Self::without_modifiers(&letters);
        if !forms.is_empty() {
            return forms;
        }
        Self {
            plain: letters,
            spelled_out: None,
        }
    }

    /// Empty also for letters that are all of a kind that is dropped.
    fn without_modifiers(text: &str) -> Self {
        let mut writer = Writer::default();
        for c in text.nfc().filter(|c| !is_default_ignorable(*c)) {
            if is_symbol(c) {
                writer.skip_marks();
            } else {
                std::iter::once(c)
                    .nfkd()
                    .for_each(|part| writer.write(part));
            }
        }
        Self {
            plain: writer.plain.nfc().collect(),
            spelled_out: writer.spelled_out.map(|text| text.nfc().collect()),
        }
    }

    /// Whether nothing is left to compare: the text had neither a letter nor a digit.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    /// Whether a form of one text equals a form of the other, as it takes for a guess to be correct.
    ///
    /// Whether a guess repeats another one is stricter: all forms must be equal (`==`).
    pub fn matches(&self, other: &Self) -> bool {
        self.all()
            .any(|form| other.all().any(|theirs| form == theirs))
    }

    /// The form in which umlauts are their base letters.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.plain.as_str()).chain(self.spelled_out.as_deref())
    }
}

/// A name without case, width and accents; symbols and single spaces stay.
pub(super) fn fold_name(name: &str) -> String {
    let mut writer = Writer::default();
    for c in name.nfc().filter(|c| !is_default_ignorable(*c)) {
        let mut parts = std::iter::once(c).nfkd();
        if c.is_whitespace() {
            if !writer.plain.is_empty() && !writer.plain.ends_with(' ') {
                writer.plain.push(' ');
            }
        } else if is_symbol(c)
            || !parts
                .clone()
                .any(|part| part.is_alphanumeric() || is_mark(part))
        {
            writer.plain.extend(parts);
            writer.base = Base::Neutral;
        } else {
            parts.by_ref().for_each(|part| writer.write(part));
        }
    }
    writer.plain.trim_end().nfc().collect()
}

/// The last letter written, as far as it decides about the marks that follow.
#[derive(Debug, Clone, Copy, Default)]
enum Base {
    /// None yet, a digit, or a letter without a script.
    #[default]
    Neutral,
    Latin(char),
    Greek,
    Hebrew,
    Arabic,
    Cyrillic(char),
    Other,
}

/// Writes the forms from characters in compatibility decomposition.
#[derive(Default)]
struct Writer {
    plain: String,
    spelled_out: Option<String>,
    base: Base,
    follows_symbol: bool,
}

impl Writer {
    /// The marks that follow belong to a symbol, which is dropped.
    fn skip_marks(&mut self) {
        self.follows_symbol = true;
    }

    fn write(&mut self, c: char) {
        if is_default_ignorable(c) {
            return;
        }
        if is_mark(c) {
            if !self.follows_symbol {
                self.write_mark(c);
            }
            return;
        }
        match general_category(c) {
            GeneralCategory::DecimalNumber => {
                self.base = Base::Neutral;
                self.push(decimal_digit(c));
            }
            _ if is_modifier(c) => {}
            _ if c.is_alphanumeric() => self.write_letter(c),
            // Spaces, punctuation, and what symbols decompose to.
            _ => {}
        }
        self.follows_symbol = false;
    }

    fn write_letter(&mut self, letter: char) {
        // Lower case first: there is an upper-case ẞ, which becomes SS as ß does.
        for c in letter.to_lowercase().flat_map(char::to_uppercase) {
            self.base = match script(c) {
                Script::Latin => Base::Latin(c),
                Script::Greek => Base::Greek,
                Script::Hebrew => Base::Hebrew,
                Script::Arabic => Base::Arabic,
                Script::Cyrillic => Base::Cyrillic(c),
                Script::Common | Script::Inherited => Base::Neutral,
                _ => Base::Other,
            };
            match plain_letters(c) {
                Some(letters) => letters.chars().for_each(|c| self.push(c)),
                None => self.push(c),
            }
        }
    }

    fn write_mark(&mut self, mark: char) {
        match self.base {
            Base::Latin('A' | 'O' | 'U') if mark == DIAERESIS => {
                self.spelled_out
                    .get_or_insert_with(|| self.plain.clone())
                    .push('E');
            }
            Base::Latin(_) | Base::Greek | Base::Hebrew => {}
            Base::Arabic => {
                // Madda and hamza make letters of their own; all other marks are vowels and notes.
                if matches!(mark, '\u{653}'..='\u{655}') {
                    self.push(mark);
                }
            }
            Base::Cyrillic(letter) => {
                let is_stress = match mark {
                    GRAVE => true,
                    // Ѓ and ќ are letters.
                    ACUTE => !matches!(letter, 'Г' | 'К'),
                    DIAERESIS => letter == 'Е',
                    _ => false,
                };
                if !is_stress {
                    self.push(mark);
                }
            }
            Base::Neutral => {
                if !matches!(mark, '\u{300}'..='\u{36f}') {
                    self.push(mark);
                }
            }
            Base::Other => self.push(mark),
        }
    }

    fn push(&mut self, c: char) {
        self.plain.push(c);
        if let Some(spelled_out) = &mut self.spelled_out {
            spelled_out.push(c);
        }
    }
}

/// The form of a text whose letters are all of a kind that is dropped elsewhere, such as a tatweel.
fn letters_as_they_are(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    let upper: String = letters
        .nfkc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .collect();
    upper.nfc().collect()
}

fn is_mark(c: char) -> bool {
    matches!(
        general_category(c),
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
    )
}

fn general_category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

/// Joiners, variation selectors and other characters without a shape of their own.
fn is_default_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Symbols are dropped before they are decomposed: `™` is not `TM`. Circled letters are letters.
fn is_symbol(c: char) -> bool {
    matches!(
        general_category(c),
        GeneralCategory::MathSymbol
            | GeneralCategory::CurrencySymbol
            | GeneralCategory::ModifierSymbol
            | GeneralCategory::OtherSymbol
    ) && !CodePointSetData::new::<Alphabetic>().contains(c)
}

/// Letters that only lengthen or colour others: tatweel, and modifiers such as the ʻokina.
fn is_modifier(c: char) -> bool {
    c == TATWEEL || matches!(c, '\u{2b0}'..='\u{2ff}')
}

/// The ASCII digit for a decimal digit of any script.
///
/// Unicode encodes decimal digits in runs of ten in ascending order (UAX 44, `Numeric_Type`).
fn decimal_digit(c: char) -> char {
    let code = u32::from(c);
    let mut first = code;
    let is_digit = |code: u32| {
        char::from_u32(code).is_some_and(|c| general_category(c) == GeneralCategory::DecimalNumber)
    };
    while first > 0 && is_digit(first - 1) {
        first -= 1;
    }
    char::from_digit((code - first) % 10, 10).expect("a remainder of ten is a digit")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Forms;

    fn plain(text: &str) -> String {
        Forms::new(text).plain().to_owned()
    }

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
            ("Acme™", "ACME"),
            ("Ⓐ", "A"),
            ("Hawaiʻi", "HAWAII"),
            ("1️⃣2", "12"),
            ("☃", ""),
            ("a☃\u{301}b", "AB"),
            ("ـ", "ـ"),
            ("\u{37a}", "Ι"),
            ("\u{10781}\u{fffc}\u{d4a}", "\u{d4a}"),
        ] {
            assert_eq!(plain(typed), meant, "{typed}");
        }
    }

    #[test]
    fn guesses_are_compared_by_the_rules_of_their_script() {
        for (answer, guess, matches) in [
            // Marks of these scripts make another word.
            ("ข้าว", "ขาว", false),
            ("ข้าว", "ข่าว", false),
            ("МОЙ", "мои", false),
            ("їжак", "іжак", false),
            ("ўсё", "усё", false),
            ("ѓ", "г", false),
            ("が", "か", false),
            ("أب", "اب", false),
            ("हिन्दी", "हिनदी", false),
            // These do not.
            ("ёлка", "елка", true),
            ("за\u{301}мок", "замок", true),
            ("שלום", "שָׁלוֹם", true),
            ("سلام", "سَلَام", true),
            ("سلام", "ســـلام", true),
            ("Ἀθῆναι", "αθηναι", true),
            // Digits of all keyboards.
            ("1945", "١٩٤٥", true),
            ("1945", "۱۹۴۵", true),
            ("1945", "१९४५", true),
            ("1945", "๑๙๔๕", true),
            ("1945", "𝟏𝟗𝟜𝟝", true),
            // Latin letters without a decomposition.
            ("ŁÓDŹ", "lodz", true),
            ("Ærø", "aero", true),
            ("Đorđe", "dorde", true),
            ("Þór", "thor", true),
            ("cœur", "coeur", true),
            // Umlauts match both ways of typing them.
            ("Müller", "Mueller", true),
            ("Müller", "Muller", true),
            ("Mueller", "Müller", true),
            ("Mueller", "Muller", false),
            ("ÖL", "oel", true),
            ("TM", "™", false),
        ] {
            let matched = Forms::new(answer).matches(&Forms::new(guess));
            assert_eq!(matched, matches, "{answer} and {guess}");
        }
    }

    #[test]
    fn a_guess_repeats_another_only_in_all_forms() {
        assert_ne!(Forms::new("Müller"), Forms::new("Muller"));
        assert_ne!(Forms::new("Müller"), Forms::new("Mueller"));
        assert_eq!(Forms::new("Müller"), Forms::new("mU\u{308}LLER!"));
    }

    fn text() -> impl Strategy<Value = String> {
        let any = proptest::collection::vec(any::<char>(), 0..12);
        let scripts = "[\\p{Latin}\\p{Greek}\\p{Cyrillic}\\p{Hebrew}\\p{Arabic}\\p{Thai}\\p{Devanagari}\
                       \\p{Khmer}\\p{Myanmar}\\p{Tamil}\\p{Hangul}\\p{Hiragana}\\p{Han}\\p{M}\\p{N}\\p{S}]{0,16}";
        prop_oneof![any.prop_map(String::from_iter), scripts, "\\PC{0,40}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn twice_is_once_and_letters_never_vanish(text in text()) {
            let once = Forms::new(&text);
            for form in once.all() {
                let again = Forms::new(form);
                prop_assert_eq!(again.plain(), form);
                prop_assert!(again.spelled_out.is_none());
            }
            if text.chars().any(char::is_alphanumeric) {
                prop_assert!(!once.is_empty());
            }
        }
    }
}
