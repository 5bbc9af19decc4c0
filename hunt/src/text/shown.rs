//! Which names and texts can be shown to others.
//!
//! Invisible characters, and characters that change the direction of the surrounding text, are refused: they
//! would let one team impersonate another, or garble a whole board. Joiners are accepted where UAX 31
//! (section 2.3) allows them in identifiers, and inside emoji (UTS 51).

use icu_properties::props::{
    BidiControl, CanonicalCombiningClass, Emoji, EmojiModifierBase, ExtendedPictographic,
    GeneralCategory, JoiningType, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

/// Zero width non-joiner and joiner.
const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';
/// Begins and ends a flag of a subdivision, such as that of England.
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
/// Letters and a symbol without a shape: fillers of Hangul, and Braille without dots.
const BLANKS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];
/// Where Unicode adds emoji every year.
const EMOJI_PLANE: std::ops::RangeInclusive<char> = '\u{1f000}'..='\u{1faff}';
/// Marks in a row on one letter. Vietnamese needs 2, pointed and cantillated Hebrew 4.
const MARKS_IN_A_ROW_MAX: usize = 4;

/// Why a name or a text cannot be shown. The message contains what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More characters than its limit.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The limit, in Unicode scalar values.
        max: usize,
    },
    /// A name with a line break.
    #[error("must be on one line")]
    NotOneLine,
    /// An invisible or direction-changing character, or a joiner where none belongs.
    #[error("must not contain invisible characters; it contains U+{:04X}", u32::from(*.0))]
    Hidden(char),
    /// No character with a shape of its own.
    #[error("must contain a letter, a digit or a symbol")]
    NothingVisible,
    /// A mark without a letter, or too many marks on one letter.
    #[error("must not pile up accents and other marks")]
    Marks,
}

/// Checks a name of a team, a player or a game master and returns it without outer white space, in
/// Unicode's composed form (NFC).
///
/// # Errors
/// If it is empty, longer than `chars_max` Unicode scalar values, or cannot be shown on one line.
pub fn acceptable_name(typed: &str, chars_max: usize) -> Result<String, TextError> {
    let name: String = typed.trim().nfc().collect();
    check_length(&name, chars_max)?;
    if name.chars().any(is_line_break) {
        return Err(TextError::NotOneLine);
    }
    check_characters(&name)?;
    Ok(name)
}

/// Checks a clue or an announcement and returns it with `\n` as its only line break. Indentation stays;
/// empty lines before and after, and trailing white space, go.
///
/// # Errors
/// If it is empty, longer than `chars_max` Unicode scalar values, or contains what cannot be shown.
pub fn acceptable_text(typed: &str, chars_max: usize) -> Result<String, TextError> {
    let text: String = typed
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let first_line = text
        .char_indices()
        .find(|(_, c)| !c.is_whitespace())
        .and_then(|(at, _)| text[..at].rfind('\n'));
    let text: String = text[first_line.map_or(0, |at| at + 1)..]
        .trim_end()
        .nfc()
        .collect();
    check_length(&text, chars_max)?;
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            check_characters(&line.replace('\t', " "))?;
        }
    }
    Ok(text)
}

fn check_length(text: &str, max: usize) -> Result<(), TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    if text.chars().count() > max {
        return Err(TextError::TooLong { max });
    }
    Ok(())
}

/// Checks one line, character by character with its neighbours.
fn check_characters(line: &str) -> Result<(), TextError> {
    let chars: Vec<char> = line.chars().collect();
    let mut marks_in_a_row = 0;
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == BLACK_FLAG {
            at += subdivision_tags(&chars[at + 1..]);
        }
        if is_mark(c) {
            marks_in_a_row += 1;
            let follows_nothing = at == 0 || chars[at - 1].is_whitespace();
            if follows_nothing || marks_in_a_row > MARKS_IN_A_ROW_MAX {
                return Err(TextError::Marks);
            }
        } else {
            marks_in_a_row = 0;
        }
        if is_hidden(c) && !is_allowed_here(&chars, at) {
            return Err(TextError::Hidden(c));
        }
        at += 1;
    }
    if !chars.iter().any(|c| is_visible(*c)) {
        return Err(TextError::NothingVisible);
    }
    Ok(())
}

