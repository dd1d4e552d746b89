//! What one text says about an instant.

use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use regex::Regex;

use super::cell::fold;
use crate::census::Timestamp;
use crate::census::time::DAY;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// Lists of devices are younger: an earlier date is a wrong unit or an unset value.
const EARLIEST: Timestamp = Timestamp(631_152_000 * SECOND);

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// An instant.
    At(Timestamp),
    /// Two numbers and a year, of which either number may be the month.
    Slashed {
        /// The instant if the day stands first; `None` if no such day exists.
        day_first: Option<Timestamp>,
        /// The instant if the month stands first.
        month_first: Option<Timestamp>,
    },
    /// So long before the list was made, in nanoseconds.
    Ago(i64),
    /// A number that is not a date in any unit: possibly a number of days.
    Number(f64),
    /// Nothing that is understood.
    Unknown,
}

/// Whether an instant is later than the first instant of which lists can tell.
pub(super) fn is_possible(at: Timestamp) -> bool {
    at >= EARLIEST
}

/// Reads a text: RFC 3339, RFC 2822 and the forms of spreadsheets, programs and people in six languages. A time without a
/// zone is UTC.
pub(super) fn read(raw: &str) -> Moment {
    let raw = raw.trim().trim_start_matches('\'');
    if let Ok(number) = raw.replace(',', ".").parse::<f64>()
        && number.is_finite()
    {
        return from_number(number, raw);
    }
    if let Ok(at) = raw.parse::<Timestamp>() {
        return Moment::At(at);
    }
    if let Ok(at) = raw.trim_end_matches(" UTC").parse::<jiff::civil::DateTime>()
        && let Ok(at) = at.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return at_nanos(at.timestamp().as_nanosecond());
    }
    // As PowerShell writes: `/Date(1795132800000)/`.
    if let Some(inner) = raw.strip_prefix("/Date(").and_then(|rest| rest.split([')', '+', '-']).next()) {
        return inner.parse::<f64>().map_or(Moment::Unknown, |number| from_number(number, inner));
    }
    // As JavaScript writes: `… GMT+0100 (Central European Standard Time)`.
    let raw = raw.split(" (").next().unwrap_or(raw);
    if let Ok(at) = jiff::fmt::rfc2822::parse(raw) {
        return at_nanos(at.timestamp().as_nanosecond());
    }
    // `6M` are months; `6m` are minutes.
    let text: String = match raw.strip_suffix('M') {
        Some(number) if number.trim().bytes().all(|b| b.is_ascii_digit()) => format!("{number}mo"),
        _ => fold(raw).collect(),
    };
    relative(&text).unwrap_or_else(|| absolute(&text))
}

/// A number is a date if exactly one unit makes it one between 1990 and 2100: the ranges of the units do not overlap.
fn from_number(number: f64, raw: &str) -> Moment {
    let digits = raw.parse::<i64>().unwrap_or(0);
    let in_unit = |per_second: f64, from: f64| {
        let seconds = number / per_second - from;
        ((631_152_000.0..4_102_444_800.0).contains(&seconds)).then(|| span(seconds).map(Timestamp)).flatten()
    };
    let exact = |unit: i64| {
        let at = Timestamp(digits.checked_mul(unit)?);
        is_possible(at).then_some(at)
    };
    let found = match number.abs() {
        // Days since 1899-12-30, as spreadsheets count.
        n if (32_874.0..73_051.0).contains(&n) => in_unit(1.0 / 86_400.0, 2_209_161_600.0),
        n if (19_900_101.0..21_000_000.0).contains(&n) => compact(raw, 8),
        n if (631_152_000.0..4_102_444_800.0).contains(&n) => exact(SECOND).or_else(|| in_unit(1.0, 0.0)),
        n if (6.3e11..4.2e12).contains(&n) => exact(SECOND / 1_000).or_else(|| in_unit(1e3, 0.0)),
        n if (1.99e13..2.1e13).contains(&n) => compact(raw, 14),
        n if (6.3e14..4.2e15).contains(&n) => exact(SECOND / 1_000_000),
        // Windows: 100 ns since 1601.
        n if (1.22e17..1.66e17).contains(&n) => in_unit(1e7, 11_644_473_600.0),
        // .NET: 100 ns since the year 1.
        n if (6.27e17..6.63e17).contains(&n) => in_unit(1e7, 62_135_596_800.0),
        n if (9e17..4.2e18).contains(&n) => exact(1),
        _ => None,
    };
    found.map_or(Moment::Number(number), Moment::At)
}

