//! Value syntaxes (RFC 4517).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Reads a GeneralizedTime (RFC 4517 section 3.3.13), fractions and offsets included. `None` if it is not one.
pub fn instant(text: &str) -> Option<Timestamp> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, Offset::UTC)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (clock, zone) = text.split_at_checked(at)?;
        let digits = zone.get(1..).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let hours: i32 = digits.get(..2)?.parse().ok()?;
        let minutes: i32 = match digits.len() {
            2 => 0,
            4 => digits.get(2..)?.parse().ok()?,
            _ => return None,
        };
        let seconds = (hours * 60 + minutes) * 60;
        (clock, Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds }).ok()?)
    };
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to).and_then(|digits| digits.parse::<i8>().ok());
    let minute = if whole.len() >= 12 { number(10, 12)? } else { 0 };
    let second = if whole.len() >= 14 { number(12, 14)?.min(59) } else { 0 };
    if !matches!(whole.len(), 10 | 12 | 14) {
        return None;
    }
    let year: i16 = whole.get(..4)?.parse().ok()?;
    let time = DateTime::new(year, number(4, 6)?, number(6, 8)?, number(8, 10)?, minute, second, 0).ok()?;
    let start = TimeZone::fixed(offset).to_timestamp(time).ok()?;
    if fraction.is_empty() {
        return Some(start);
    }
    // The fraction is of the smallest unit given.
    let unit: i64 = match whole.len() {
        10 => 3_600_000_000_000,
        12 => 60_000_000_000,
        _ => 1_000_000_000,
    };
    let digits: String = fraction.chars().take(9).collect();
    let part: i64 = format!("{digits:0<9}").parse().ok()?;
    let nanoseconds = i128::from(unit) * i128::from(part) / 1_000_000_000;
    Timestamp::from_nanosecond(start.as_nanosecond() + nanoseconds).ok()
}

/// Prints an instant as GeneralizedTime in UTC, with the fraction of its second if it has one. `None` for a year that has not
/// four digits.
pub fn generalized_time(instant: Timestamp) -> Option<String> {
    let utc = Offset::UTC.to_datetime(instant);
    let year = u16::try_from(utc.year()).ok()?;
    let fraction = match utc.subsec_nanosecond() {
        0 => String::new(),
        nanoseconds => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
    };
    let (month, day, hour, minute, second) = (utc.month(), utc.day(), utc.hour(), utc.minute(), utc.second());
    Some(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{fraction}Z"))
}

/// 100 nanoseconds, the unit of a FILETIME.
const TICK: i128 = 100;
/// 1601-01-01T00:00:00Z, where a FILETIME begins, in nanoseconds from 1970.
const FILE_TIME_ZERO: i128 = -11_644_473_600 * 1_000_000_000;

/// Reads a FILETIME ([MS-DTYP] section 2.3.3) as Active Directory holds it: digits. `None` for what is none, and for the two values
/// that mean never.
pub fn from_file_time(text: &str) -> Option<Timestamp> {
    let ticks: i64 = text.parse().ok().filter(|ticks| (1..i64::MAX).contains(ticks))?;
    Timestamp::from_nanosecond(FILE_TIME_ZERO + i128::from(ticks) * TICK).ok()
}

/// Prints an instant as a FILETIME, to 100 nanoseconds. `None` for one that is not later than 1601 began.
pub fn file_time(instant: Timestamp) -> Option<String> {
    let ticks = (instant.as_nanosecond() - FILE_TIME_ZERO).div_euclid(TICK);
    i64::try_from(ticks).ok().filter(|ticks| *ticks > 0).map(|ticks| ticks.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_generalized_time() {
        for (text, expected) in [
            ("20261124131128Z", "2026-11-24T13:11:28Z"),
            ("20261124131128.5Z", "2026-11-24T13:11:28.5Z"),
            ("20261124131128.123456Z", "2026-11-24T13:11:28.123456Z"),
            ("202611241311Z", "2026-11-24T13:11:00Z"),
            ("2026112413.5Z", "2026-11-24T13:30:00Z"),
            ("20261124131128+0130", "2026-11-24T11:41:28Z"),
            ("20261124131128-05", "2026-11-24T18:11:28Z"),
        ] {
            assert_eq!(instant(text).map(|t| t.to_string()).as_deref(), Some(expected), "{text}");
        }
        for bad in ["", "Z", "2026", "20261324131128Z", "20261124131128", "20261124131128+1", "2026112413112xZ", "é"] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_time_counts_from_1601() {
        let epoch = "1970-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(file_time(epoch).as_deref(), Some("116444736000000000"));
        for (text, expected) in [
            ("116444736000000000", Some("1970-01-01T00:00:00Z")),
            ("134085024000000001", Some("2025-11-25T00:00:00.0000001Z")),
            // Never.
            ("0", None),
            ("9223372036854775807", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(from_file_time(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
            if let Some(time) = from_file_time(text) {
                assert_eq!(file_time(time).as_deref(), Some(text));
            }
        }
        assert_eq!(file_time("1601-01-01T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["20260101000000Z", "19691231235959.5Z", "00000101000000Z", "20261124131128.000000001Z"] {
            assert_eq!(instant(text).and_then(generalized_time).as_deref(), Some(text));
        }
        assert_eq!(generalized_time("-000001-12-31T23:59:59Z".parse().unwrap()), None);
    }
}
