//! Reads one cell of a table, or one member of a record.

use crate::census::{Timestamp, clean};

/// The last part of a path, cleaned.
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    clean(last.as_bytes()).unwrap_or_else(|| "file".to_owned())
}

/// A text of a row, cleaned; `None` for words such as `n/a` or `unknown`.
pub(super) fn text(raw: &str) -> Option<String> {
    let text = clean(raw.as_bytes())?;
    let nothing = [
        "-",
        "--",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "unknown",
        "undefined",
        "not available",
        "?",
        "(empty)",
        "#n/a",
        "unbekannt",
        "inconnu",
        "desconocido",
    ];
    (!nothing.contains(&text.to_lowercase().as_str())).then_some(text)
}

/// Whether a text says yes.
pub(super) fn is_yes(raw: &str) -> bool {
    matches!(
        raw.trim().to_lowercase().as_str(),
        "1" | "true"
            | "yes"
            | "y"
            | "x"
            | "onboarded"
            | "managed"
            | "enrolled"
            | "active"
            | "ja"
            | "oui"
            | "si"
            | "sí"
    )
}

/// An instant as lists write it: RFC 3339, seconds or milliseconds since 1970, a date with or without a time (then UTC),
/// and `31.12.2026`. A date with slashes is read only if it is unambiguous, because countries differ in the order of day
/// and month.
pub(super) fn instant(raw: &str) -> Option<Timestamp> {
    use jiff::civil::{Date, DateTime};

    let raw = raw.trim();
    if let Ok(number) = raw.parse::<i64>() {
        // Up to the year 2286 in seconds; milliseconds from 1970-04-26 on.
        return match number {
            0 => None,
            1..=9_999_999_999 => Some(Timestamp::from_secs(number)),
            10_000_000_000..=9_999_999_999_999 => Some(Timestamp(number.checked_mul(1_000_000)?)),
            _ => None,
        };
    }
    if let Ok(at) = raw.parse::<Timestamp>() {
        return Some(at);
    }
    let utc = |at: DateTime| {
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        i64::try_from(at.timestamp().as_nanosecond()).ok().map(Timestamp)
    };
    let raw = raw.trim_end_matches(" UTC");
    if let Ok(at) = raw.parse::<DateTime>() {
        return utc(at);
    }
    let (date, time) = raw.split_once([' ', 'T']).unwrap_or((raw, ""));
    let sign = if date.contains('.') { '.' } else { '/' };
    let parts: Vec<&str> = date.split(sign).collect();
    let [a, b, year] = parts.as_slice() else { return None };
    let (a, b, year): (i8, i8, i16) = (a.parse().ok()?, b.parse().ok()?, year.parse().ok()?);
    let (day, month) = match sign {
        '.' => (a, b),
        _ if a > 12 || a == b => (a, b),
        _ if b > 12 => (b, a),
        _ => return None,
    };
    let date = Date::new(year, month, day).ok()?;
    let time = time.trim().parse::<jiff::civil::Time>().unwrap_or_else(|_| jiff::civil::Time::midnight());
    utc(date.to_datetime(time))
}

/// Letters and digits in lower case without accents.
pub(super) fn squash(text: &str) -> String {
    fold(text).filter(|c| c.is_alphanumeric()).collect()
}

/// A text in lower case without the accents of western European languages.
pub(super) fn fold(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|c| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_lists_write_them_and_ambiguous_ones_are_not() {
        let at = |text: &str| instant(text).map(|t| t.to_string());
        let day = Some("2026-11-20T00:00:00Z".to_owned());
        for text in ["2026-11-20", "20.11.2026", "20/11/2026", "11/20/2026", "1795132800", "1795132800000"] {
            assert_eq!(at(text), day, "{text}");
        }
        assert_eq!(at("2026-11-20 08:15:00").as_deref(), Some("2026-11-20T08:15:00Z"));
        assert_eq!(at("20.11.2026 08:15").as_deref(), Some("2026-11-20T08:15:00Z"));
        assert_eq!(at("2026-11-20T08:15:00.1234567Z").as_deref(), Some("2026-11-20T08:15:00.1234567Z"));
        for text in ["", "0", "04/05/2026", "yesterday", "99.99.2026", "-5", "1.2.3.4"] {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(at("05/05/2026").as_deref(), Some("2026-05-05T00:00:00Z"));
    }
}
