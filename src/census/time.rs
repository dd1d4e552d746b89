//! Instants and spans in nanoseconds. The core takes them from packets and arguments, never from a clock.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Serialize};

/// Nanoseconds of a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Nanoseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Nanoseconds of a UTC day.
pub const DAY: i64 = 24 * HOUR;

/// Nanoseconds since 1970-01-01T00:00:00Z. Orders by time and prints as RFC 3339 in UTC.
///
/// Serialised as a number on the wire; documents for people write it as text by [`rfc3339`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The first instant.
    pub(crate) const MIN: Self = Self(i64::MIN);
    /// The last instant.
    pub(crate) const MAX: Self = Self(i64::MAX);

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    /// From seconds and nanoseconds, as in capture files.
    pub const fn from_parts(secs: i64, nanos: i64) -> Self {
        Self(secs.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Its UTC day, as days since 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The first instant of its UTC day.
    pub const fn day_start(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Timestamp {
    /// Passes on the text of the instant. The library's printer costs less than its `Display`, and a document of a million
    /// devices has several million instants.
    fn with_text<T>(self, use_text: impl FnOnce(&str) -> T) -> T {
        const PRINTER: DateTimePrinter = DateTimePrinter::new();
        let mut text = String::with_capacity("2026-11-22T03:00:00.123456789Z".len());
        let utc = jiff::Timestamp::from_nanosecond(self.0.into());
        match utc.and_then(|utc| PRINTER.print_timestamp(&utc, &mut text)) {
            Ok(()) => use_text(&text),
            Err(_) => use_text(&format!("{}ns", self.0)),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|t| i64::try_from(t.as_nanosecond()).ok())
            .map(Self)
            .ok_or_else(|| BadTimestamp(text.chars().take(40).collect()))
    }
}

/// The text is not an instant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not an instant; write it as 2026-11-22T03:00:00Z (RFC 3339)")]
pub struct BadTimestamp(String);

/// Serialises an instant as RFC 3339 text: `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Timestamp;

    pub fn serialize<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
        at.with_text(|text| out.serialize_str(text))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }

    /// The same for an optional instant; `None` is null.
    pub mod option {
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        use super::Timestamp;

        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => at.with_text(|text| out.serialize_str(text)),
                None => out.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(input)?
                .map(|text| text.parse().map_err(D::Error::custom))
                .transpose()
        }
    }
}

/// The earlier of two optional instants.
pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339_to_the_nanosecond() {
        for text in ["2026-11-22T03:00:00Z", "2026-11-02T08:00:00.000001Z", "1970-01-01T00:00:00.123456789Z"]
        {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