/// Seconds in nanoseconds, in whole milliseconds: a floating-point number knows no more of an instant.
pub(super) fn span(seconds: f64) -> Option<i64> {
    let span = jiff::SignedDuration::try_from_secs_f64((seconds * 1e3).round() / 1e3).ok()?;
    let millis = i64::try_from(span.as_millis()).ok()?;
    millis.checked_mul(1_000_000)
}

/// `20261128` and `20261128093000`.
fn compact(raw: &str, length: usize) -> Option<Timestamp> {
    let part = |from: usize, to: usize| raw.get(from..to).and_then(|t| t.parse::<i16>().ok());
    if raw.len() != length || !raw.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let small = |n: Option<i16>| n.and_then(|n| i8::try_from(n).ok());
    let time = match length {
        8 => Time::midnight(),
        _ => Time::new(small(part(8, 10))?, small(part(10, 12))?, small(part(12, 14))?, 0).ok()?,
    };
    date(part(0, 4)?, small(part(4, 6))?, small(part(6, 8))?, time, 0)
}

fn at_nanos(nanos: i128) -> Moment {
    i64::try_from(nanos).map_or(Moment::Unknown, |n| Moment::At(Timestamp(n)))
}

/// `3 days ago`, `vor 3 Tagen`, `il y a 3 jours`, `hace 3 dias`, `yesterday`, `just now`, `5h`.
fn relative(text: &str) -> Option<Moment> {
    static AGO: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?:(?:vor|il y a|hace|fa|ha|seit|since|about|almost|circa|ca\.?|environ)\s+)*(\d+|an?|one|eine[mr]?|une?|un[oa]?)\s*(seconds?|secs?|s|sekunden?|secondes?|segundos?|secondi|minutes?|mins?|m|minuten?|minutos?|minuti|hours?|hrs?|h|stunden?|heures?|horas?|ore|ora|days?|d|tage?n?|jours?|dias?|giorni|giorno|dagen|weeks?|w|wochen?|semaines?|semanas?|settimane|weken|months?|mos?|mon|monate?n?|mois|meses|mesi|maanden|years?|y|jahre?n?|ans|anos?|anni|jaar)(?:[,\s]+\d+\s*\w+)?(?:\s+(?:ago|geleden|fa|atras|her))?$").ok()
    });
    let whole = match text.trim_end_matches('.') {
        "now"
        | "just now"
        | "online"
        | "today"
        | "heute"
        | "jetzt"
        | "aujourd'hui"
        | "hoy"
        | "oggi"
        | "vandaag"
        | "connected"
        | "currently connected"
        | "in use" => Some(0),
        "yesterday" | "gestern" | "hier" | "ayer" | "ieri" | "gisteren" | "last day" => Some(DAY),
        "last week" | "letzte woche" => Some(7 * DAY),
        "last month" | "letzten monat" => Some(30 * DAY),
        "last year" | "letztes jahr" => Some(365 * DAY),
        _ => None,
    };
    if let Some(ago) = whole {
        return Some(Moment::Ago(ago));
    }
    // More than a length is at least a day more: `over 30 days ago`.
    const MORE: [&str; 12] = [
        "more than ",
        "over ",
        "> ",
        ">",
        "mehr als ",
        "uber ",
        "vor uber ",
        "vor mehr als ",
        "plus de ",
        "il y a plus de ",
        "hace mas de ",
        "piu di ",
    ];
    if let Some(rest) = MORE.iter().filter_map(|more| text.strip_prefix(more)).min_by_key(|rest| rest.len()) {
        return match relative(rest.trim_start_matches("d'"))? {
            Moment::Ago(ago) => Some(Moment::Ago(ago + DAY)),
            other => Some(other),
        };
    }
    let found = AGO.as_ref()?.captures(text)?;
    let number = found.get(1)?.as_str();
    let number = number.parse::<i64>().unwrap_or(1);
    let unit = found.get(2)?.as_str();
    let length = match unit {
        "m" => 60 * SECOND,
        "mon" => 30 * DAY,
        _ if unit.starts_with("mo") || unit.starts_with("mes") || unit.starts_with("maand") => 30 * DAY,
        _ if unit.starts_with("mi") => 60 * SECOND,
        _ if unit.starts_with("sett") || unit.starts_with("sem") => 7 * DAY,
        _ if unit.starts_with('s') && !unit.starts_with("st") => SECOND,
        _ if unit.starts_with('h') || unit.starts_with("st") || unit.starts_with("or") => HOUR,
        _ if unit.starts_with('w') => 7 * DAY,
        _ if unit.starts_with('y') || unit.starts_with("ja") || unit.starts_with("an") => 365 * DAY,
        _ => DAY,
    };
    number.checked_mul(length).map(Moment::Ago)
}