/// How many of the characters after a black flag are the tags of a subdivision (`unicode_subdivision_id`
/// of UTS 35: two letters, one to three letters or digits), with the tag that ends them; 0 if there are none.
fn subdivision_tags(after: &[char]) -> usize {
    let Some(end) = after.iter().position(|c| *c == CANCEL_TAG) else {
        return 0;
    };
    let tags = after[..end]
        .iter()
        .map(|c| u32::from(*c).checked_sub(0xe0000).and_then(char::from_u32));
    let Some(id) = tags.collect::<Option<String>>() else {
        return 0;
    };
    let is_id = (3..=5).contains(&id.len())
        && id
            .char_indices()
            .all(|(index, c)| c.is_ascii_lowercase() || (index >= 2 && c.is_ascii_digit()));
    if is_id { end + 1 } else { 0 }
}

/// Whether a character has no shape of its own, so that its neighbours decide about it.
fn is_hidden(c: char) -> bool {
    match general_category(c) {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate => true,
        GeneralCategory::Unassigned => !EMOJI_PLANE.contains(&c),
        _ => {
            BLANKS.contains(&c) || is_variation_selector(c) || is_bidi_control(c) || c == '\u{34f}'
        }
    }
}

/// Whether a hidden character is one that its neighbours need.
fn is_allowed_here(chars: &[char], at: usize) -> bool {
    let before = &chars[..at];
    let after = &chars[at + 1..];
    match chars[at] {
        ZWJ => joins_emoji(before, after) || follows_virama(before),
        ZWNJ => follows_virama(before) || separates_joining_letters(before, after),
        '\u{fe0e}' | '\u{fe0f}' => before.last().is_some_and(|c| is_emoji(*c)),
        '\u{e0100}'..='\u{e01ef}' => before.last().is_some_and(|c| script(*c) == Script::Han),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => before
            .last()
            .is_some_and(|c| script(*c) == Script::Mongolian),
        _ => false,
    }
}

/// Whether a joiner stands inside an emoji sequence (UTS 51, ED-16).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_part = |c: &char| is_variation_selector(*c) || is_emoji_modifier(*c);
    let element = before.iter().rev().find(|c| !is_part(c));
    let is_pictograph = |c: &char| CodePointSetData::new::<ExtendedPictographic>().contains(*c);
    element.is_some_and(is_pictograph) && after.first().is_some_and(is_pictograph)
}

/// Whether a virama precedes, with no mark but nuktas and other non-starters between (UAX 31, A2 and B).
fn follows_virama(before: &[char]) -> bool {
    before
        .iter()
        .rev()
        .map(|c| CodePointMapData::<CanonicalCombiningClass>::new().get(*c))
        .take_while(|class| *class != CanonicalCombiningClass::NotReordered)
        .any(|class| class == CanonicalCombiningClass::Virama)
}

/// Whether letters on both sides would join without a non-joiner between them (UAX 31, A1).
fn separates_joining_letters(before: &[char], after: &[char]) -> bool {
    let joining = |c: &char| CodePointMapData::<JoiningType>::new().get(*c);
    let left = before
        .iter()
        .rev()
        .map(joining)
        .find(|t| *t != JoiningType::Transparent);
    let right = after
        .iter()
        .map(joining)
        .find(|t| *t != JoiningType::Transparent);
    matches!(
        left,
        Some(JoiningType::LeftJoining | JoiningType::DualJoining)
    ) && matches!(
        right,
        Some(JoiningType::RightJoining | JoiningType::DualJoining)
    )
}

