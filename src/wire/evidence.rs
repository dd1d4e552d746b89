//! Evidence as documents write it.

use serde::{Deserialize, Serialize, Serializer};

use super::frames::FrameNumbers;
use crate::census::{Reason, Timestamp, time::rfc3339};

/// One reason for a device's classification.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct EvidenceEntry {
    pub field: String,
    pub value: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's conclusions, as `attribute=value` joined by `, `.
    pub says: String,
    /// The certainty in percent.
    pub weight: u8,
    /// The number of the first frame with the value; null unless a capture was replayed. See [`FrameNumbers`].
    pub frame: Option<u64>,
    /// The time of that frame; null for derived evidence.
    #[serde(with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub at: Option<Timestamp>,
}

/// Writes a reason as [`EvidenceEntry`], without a copy of its texts.
pub(super) fn write<S: Serializer>(
    reason: &Reason,
    frames: Option<&FrameNumbers>,
    out: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Entry<'r> {
        field: &'r str,
        value: &'r str,
        rule: &'r str,
        says: &'r str,
        weight: u8,
        frame: Option<u64>,
        #[serde(with = "rfc3339::option")]
        at: Option<Timestamp>,
    }
    let Reason { field, value, rule, says, weight, at, .. } = reason;
    let frame = at.and_then(|at| frames?.number(at));
    Entry { field: field.name(), value, rule, says, weight: *weight, frame, at: *at }.serialize(out)
}

impl EvidenceEntry {
    pub fn new(reason: &Reason, frames: Option<&FrameNumbers>) -> Self {
        Self {
            field: reason.field.name().to_owned(),
            value: reason.value.to_string(),
            rule: reason.rule.to_string(),
            says: reason.says.to_string(),
            weight: reason.weight,
            frame: reason.at.and_then(|at| frames?.number(at)),
            at: reason.at,
        }
    }

    /// The conclusions with their certainty, `type=camera (95 %)`. Each has its own if they differ.
    pub fn conclusions(&self) -> String {
        // A text from the network holds no percent sign (`classify`, captures).
        if self.says.ends_with(" %)") {
            self.says.clone()
        } else {
            format!("{} ({} %)", self.says, self.weight)
        }
    }
}
