//! The leaf: one device in a snapshot, as one line of JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::digest::Digest;
use super::tree::leaf_hash;
use crate::census::{
    Category, Device, MacAddr, Policy, Standing, Survey, Timestamp, Verdict, time::rfc3339, verdict,
};

/// One device, counted or not. The line is the compact JSON of these members in this order. Lines are sorted by id, so two
/// neighbours prove that a device between them does not exist.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = SnapshotLeaf)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The device's id: 16 hex digits.
    pub id: String,
    pub zone: String,
    #[schema(value_type = String)]
    pub mac: MacAddr,
    #[schema(value_type = String)]
    pub ip: IpAddr,
    #[schema(value_type = String)]
    pub category: Category,
    /// Type, a key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    #[schema(value_type = String)]
    pub verdict: Verdict,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// Newest frame before the end of the day.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// The number of its couplings, with which the ledger of couplings closes too.
    pub couplings: u64,
}

impl Leaf {
    /// The leaf of a device.
    pub fn new(device: &Device<'_>) -> Self {
        Self {
            id: device.id.to_string(),
            zone: device.zone.to_owned(),
            mac: device.mac,
            ip: device.ip,
            category: device.category,
            kind: device.classification().kind.to_string(),
            verdict: device.verdict,
            first_seen: device.first_seen,
            last_seen: device.last_seen,
            couplings: device.couplings.len() as u64,
        }
    }

    /// The leaves of a survey, in order.
    pub fn all(survey: &Survey<'_>) -> impl Iterator<Item = Self> {
        let mut devices: Vec<&Device<'_>> = survey.devices.iter().collect();
        // Ids are hex digits of one length, so they sort like numbers.
        devices.sort_unstable_by_key(|d| d.id);
        devices.into_iter().map(Self::new)
    }

    /// The line without its line feed.
    ///
    /// # Errors
    /// Never, in practice: every member can be written.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a line. `None` unless it is exactly as [`Leaf::line`] writes it.
    pub fn read(line: &str) -> Option<Self> {
        let leaf: Self = serde_json::from_str(line).ok()?;
        (leaf.line().ok()? == line).then_some(leaf)
    }

    /// The hash of a line as a leaf of the tree.
    pub fn hash(line: &str) -> Digest {
        leaf_hash(line.as_bytes())
    }

    /// Whether the verdict follows from the category and the last frame. That a device is deleted, tentative or managed
    /// elsewhere is taken from the leaf.
    pub fn follows(&self, policy: &Policy, as_of: Timestamp) -> bool {
        let standing = Standing {
            category: self.category,
            last_seen: self.last_seen,
            tentative: self.verdict == Verdict::Tentative,
            managed: self.verdict == Verdict::Managed,
            deleted_at: (self.verdict == Verdict::Deleted).then_some(self.last_seen),
        };
        verdict(&standing, policy, as_of) == self.verdict
            && self.first_seen <= self.last_seen
            && self.last_seen < as_of
            && self.couplings > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn leaf() -> Leaf {
        Leaf {
            id: "0123456789abcdef".into(),
            zone: "default".into(),
            mac: "00:1b:d4:00:00:01".parse().unwrap(),
            ip: "10.0.0.1".parse().unwrap(),
            category: Category::Iot,
            kind: "camera".into(),
            verdict: Verdict::CountedIot,
            first_seen: "2026-11-01T08:00:00Z".parse().unwrap(),
            last_seen: "2026-11-21T23:59:59.5Z".parse().unwrap(),
            couplings: 2,
        }
    }

    #[test]
    fn a_line_reads_as_it_was_written_and_in_no_other_way() {
        let line = leaf().line().unwrap();
        insta::assert_snapshot!(line, @r#"{"id":"0123456789abcdef","zone":"default","mac":"00:1b:d4:00:00:01","ip":"10.0.0.1","category":"iot","type":"camera","verdict":"C-IOT","first_seen":"2026-11-01T08:00:00Z","last_seen":"2026-11-21T23:59:59.5Z","couplings":2}"#);
        assert_eq!(Leaf::read(&line), Some(leaf()));
        for other in [
            line.replace(":2}", ": 2}"),
            line.replace(":2}", ":2,\"x\":1}"),
            line.replace(".5Z", ".50Z"),
            line.replace("1b:d4", "1B:D4"),
            line.replace("camera", "c\\u0061mera"),
            format!("{line} "),
        ] {
            assert_eq!(Leaf::read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_verdict_follows_from_category_and_silence() {
        let (policy, as_of) = (Policy::default(), "2026-11-22T00:00:00Z".parse().unwrap());
        assert!(leaf().follows(&policy, as_of));
        for (category, verdict, follows) in [
            (Category::Network, Verdict::CountedNetwork, true),
            (Category::Network, Verdict::CountedIot, false),
            (Category::ComputerMobile, Verdict::ComputerMobile, true),
            (Category::ComputerMobile, Verdict::CountedIot, false),
            (Category::ComputerMobile, Verdict::Managed, false),
            (Category::Unclassified, Verdict::Unclassified, true),
            (Category::Iot, Verdict::Idle, false),
            (Category::Iot, Verdict::Managed, true),
            (Category::Iot, Verdict::Deleted, true),
            (Category::Iot, Verdict::Tentative, true),
            (Category::Iot, Verdict::Routed, false),
        ] {
            assert_eq!(Leaf { category, verdict, ..leaf() }.follows(&policy, as_of), follows, "{verdict:?}");
        }
        let silent = Leaf { last_seen: "2026-10-22T00:00:00Z".parse().unwrap(), ..leaf() };
        let silent = Leaf { first_seen: silent.last_seen, ..silent };
        assert!(!silent.follows(&policy, as_of));
        assert!(Leaf { verdict: Verdict::Idle, ..silent }.follows(&policy, as_of));
        assert!(!Leaf { last_seen: as_of, ..leaf() }.follows(&policy, as_of));
        assert!(!Leaf { couplings: 0, ..leaf() }.follows(&policy, as_of));
    }
}