/// Whether a character has a shape by itself.
fn is_visible(c: char) -> bool {
    !is_mark(c) && !c.is_whitespace() && !is_hidden(c)
}

fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Marks that are drawn on the letter before them; variation selectors draw nothing.
fn is_mark(c: char) -> bool {
    let is_mark = matches!(
        general_category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    );
    is_mark && !is_variation_selector(c)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}')
}

fn is_emoji_modifier(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

fn is_emoji(c: char) -> bool {
    CodePointSetData::new::<Emoji>().contains(c)
        || CodePointSetData::new::<EmojiModifierBase>().contains(c)
        || is_emoji_modifier(c)
}

fn is_bidi_control(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn general_category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::{TextError, acceptable_name, acceptable_text};

    fn name(typed: &str) -> Result<String, TextError> {
        acceptable_name(typed, 200)
    }

    #[test]
    fn names_of_all_scripts_symbols_and_emoji_are_accepted() {
        for (typed, kept) in [
            (" Owls ", "Owls"),
            ("!?", "!?"),
            ("☃", "☃"),
            ("C++", "C++"),
            ("Zoë & Łukasz", "Zoë & Łukasz"),
            ("e\u{301}", "é"),
            ("夜の梟", "夜の梟"),
            ("葛\u{e0100}飾", "葛\u{e0100}飾"),
            ("فريق البوم", "فريق البوم"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
            (
                "👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿",
                "👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿",
            ),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
            ("🇩🇪", "🇩🇪"),
            ("\u{1faff}", "\u{1faff}"),
            (
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            ),
        ] {
            assert_eq!(name(typed).as_deref(), Ok(kept), "{typed:?}");
        }
        assert!(name(&"a".repeat(200)).is_ok());
        assert_eq!(name(&"a".repeat(201)), Err(TextError::TooLong { max: 200 }));
    }

    #[test]
    fn invisible_and_direction_changing_characters_are_refused() {
        for hidden in [
            '\t',
            '\0',
            '\u{7f}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{2800}',
            '\u{3164}',
            '\u{e000}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff8}',
            '\u{fff9}',
            '\u{fe0f}',
            '\u{fe01}',
            '\u{e0041}',
            '\u{e0067}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e0fff}',
        ] {
            let refused = name(&format!("O{hidden}wls"));
            assert!(
                matches!(refused, Err(TextError::Hidden(_))),
                "{hidden:?}: {refused:?}"
            );
        }
        for line_break in ['\n', '\r', '\u{b}', '\u{85}', '\u{2028}', '\u{2029}'] {
            assert_eq!(
                name(&format!("O{line_break}wls")),
                Err(TextError::NotOneLine)
            );
        }
    }

    #[test]
    fn a_name_without_a_shape_is_refused() {
        for typed in [
            "",
            " ",
            "\u{3000}",
            "\u{200d}",
            "\u{200c}\u{200d}",
            "\u{301}",
            "\u{fe0f}",
        ] {
            assert!(name(typed).is_err(), "{typed:?} is refused");
        }
        assert_eq!(
            name("Z\u{300}\u{301}\u{302}\u{303}\u{304}"),
            Err(TextError::Marks)
        );
        assert_eq!(name("a \u{301}b"), Err(TextError::Marks));
    }

    #[test]
    fn texts_keep_indentation_and_line_breaks() {
        let text = "\r\n\n  two\r\n\tone\n\nend  \n\n";
        assert_eq!(
            acceptable_text(text, 100).as_deref(),
            Ok("  two\n\tone\n\nend")
        );
        assert_eq!(acceptable_text(" \n\t", 100), Err(TextError::Empty));
        assert_eq!(
            acceptable_text("a\u{202e}b", 100),
            Err(TextError::Hidden('\u{202e}'))
        );
        assert_eq!(
            acceptable_text("\u{1b}[2J", 100),
            Err(TextError::Hidden('\u{1b}'))
        );
    }
}
