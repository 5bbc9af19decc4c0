//! Names that people give to teams and to themselves, and which others see on boards.
//!
//! A name is what it looks like: whatever is invisible, or turns what stands around it, would let one
//! team pass for another, or upset a whole board.

use std::ops::RangeInclusive;

use protocol::limits::NAME_CHARS_MAX;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::answers::Failed;
use crate::journal::Name;

/// They join letters of Persian and of Indian scripts, and the parts of some emoji.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// Letters and a symbol that are drawn as nothing: fillers of Hangul, and Braille without dots.
const BLANKS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// Where Unicode adds emoji.
const EMOJI: RangeInclusive<char> = '\u{1f000}'..='\u{1faff}';

/// A name that can be shown, under a new random id.
pub(super) fn named(typed: &str, field: &str) -> Result<Name, Failed> {
    let text = typed.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX {
        let message = format!("{field} must have 1 to {NAME_CHARS_MAX} characters.");
        return Err(Failed::bad_request(message));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let message = format!(
            "{field} must be on one line and hold nothing that is invisible or turns the direction \
             of writing; it holds U+{:04X}.",
            u32::from(hidden)
        );
        return Err(Failed::bad_request(message));
    }
    if !text.chars().any(is_visible) {
        let message = format!("{field} must hold a letter, a digit or another visible character.");
        return Err(Failed::bad_request(message));
    }
    Ok(Name {
        id: rand::random(),
        text: text.to_owned(),
    })
}

/// Whether a character is not seen but has an effect, or has none that is seen.
fn is_hidden(c: char) -> bool {
    let is_unseen = match c.general_category() {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse => true,
        // Emoji come anew each year.
        GeneralCategory::Unassigned => !EMOJI.contains(&c),
        // Whatever else there is, Unicode calls it a letter, mark, number, sign or space.
        _ => BLANKS.contains(&c),
    };
    is_unseen && !JOINERS.contains(&c)
}

/// Whether a character is seen by itself; a mark is only seen on another one.
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
    use super::named;

    #[test]
    fn names_of_all_scripts_and_emoji_are_good() {
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
            let good = named(typed, "name");
            assert_eq!(good.expect("it is good").text, name, "{typed:?}");
        }
    }

    #[test]
    fn what_is_invisible_or_turns_the_direction_is_refused() {
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
            let refused = named(&format!("O{hidden}wls"), "name");
            refused.expect_err(&format!("{hidden:?} is refused"));
        }
    }

    #[test]
    fn a_name_without_anything_visible_is_refused() {
        for typed in [
            "",
            " ",
            "\u{3000}",
            "\u{200d}",
            "\u{200c}\u{200d}",
            "\u{301}",
            "\u{fe0f}",
        ] {
            let refused = named(typed, "name");
            refused.expect_err(&format!("{typed:?} is refused"));
        }
    }
}
