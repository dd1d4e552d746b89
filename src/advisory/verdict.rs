//! Verdicts, and how one is concluded from what several sources say.

use serde::{Deserialize, Serialize};

use super::matching::Judged;
use super::record::Source;

/// What is said about a device and a CVE. In the order in which a criterion beats another of the same record: if one of
/// several alternatives holds, the device is affected.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "plan", schema(as = VulnerabilityVerdict))]
pub enum Verdict {
    /// The record is about other products.
    NoMatch,
    /// The firmware is not among the affected versions.
    Outside,
    /// The firmware is later than the affected versions, or named as fixed.
    #[serde(rename = "exact-fixed")]
    Fixed,
    /// The source says that the product is not affected.
    NotAffected,
    /// Nothing can be said: a version that cannot be compared, or a condition that is not proved.
    Undecided,
    /// A component of the device is affected, as its banner says. No criterion says so by itself.
    Component,
    /// Possibly affected: the model is, in some version.
    ModelOnly,
    /// Affected: the maker says that all versions are.
    AllVersions,
    /// Affected: the firmware is one of the affected versions.
    #[serde(rename = "exact-affected")]
    Affected,
}

impl Verdict {
    pub const fn key(self) -> &'static str {
        match self {
            Self::NoMatch => "no-match",
            Self::Outside => "outside",
            Self::Fixed => "exact-fixed",
            Self::NotAffected => "not-affected",
            Self::Undecided => "undecided",
            Self::Component => "component",
            Self::ModelOnly => "model-only",
            Self::AllVersions => "all-versions",
            Self::Affected => "exact-affected",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::NoMatch => "another product",
            Self::Outside => "another version",
            Self::Fixed => "fixed",
            Self::NotAffected => "not affected",
            Self::Undecided => "undecided",
            Self::Component => "a component is affected, by its banner",
            Self::ModelOnly => "possibly affected",
            Self::AllVersions => "affected, like all versions",
            Self::Affected => "affected",
        }
    }

    /// Whether the device has the vulnerability. Only these are in totals.
    pub const fn is_confirmed(self) -> bool {
        matches!(self, Self::Affected | Self::AllVersions)
    }

    /// Whether it is shown as possible.
    pub const fn is_possible(self) -> bool {
        matches!(self, Self::ModelOnly)
    }

    /// Whether a source with this verdict ends the search for a better one.
    const fn decides(self) -> bool {
        matches!(self, Self::Affected | Self::AllVersions | Self::Fixed | Self::NotAffected | Self::Outside)
    }
}

/// What all sources together say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conclusion {
    pub verdict: Verdict,
    /// The place of the record that decided, in the order given.
    pub record: usize,
    pub judged: Judged,
}

/// What one record says, for [`conclude`].
#[derive(Clone, Copy, Debug)]
pub struct Voice<'v> {
    pub source: Source,
    /// The day of the record: of two documents of one source, the newer one is believed.
    pub modified: Option<&'v str>,
    pub judged: Judged,
}

/// Decides between sources: the maker's words before those of others, the NVD before the CVE list. A source that decides
/// nothing leaves it to the next. `None` if no record is about the device.
pub fn conclude(voices: &[Voice<'_>]) -> Option<Conclusion> {
    let about = |(_, voice): &(usize, &Voice<'_>)| voice.judged.verdict != Verdict::NoMatch;
    let best = |wanted: fn(Verdict) -> bool| {
        let found = voices.iter().enumerate().filter(about).filter(|(_, v)| wanted(v.judged.verdict));
        found.min_by(|(_, a), (_, b)| {
            // The most trusted source, of it the newest, of these the gravest.
            a.source
                .cmp(&b.source)
                .then(b.modified.cmp(&a.modified))
                .then(b.judged.verdict.cmp(&a.judged.verdict))
        })
    };
    let (record, voice) = best(Verdict::decides)
        .or_else(|| best(Verdict::is_possible))
        .or_else(|| best(|verdict| verdict == Verdict::Undecided))?;
    Some(Conclusion { verdict: voice.judged.verdict, record, judged: voice.judged })
}
