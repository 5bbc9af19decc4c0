//! Validation of team and player names, which others see on boards.
//!
//! A name must be what it looks like. Invisible characters would let one team impersonate another, and
//! characters that change the text direction would disturb the text around the name.

use std::ops::RangeInclusive;

use protocol::limits::NAME_CHARS_MAX;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::failure::Failed;
use crate::journal::Name;

/// Zero-width joiner and non-joiner: Persian, Indian scripts and some emoji need them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// Visible by category, but rendered blank: the Hangul fillers, and the Braille pattern without dots.
const BLANKS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// The range in which Unicode adds emoji.
const EMOJI: RangeInclusive<char> = '\u{1f000}'..='\u{1faff}';

/// Validates a name and gives it a new random id. `field` is the field of the request, for the message.
pub(super) fn parse_name(typed: &str, field: &str) -> Result<Name, Failed> {
    let text = typed.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX {
        let message = format!("{field} must have 1 to {NAME_CHARS_MAX} characters.");
        return Err(Failed::bad_request(message));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let message = format!(
            "{field} must be one line without invisible characters and without characters that change \
             the text direction; it contains U+{:04X}.",
            u32::from(hidden)
        );
        return Err(Failed::bad_request(message));
    }
    if !text.chars().any(is_visible) {
        let message =
            format!("{field} must contain a letter, a digit or another visible character.");
        return Err(Failed::bad_request(message));
    }
    Ok(Name {
        id: rand::random(),
        text: text.to_owned(),
    })
}

/// Whether a character is invisible.
fn is_hidden(c: char) -> bool {
    let is_invisible = match c.general_category() {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse => true,
        // New emoji are added every year, before the tables here know them.
        GeneralCategory::Unassigned => !EMOJI.contains(&c),
        // Every other category is a letter, mark, number, punctuation, symbol or space.
        _ => BLANKS.contains(&c),
    };
    is_invisible && !JOINERS.contains(&c)
}

/// Whether a character is visible by itself. A combining mark is visible only on another character.
fn is_visible(c: char) -> bool {
    let is_mark = matches!(
        c.general_category(),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    );
    !is_mark && !c.is_whitespace() && !JOINERS.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::parse_name;

    #[test]
    fn names_in_any_script_and_emoji_are_accepted() {
        for (typed, name) in [
            (" Owls ", "Owls"),
            ("!?", "!?"),
            ("Zoë & Łukasz", "Zoë & Łukasz"),
            ("e\u{301}", "e\u{301}"),
            ("夜の梟", "夜の梟"),
            ("فريق البوم", "فريق البوم"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("\u{1faff}", "\u{1faff}"),
        ] {
            let accepted = parse_name(typed, "name");
            assert_eq!(accepted.expect("the name is valid").text, name, "{typed:?}");
        }
    }

    #[test]
    fn invisible_characters_and_direction_changes_are_rejected() {
        for hidden in [
            '\n',
            '\t',
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
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
            '\u{e0041}',
            '\u{e0fff}',
        ] {
            let rejected = parse_name(&format!("O{hidden}wls"), "name");
            rejected.expect_err(&format!("{hidden:?} is rejected"));
        }
    }

    #[test]
    fn a_name_without_a_visible_character_is_rejected() {
        for typed in [
            "",
            " ",
            "\u{3000}",
            "\u{200d}",
            "\u{200c}\u{200d}",
            "\u{301}",
            "\u{fe0f}",
        ] {
            let rejected = parse_name(typed, "name");
            rejected.expect_err(&format!("{typed:?} is rejected"));
        }
    }
}