/// A date with or without a time, in numbers or with the name of the month.
fn absolute(text: &str) -> Moment {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"[t\s,]*\b(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([ap])?(?:\.?m\.?)?\s*(?:(z|utc|gmt)?\s*([+-]\d{2}):?(\d{2})|z\b|utc\b|gmt\b|[a-z]{3,4}\b)?").ok()
    });
    let Some(pattern) = TIME.as_ref() else { return Moment::Unknown };
    let mut time = Time::midnight();
    let mut offset = 0;
    let mut rest = text.to_owned();
    if let Some(found) = pattern.captures(text) {
        let number = |n: usize| found.get(n).and_then(|m| m.as_str().parse::<i8>().ok());
        let half = found.get(4).map(|m| m.as_str());
        let Some(hour) = number(1) else { return Moment::Unknown };
        let hour = match half {
            Some("p") if hour < 12 => hour + 12,
            Some("a") if hour == 12 => 0,
            _ => hour,
        };
        let Ok(read) = Time::new(hour, number(2).unwrap_or(0), number(3).unwrap_or(0), 0) else {
            return Moment::Unknown;
        };
        time = read;
        let sign = number(6).map_or(0, i64::from);
        let minutes = number(7).map_or(0, i64::from);
        let is_west = found.get(6).is_some_and(|m| m.as_str().starts_with('-'));
        offset = (sign.abs() * 60 + minutes) * 60 * if is_west { -1 } else { 1 };
        let whole = found.get(0).map_or(0..0, |m| m.range());
        rest.replace_range(whole, " ");
    }
    from_parts(&rest, time, offset)
}

