//! Calendar months in UTC (P9).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::census::Timestamp;
use crate::census::time::{HOUR, SECOND};

/// How long after a month's end its statement stays a draft: 72 hours, in nanoseconds.
pub const DRAFT: i64 = 72 * HOUR;

const FIRST: Month = Month { year: 1970, month: 1 };
const LAST: Month = Month { year: 2199, month: 12 };

/// A calendar month in UTC, from 1970-01 to 2199-12.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month of an instant; the first or the last month if the instant is out of range.
    pub fn of(at: Timestamp) -> Self {
        let Ok(at) = jiff::Timestamp::from_nanosecond(i128::from(at.0)) else { return LAST };
        let date = at.to_zoned(TimeZone::UTC).date();
        Self { year: date.year(), month: date.month() }.clamp(FIRST, LAST)
    }

    /// The first instant.
    pub fn from(self) -> Timestamp {
        let start = Date::new(self.year, self.month, 1).and_then(|d| d.to_zoned(TimeZone::UTC));
        start.map_or(Timestamp(i64::MAX), |z| Timestamp::from_secs(z.timestamp().as_second()))
    }

    /// The first instant after it.
    pub fn to(self) -> Timestamp {
        self.next().from()
    }

    /// Its length in seconds: 28 to 31 days.
    pub fn seconds(self) -> i64 {
        self.to().since(self.from()) / SECOND
    }

    /// When its statement is closed.
    pub fn closes_at(self) -> Timestamp {
        self.to().plus(DRAFT)
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year.saturating_add(1), month: 1 },
            m => Self { year: self.year, month: m + 1 },
        }
    }

    /// The month before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        match self.month {
            1 => Self { year: self.year.saturating_sub(1), month: 12 },
            m => Self { year: self.year, month: m - 1 },
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = BadMonth;

    fn from_str(text: &str) -> Result<Self, BadMonth> {
        let bad = || BadMonth(text.chars().take(40).collect());
        let (year, month) = text.split_once('-').ok_or_else(bad)?;
        let number = |part: &str, length: usize| -> Option<i16> {
            let digits = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let (Some(year), Some(month @ 1..=12)) = (number(year, 4), number(month, 2)) else {
            return Err(bad());
        };
        let month = Self { year, month: i8::try_from(month).map_err(|_| bad())? };
        (FIRST..=LAST).contains(&month).then_some(month).ok_or_else(bad)
    }
}

/// A text that cannot be read as a month.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid month '{0}': write it as 2026-11; months from 1970-01 to 2199-12 are known")]
pub struct BadMonth(String);

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_length_and_follow_each_other() {
        let lengths = [("2026-11", 30), ("2026-12", 31), ("2027-02", 28), ("2028-02", 29), ("2100-02", 28)];
        for (text, days) in lengths {
            let month: Month = text.parse().unwrap();
            assert_eq!((month.to_string().as_str(), month.seconds()), (text, days * 86_400));
            assert_eq!((Month::of(month.from()), Month::of(month.to())), (month, month.next()));
            assert_eq!((Month::of(month.to().plus(-1)), month.next().previous()), (month, month));
        }
        let november: Month = "2026-11".parse().unwrap();
        assert_eq!(november.closes_at().to_string(), "2026-12-04T00:00:00Z");
        assert_eq!(Month::of(Timestamp(-1)), FIRST);
    }

    #[test]
    fn texts_that_are_not_months_are_refused() {
        for text in
            ["", "2026", "2026-13", "2026-00", "2026-1", "+026-11", "1969-12", "2200-01", "2026-11-01"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
