//! Times of a log: with or without fractions and a zone, in chronological order.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const DATE_AND_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
/// Length of `2018-03-16 19:18:19`.
const DATE_AND_TIME_BYTES: usize = 19;

/// Follows the times of a log.
#[derive(Debug, Default)]
pub(super) struct LogClock {
    first_and_last: Option<(OffsetDateTime, OffsetDateTime)>,
}

impl LogClock {
    /// Time since the log's first row, or what is wrong with the time.
    pub(super) fn since_first(&mut self, text: &str) -> Result<Duration, String> {
        let now = parse(text).ok_or_else(|| {
            "expected a time such as 2018-03-16 19:18:19, 2018-03-16T19:18:19.5Z or \
             2018-03-16 19:18:19+01:00"
                .to_owned()
        })?;
        let (first, last) = self.first_and_last.unwrap_or((now, now));
        if now < last {
            return Err("earlier than the previous row; sort the log by time".to_owned());
        }
        self.first_and_last = Some((first, now));
        Duration::try_from(now - first).map_err(|error| error.to_string())
    }
}

/// Parses a date and a time with an optional fraction and an optional zone; without a zone it is UTC.
fn parse(text: &str) -> Option<OffsetDateTime> {
    let (date_and_time, rest) = text.split_at_checked(DATE_AND_TIME_BYTES)?;
    let date_and_time = date_and_time.replacen(['T', 't'], " ", 1);
    let date_and_time = PrimitiveDateTime::parse(&date_and_time, DATE_AND_TIME).ok()?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    let nanoseconds = match fraction {
        Some(digits) if (1..=9).contains(&digits.len()) => format!("{digits:0<9}").parse().ok()?,
        Some(_) => return None,
        None => 0,
    };
    let time = date_and_time.replace_nanosecond(nanoseconds).ok()?;
    Some(time.assume_offset(offset(zone.trim_start())?))
}

/// Parses `Z`, `+01:00`, `+0100` or `+01`; nothing is UTC.
fn offset(zone: &str) -> Option<UtcOffset> {
    if zone.is_empty() || matches!(zone, "Z" | "z" | "UTC") {
        return Some(UtcOffset::UTC);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (&*digits, "0"),
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LogClock;

    #[test]
    fn fractions_and_zones_are_read() {
        let mut clock = LogClock::default();
        for (text, seconds) in [
            ("2020-09-19 00:00:00", 0.0),
            ("2020-09-19T00:00:00Z", 0.0),
            ("2020-09-19 02:00:00+02:00", 0.0),
            ("2020-09-18 23:00:00-0100", 0.0),
            ("2020-09-19 00:00:00.123", 0.123),
            ("2020-09-19T01:00:00.5+01", 0.5),
            ("2020-09-19 00:00:01 +00:00", 1.0),
        ] {
            let since_first = clock.since_first(text);
            assert_eq!(since_first, Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn other_forms_are_rejected() {
        for text in [
            "",
            "16.3.2018",
            "2020-09-19",
            "2020-13-19 00:00:00",
            "2020-09-19 00:00:00.",
            "2020-09-19 00:00:00 CET",
            "2020-09-19 00:00:00+99:00",
            "2020-09-19 00:00:00+1:-1",
            "2020-09-19 00:00:0é",
        ] {
            assert!(LogClock::default().since_first(text).is_err(), "{text}");
        }
    }
}