/// Reads the part of a text that names a day.
fn from_parts(text: &str, time: Time, offset: i64) -> Moment {
    let mut numbers: Vec<&str> = Vec::new();
    let mut named = None;
    for part in text.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()) {
        let digits = part.trim_end_matches(|c: char| c.is_alphabetic());
        let tail = part.get(digits.len()..).unwrap_or_default();
        if !digits.is_empty() && matches!(tail, "" | "st" | "nd" | "rd" | "th" | "er" | "o") {
            numbers.push(digits);
        } else if let Some(month) = month(part) {
            if named.replace(month).is_some() {
                return Moment::Unknown;
            }
        } else if !is_filler(part) {
            return Moment::Unknown;
        }
    }
    let number = |text: &str| text.parse::<i16>().ok();
    let small = |text: &str| text.parse::<i8>().ok();
    let year = |text: &str| match (text.len(), number(text)) {
        (4, Some(year)) => Some(year),
        (2, Some(year)) => Some(if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    };
    let at = |y: Option<i16>, m: Option<i8>, d: Option<i8>| date(y?, m?, d?, time, offset);
    let one = |found: Option<Timestamp>| found.map_or(Moment::Unknown, Moment::At);
    match (numbers.as_slice(), named) {
        ([first, second], Some(month)) if first.len() == 4 => {
            one(at(year(first), Some(month), small(second)))
        }
        ([day, last], Some(month)) => one(at(year(last), Some(month), small(day))),
        ([y, m, d], None) if y.len() == 4 => one(at(year(y), small(m), small(d))),
        // `26/11/12` may be a day of 2026 or of 2012.
        ([a, _, y], None)
            if a.len() == 2
                && y.len() == 2
                && small(y).is_some_and(|y| y < 20)
                && small(a).is_some_and(|a| a >= 20) =>
        {
            Moment::Unknown
        }
        ([a, b, y], None) if a.len() <= 2 && b.len() <= 2 => {
            let day_first = at(year(y), small(b), small(a));
            let month_first = at(year(y), small(a), small(b));
            match (day_first, month_first) {
                (None, None) => Moment::Unknown,
                // Only days are written with dots.
                (found, _) if text.contains('.') && !text.contains('/') => one(found),
                (Some(a), Some(b)) if a == b => Moment::At(a),
                (day_first, month_first) => Moment::Slashed { day_first, month_first },
            }
        }
        _ => Moment::Unknown,
    }
}

/// Midnight UTC of a day plus a time, less the zone's offset in seconds.
fn date(year: i16, month: i8, day: i8, time: Time, offset: i64) -> Option<Timestamp> {
    let at = Date::new(year, month, day).ok()?.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    let nanos = i64::try_from(at.timestamp().as_nanosecond()).ok()?;
    nanos.checked_sub(offset * SECOND).map(Timestamp)
}

/// The month that a word names in English, German, French, Spanish, Italian, Portuguese or Dutch, without accents.
fn month(word: &str) -> Option<i8> {
    const MONTHS: [&[&str]; 12] = [
        &[
            "jan", "january", "januar", "janner", "janv", "janvier", "ene", "enero", "gen", "gennaio",
            "janeiro", "januari",
        ],
        &[
            "feb",
            "february",
            "februar",
            "fev",
            "fevr",
            "fevrier",
            "febrero",
            "febbraio",
            "fevereiro",
            "februari",
        ],
        &["mar", "march", "mrz", "marz", "maerz", "mars", "marzo", "marco", "maart", "mrt"],
        &["apr", "april", "avr", "avril", "abr", "abril", "aprile"],
        &["may", "mai", "mayo", "mag", "maggio", "maio", "mei"],
        &["jun", "june", "juni", "juin", "junio", "giu", "giugno", "junho"],
        &["jul", "july", "juli", "juil", "juillet", "julio", "lug", "luglio", "julho"],
        &["aug", "august", "aout", "ago", "agosto", "augustus"],
        &["sep", "sept", "september", "septembre", "septiembre", "set", "settembre", "setembro"],
        &["oct", "october", "okt", "oktober", "octobre", "octubre", "ott", "ottobre", "out", "outubro"],
        &["nov", "november", "novembre", "noviembre", "novembro"],
        &["dec", "december", "dez", "dezember", "decembre", "dic", "diciembre", "dicembre", "dezembro"],
    ];
    let place = MONTHS.iter().position(|names| names.contains(&word))?;
    i8::try_from(place + 1).ok()
}

