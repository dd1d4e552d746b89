//! Findings: what a person should check. A finding does not change the count.
//!
//! All findings have one type, [`Finding`]. `kind` lists the kinds with their rules; `sentences` has a constructor for
//! each kind, with its sentence and its advice. Document, API, console, commands and logs show the same sentence.

mod claims;
mod kind;
mod list;
mod sentences;
mod subjects;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(super) use self::claims::{
    claims, clock_jump, conflicts, held, held_words, late_addresses, prefixes, tunnels, unconfirmed,
};
pub use self::kind::FindingKind;
#[cfg(feature = "plan")]
pub(crate) use self::list::LISTED;
pub use self::list::{Findings, UnlistedFindings};
pub use self::sentences::Limit;
pub use self::subjects::Subjects;
use super::id;
use super::time::{Timestamp, rfc3339};

/// One finding.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Stays the same while the finding's times and numbers grow.
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub id: FindingId,
    pub kind: FindingKind,
    pub zone: String,
    /// The census rule that the finding is about.
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub rule: Cow<'static, str>,
    /// `address_conflict`: the address. `tunnel_held`: the source of the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>))]
    pub ip: Option<IpAddr>,
    /// `newcomers_held`: the number of devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<u64>,
    #[serde(flatten)]
    pub subjects: Subjects,
    /// How many; the kind defines the unit. Left out if there is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The earliest frame that shows it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub first: Option<Timestamp>,
    /// The newest frame that shows it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub last: Option<Timestamp>,
    /// What was found, in one sentence for people.
    pub sentence: String,
    /// The next step for a person.
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub advice: Cow<'static, str>,
}

impl Finding {
    /// A finding without subjects, times and numbers. `key` tells it from the other findings of its kind in its zone, so
    /// it must not contain anything that grows.
    fn new(
        kind: FindingKind,
        zone: &str,
        key: &str,
        sentence: String,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            id: FindingId::of(kind, zone, key),
            kind,
            zone: zone.to_owned(),
            rule: kind.rule().into(),
            ip: None,
            devices: None,
            subjects: Subjects::default(),
            count: None,
            first: None,
            last: None,
            sentence,
            advice: advice.into(),
        }
    }

    /// Adds what it is about.
    #[must_use]
    pub fn about(mut self, subjects: Subjects) -> Self {
        self.subjects = subjects;
        self
    }

    #[must_use]
    pub fn counting(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Adds the earliest and the newest frame that show it.
    #[must_use]
    pub fn between(mut self, first: Timestamp, last: Timestamp) -> Self {
        (self.first, self.last) = (Some(first), Some(last));
        self
    }

    /// Sorts findings as every list has them.
    pub fn sort(findings: &mut [Self]) {
        findings.sort_by(|a, b| a.rank().cmp(&b.rank()));
    }

    /// Kind, zone, subjects.
    pub(crate) fn rank(&self) -> impl Ord + '_ {
        (self.kind, self.zone.as_str(), &self.subjects, self.id)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The id of a finding: 16 hex digits, made of its kind, its zone and the subject that tells it from others.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FindingId(u64);

impl FindingId {
    fn of(kind: FindingKind, zone: &str, key: &str) -> Self {
        // A zone may contain the separator, so it comes last.
        Self(id::of(&format!("{}|{key}|{zone}", kind.key())))
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for FindingId {
    type Err = BadFindingId;

    fn from_str(text: &str) -> Result<Self, BadFindingId> {
        id::parse(text).map(Self).ok_or(BadFindingId)
    }
}

impl TryFrom<String> for FindingId {
    type Error = BadFindingId;

    fn try_from(text: String) -> Result<Self, BadFindingId> {
        text.parse()
    }
}

impl From<FindingId> for String {
    fn from(id: FindingId) -> Self {
        id.to_string()
    }
}

/// The text is not a finding id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a finding id has 16 lowercase hexadecimal digits")]
pub struct BadFindingId;

#[cfg(test)]
mod tests;
