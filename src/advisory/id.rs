//! CVE ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A CVE id: a year and a number, in this order.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CveId {
    year: u16,
    number: u32,
}

/// Not a CVE id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a CVE id is written CVE-YEAR-NUMBER, with 4 to 9 digits in the number")]
pub struct BadCveId;

impl CveId {
    /// The id as a number that sorts like the id.
    pub fn to_number(self) -> i64 {
        i64::from(self.year) << 32 | i64::from(self.number)
    }

    /// The id of such a number.
    pub fn from_number(number: i64) -> Option<Self> {
        let year = u16::try_from(number >> 32).ok()?;
        let number = u32::try_from(number & i64::from(u32::MAX)).ok()?;
        Some(Self { year, number })
    }
}

impl FromStr for CveId {
    type Err = BadCveId;

    fn from_str(text: &str) -> Result<Self, BadCveId> {
        let mut parts = text.split('-');
        let (name, year, number) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(year), Some(number), None) = (name, year, number, parts.next()) else {
            return Err(BadCveId);
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let fits = name.eq_ignore_ascii_case("CVE")
            && year.len() == 4
            && (4..=9).contains(&number.len())
            && digits(year)
            && digits(number);
        if !fits {
            return Err(BadCveId);
        }
        Ok(Self { year: year.parse().map_err(|_| BadCveId)?, number: number.parse().map_err(|_| BadCveId)? })
    }
}

impl fmt::Display for CveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{:04}-{:04}", self.year, self.number)
    }
}

impl TryFrom<String> for CveId {
    type Error = BadCveId;

    fn try_from(text: String) -> Result<Self, BadCveId> {
        text.parse()
    }
}

impl From<CveId> for String {
    fn from(id: CveId) -> Self {
        id.to_string()
    }
}