/// Words beside a date that say nothing more: days of the week, articles, zones.
fn is_filler(word: &str) -> bool {
    const DAYS: [&str; 16] = [
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so", "tues",
        "thurs",
    ];
    const REST: [&str; 20] = [
        "at", "um", "uhr", "a", "de", "del", "di", "le", "am", "of", "on", "the", "den", "el", "il", "h",
        "z", "utc", "gmt", "t",
    ];
    let is_day =
        ["day", "tag", "woch", "edi", "abend", "dimanche", "dag"].iter().any(|tail| word.ends_with(tail));
    DAYS.contains(&word) || REST.contains(&word) || is_day
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        match read(text) {
            Moment::At(at) => at.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_day_is_read_in_every_form_of_lists() {
        for text in [
            "2026-11-20",
            "2026/11/20",
            "20.11.2026",
            "20.11.26",
            "1795132800",
            "1795132800.0",
            "1795132800000",
            "1795132800000000",
            "46346",
            "46346,0",
            "20261120",
            "20261120000000",
            "134396064000000000",
            "639307296000000000",
            "Nov 20, 2026",
            "Nov. 20, 2026 12:00 AM",
            "November 20th, 2026",
            "20 Nov 2026",
            "20-Nov-26",
            "20. November 2026 00:00 Uhr",
            "vendredi 20 novembre 2026",
            "20 de noviembre de 2026",
            "Fri, 20 Nov 2026 00:00:00 GMT",
            "Fri Nov 20 00:00:00 2026",
            "2026-11-20 00:00:00 UTC",
            "2026-11-20T02:00:00+02:00",
            "2026-11-20 02:00:00 +0200",
            "2026 Nov 20",
            "2026-11-20T00:00:00",
            "2026-11-20T00:00:00.000",
            "/Date(1795132800000)/",
            "Fri Nov 20 2026 01:00:00 GMT+0100 (Central European Standard Time)",
        ] {
            assert_eq!(at(text), "2026-11-20T00:00:00Z", "{text}");
        }
        assert_eq!(at("Mar 3, 2023 9:15 AM"), "2023-03-03T09:15:00Z");
        assert_eq!(at("2023/03/03 09:15"), "2023-03-03T09:15:00Z");
        assert_eq!(at("3 Mär 2023 9:15 PM"), "2023-03-03T21:15:00Z");
        assert_eq!(at("46353.25"), "2026-11-27T06:00:00Z");
        assert_eq!(at("2026-11-20T08:15:00.1234567Z"), "2026-11-20T08:15:00.1234567Z");
    }

    #[test]
    fn two_numbers_with_a_year_may_be_two_days() {
        let day = |text: &str| match read(text) {
            Moment::At(at) => Some(at),
            _ => None,
        };
        assert_eq!(
            read("02/03/2024 10:00"),
            Moment::Slashed { day_first: day("2024-03-02 10:00"), month_first: day("2024-02-03 10:00") }
        );
        assert_eq!(read("11/25/26"), Moment::Slashed { day_first: None, month_first: day("2026-11-25") });
        assert_eq!(read("25-11-2026"), Moment::Slashed { day_first: day("2026-11-25"), month_first: None });
        assert_eq!(read("05/05/2026"), Moment::At(day("2026-05-05").unwrap()));
    }

    #[test]
    fn ages_are_read_in_words() {
        for (text, days) in [
            ("3 days ago", 3),
            ("vor 3 Tagen", 3),
            ("il y a 3 jours", 3),
            ("hace 3 días", 3),
            ("3d", 3),
            ("2 weeks ago", 14),
            ("a month ago", 30),
            ("yesterday", 1),
            ("heute", 0),
            ("72 hours ago", 3),
            ("3 days, 2 hours ago", 3),
            ("over 30 days ago", 31),
            ("> 30 days", 31),
            ("2 mo ago", 60),
        ] {
            assert_eq!(read(text), Moment::Ago(days * DAY), "{text}");
        }
        assert_eq!(read("5 minutes ago"), Moment::Ago(300 * SECOND));
    }

    #[test]
    fn what_is_no_date_is_not_taken_for_one() {
        for text in [
            "",
            "never",
            "26/11/12",
            "99.99.2026",
            "1.2.3.4",
            "n/v",
            "2026",
            "12:30",
            "room 12/3",
            "32/13/2026",
        ] {
            assert!(!matches!(read(text), Moment::At(_) | Moment::Slashed { .. } | Moment::Ago(_)), "{text}");
        }
        for number in [0.0, 3.0, 12.0, 20_000.0, -5.0] {
            assert_eq!(read(&number.to_string()), Moment::Number(number));
        }
    }
}
