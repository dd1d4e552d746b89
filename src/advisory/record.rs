//! A record: what one source says about one CVE, in the form in which it is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::CveId;
use super::score::Score;

/// Who says so. In the order in which they are believed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "plan", schema(as = AdvisorySource))]
pub enum Source {
    /// A CSAF document of the maker.
    Maker,
    /// A CSAF document of somebody else, such as a national authority.
    Coordinator,
    Nvd,
    Cve5,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Maker, Self::Coordinator, Self::Nvd, Self::Cve5];

    /// The number under which it is kept.
    pub const fn number(self) -> i64 {
        self as i64
    }

    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.number() == number)
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Maker => "CSAF of the maker",
            Self::Coordinator => "CSAF of a coordinator",
            Self::Nvd => "NVD",
            Self::Cve5 => "CVE list",
        }
    }
}

/// What a source says about a CVE.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    pub cve: CveId,
    pub source: Source,
    /// The id of the document: a CSAF tracking id with its publisher; empty for lists of CVEs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document: String,
    /// The CVE was rejected: it is not a vulnerability.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rejected: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Why an exploit is taken for known, beside KEV: `ssvc` (active) or `reference` (tagged `Exploit`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exploit: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    /// Any of them suffices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// What a group of criteria says of a product that fits it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Affected,
    Fixed,
    NotAffected,
}

impl Status {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_affected(&self) -> bool {
        *self == Self::Affected
    }
}

/// A configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Group {
    #[serde(default, rename = "s", skip_serializing_if = "Status::is_affected")]
    pub status: Status,
    /// Whether all nodes must fit; else one suffices.
    #[serde(default, rename = "a", skip_serializing_if = "is_false")]
    pub all: bool,
    #[serde(default, rename = "!", skip_serializing_if = "is_false")]
    pub negate: bool,
    #[serde(rename = "n")]
    pub nodes: Vec<Node>,
}

/// A part of a configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Node {
    #[serde(default, rename = "a", skip_serializing_if = "is_false")]
    pub all: bool,
    #[serde(default, rename = "!", skip_serializing_if = "is_false")]
    pub negate: bool,
    #[serde(rename = "c")]
    pub criteria: Vec<Criterion>,
}

/// A product, and which of its versions.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Criterion {
    /// Only names what else must be there, such as the hardware below a firmware.
    #[serde(default, rename = "r", skip_serializing_if = "is_false")]
    pub running_on: bool,
    /// The keys of the product: several names of one.
    #[serde(rename = "k")]
    pub keys: Vec<String>,
    #[serde(rename = "v")]
    pub versions: Constraint,
}

/// Which versions.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Constraint {
    /// The record says nothing about versions.
    #[serde(rename = "-")]
    NotSaid,
    /// Any version, without saying that every one is meant.
    #[serde(rename = "*")]
    Unspecified,
    /// Every version, in the advisory's own words.
    #[serde(rename = "all")]
    All,
    /// This version.
    #[serde(rename = "=")]
    Is(String),
    #[serde(rename = "<")]
    Range { from: Option<Bound>, to: Option<Bound> },
    /// A sentence, or more than this reader understands: nothing is concluded.
    #[serde(rename = "?")]
    Words(String),
}

/// An end of a range.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bound {
    #[serde(rename = "t")]
    pub text: String,
    /// Whether the version itself is within.
    #[serde(default, rename = "i", skip_serializing_if = "is_false")]
    pub inclusive: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSaid => f.write_str("versions not stated"),
            Self::Unspecified => f.write_str("versions unspecified"),
            Self::All => f.write_str("all versions"),
            Self::Is(text) => write!(f, "= {text}"),
            Self::Range { from, to } => {
                let mut between = "";
                if let Some(Bound { text, inclusive }) = from {
                    write!(f, ">{} {text}", if *inclusive { "=" } else { "" })?;
                    between = ", ";
                }
                if let Some(Bound { text, inclusive }) = to {
                    write!(f, "{between}<{} {text}", if *inclusive { "=" } else { "" })?;
                }
                Ok(())
            }
            Self::Words(text) => write!(f, "\"{text}\""),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.keys.first().map_or("?", |key| key.split_once('/').map_or(key, |(_, name)| name));
        write!(f, "{}{name} {}", if self.running_on { "running on " } else { "" }, self.versions)
    }
}

impl Record {
    /// All criteria.
    pub fn criteria(&self) -> impl Iterator<Item = &Criterion> {
        self.groups.iter().flat_map(|group| &group.nodes).flat_map(|node| &node.criteria)
    }
}
