//! Parses durations such as `90s`, `5m`, `1h30m` and `2d`.

use crate::ids::DurationMs;
use crate::limits::DURATION_MS_MAX;

/// The units with their lengths in milliseconds, longest first.
const UNITS: [(char, u64); 4] = [
    ('d', 24 * 60 * 60 * 1_000),
    ('h', 60 * 60 * 1_000),
    ('m', 60 * 1_000),
    ('s', 1_000),
];

const FORM: &str = "write a duration like \"90s\", \"5m\", \"1h30m\" or \"2d\"";

/// Parses a duration, or returns a message about what is wrong.
pub(super) fn parse(text: &str) -> Result<DurationMs, String> {
    let mut rest = text;
    let mut units_left = UNITS.as_slice();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let amount = &rest[..digits];
        let unit = rest[digits..].chars().next();
        let unit = unit.filter(|_| digits > 0).ok_or(FORM)?;
        let Some(at) = units_left.iter().position(|(name, _)| *name == unit) else {
            return Err(wrong_unit(unit));
        };
        let amount = amount.parse::<u64>().ok();
        let ms = amount.and_then(|amount| amount.checked_mul(units_left[at].1));
        let sum = ms.and_then(|ms| total_ms.checked_add(ms));
        total_ms = sum
            .filter(|sum| *sum <= DURATION_MS_MAX)
            .ok_or_else(too_long)?;
        units_left = &units_left[at + 1..];
        rest = &rest[digits + unit.len_utf8()..];
    }
    match total_ms {
        0 if text.is_empty() => Err(FORM.to_owned()),
        0 => Err("a duration must be longer than zero".to_owned()),
        _ => Ok(DurationMs(total_ms)),
    }
}

fn wrong_unit(unit: char) -> String {
    if UNITS.iter().any(|(name, _)| *name == unit) {
        format!("`{unit}` is out of order; use each unit at most once, longest first: {FORM}")
    } else {
        format!("`{unit}` is not a unit of time; {FORM}")
    }
}

fn too_long() -> String {
    format!(
        "a duration must not exceed {}d",
        DURATION_MS_MAX / UNITS[0].1
    )
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::ids::DurationMs;

    #[test]
    fn valid_durations_are_parsed() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("3h", 10_800),
            ("1h30m", 5_400),
            ("2d", 172_800),
            ("1d1h1m1s", 90_061),
            ("0h5m", 300),
            ("366d", 31_622_400),
        ] {
            assert_eq!(parse(text), Ok(DurationMs(seconds * 1_000)), "{text}");
        }
    }

    #[test]
    fn invalid_durations_are_rejected() {
        for (text, expected) in [
            ("", "write a duration"),
            ("h", "write a duration"),
            ("90", "write a duration"),
            ("-5m", "write a duration"),
            ("5 m", "` ` is not a unit"),
            ("1.5h", "`.` is not a unit"),
            ("3ü", "`ü` is not a unit"),
            ("5M", "`M` is not a unit"),
            ("30m1h", "`h` is out of order"),
            ("1h1h", "`h` is out of order"),
            ("0s", "longer than zero"),
            ("367d", "must not exceed 366d"),
            ("366d1s", "must not exceed 366d"),
            ("99999999999999999999d", "must not exceed 366d"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
