//! From what the count of a past instant is made.

use std::fmt;

use serde::{Deserialize, Serialize};

/// From what the count of a past instant is made. Counts of the present have none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Basis {
    /// The instant is the end of a day with a snapshot: numbers and devices are the sealed ones.
    Snapshot {
        /// The day.
        day: String,
        /// The newest revision of its snapshot.
        revision: u64,
        /// The SHA-256 of its header's signed form.
        hash: String,
        /// How many of its devices the facts and rules of today would show otherwise.
        differing: u64,
    },
    /// The facts that are kept now, restricted to what was first heard before the instant, under the decisions that stood
    /// then. Some facts have no time of their own, so there may be devices of which it is unsure whether they counted.
    Kept {
        /// Billable devices that surely counted.
        at_least: u64,
        /// Billable devices, with those that possibly counted.
        at_most: u64,
        /// Devices that cannot be said to be then what the answer shows.
        unsure: u64,
        /// The day of the newest snapshot before the instant; null if there is none.
        snapshot: Option<String>,
    },
}

impl Basis {
    /// As the header `Netcensus-Basis` has it: `snapshot; day=2026-11-21; revision=0`, or
    /// `kept; at-least=470; at-most=473`.
    pub fn to_header(&self) -> String {
        match self {
            Self::Snapshot { day, revision, .. } => format!("snapshot; day={day}; revision={revision}"),
            Self::Kept { at_least, at_most, .. } => format!("kept; at-least={at_least}; at-most={at_most}"),
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot { day, revision, differing: 0, .. } => {
                write!(f, "as sealed in the snapshot of {day}, revision {revision}")
            }
            Self::Snapshot { day, revision, differing, .. } => write!(
                f,
                "as sealed in the snapshot of {day}, revision {revision}; {differing} of its devices would be shown otherwise by the facts and rules of today"
            ),
            Self::Kept { unsure: 0, at_least, at_most, .. } if at_least == at_most => {
                f.write_str("made of the facts that are kept now")
            }
            Self::Kept { at_least, at_most, unsure, .. } if at_least == at_most => write!(
                f,
                "made of the facts that are kept now; what {unsure} devices were then is unsure, but not how many counted"
            ),
            Self::Kept { at_least, at_most, .. } => write!(
                f,
                "made of the facts that are kept now: at least {at_least} and at most {at_most} devices counted then"
            ),
        }
    }
}
