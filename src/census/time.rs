//! Instants as the core knows them: packet time, never a clock's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// A minute in nanoseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// An hour in nanoseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// A UTC day in nanoseconds.
pub const DAY: i64 = 24 * HOUR;

/// Nanoseconds since 1970-01-01T00:00:00Z; orders by time, prints as RFC 3339 in UTC.
///
/// On the wire it is the bare number, in documents for people the RFC 3339 text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// A whole second since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Seconds and nanoseconds as capture files carry them.
    pub const fn from_parts(secs: i64, nanos: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// The time that lies between `earlier` and this instant, in nanoseconds; negative where it lies later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day of the instant, counted from 1970.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The first instant of its UTC day.
    pub const fn day_start(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    /// This instant, `nanos` later.
    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
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

/// A text that is no instant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no instant; write it as 2026-11-22T03:00:00Z (RFC 3339)")]
pub struct BadTimestamp(String);

/// Serialises an instant as RFC 3339 text: `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Timestamp;

    /// Writes the instant as text.
    pub fn serialize<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(at)
    }

    /// Reads the instant from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }

    /// The same for an instant that may be missing.
    pub mod option {
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        use super::Timestamp;

        /// Writes the instant as text, or null.
        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => out.collect_str(at),
                None => out.serialize_none(),
            }
        }

        /// Reads the instant from text, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(input)?
                .map(|text| text.parse().map_err(D::Error::custom))
                .transpose()
        }
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
