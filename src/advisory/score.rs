//! CVSS scores as records give them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::{LINE, cut};

/// A base score.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "plan", schema(as = CvssScore))]
pub struct Score {
    /// The version of CVSS, such as `3.1`.
    pub version: String,
    /// Tenths: 0 to 100.
    pub tenths: u8,
    pub vector: String,
    /// Who scored.
    pub source: String,
}

/// A severity, as CVSS 3 names the ranges of its scores.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "plan", schema(as = CvssSeverity))]
pub enum Severity {
    None,
    Low,
    Medium,
    High,
    Critical,
}

impl Score {
    /// A score; `None` if it is not between 0 and 10.
    pub(super) fn new(version: &str, base: f64, vector: &str, source: &str) -> Option<Self> {
        if !(0.0..=10.0).contains(&base) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        let tenths = (base * 10.0).round() as u8;
        Some(Self { version: cut(version, 8), tenths, vector: cut(vector, LINE), source: cut(source, LINE) })
    }

    pub fn severity(&self) -> Severity {
        match self.tenths {
            0 => Severity::None,
            1..=39 => Severity::Low,
            40..=69 => Severity::Medium,
            70..=89 => Severity::High,
            _ => Severity::Critical,
        }
    }

    /// How the versions of CVSS rank: 4, 3.1, 3.0, 2.
    pub fn rank(&self) -> u8 {
        match self.version.as_str() {
            v if v.starts_with('4') => 0,
            "3.1" => 1,
            v if v.starts_with('3') => 2,
            _ => 3,
        }
    }

    /// The score as people write it, such as `9.8`.
    pub fn base(&self) -> String {
        format!("{}.{}", self.tenths / 10, self.tenths % 10)
    }
}

impl Severity {
    pub const fn key(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}
