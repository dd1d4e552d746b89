//! The station: what a MAC said without an IP address of its own, by LLDP, CDP, STP, DHCP requests, routing protocols.

use serde::{Deserialize, Serialize};

use super::coupling::earliest;
use super::evidence::{EvidenceSet, Field};
use super::time::Timestamp;

/// The facts of a MAC that lie below IP. Merging is a join, as for couplings.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Station {
    /// The earliest frame that gave evidence.
    #[serde(rename = "a")]
    pub first_seen: Timestamp,
    /// The newest frame that gave evidence.
    #[serde(rename = "z")]
    pub last_seen: Timestamp,
    /// What it said.
    #[serde(rename = "e", default, skip_serializing_if = "EvidenceSet::is_empty")]
    pub evidence: EvidenceSet,
}

impl Station {
    /// A station of which one frame at `at` gave evidence.
    pub fn new(at: Timestamp) -> Self {
        Self { first_seen: at, last_seen: at, evidence: EvidenceSet::default() }
    }

    /// Records a frame at `at`; returns whether `first_seen` changed.
    pub fn sight(&mut self, at: Timestamp) -> bool {
        let earlier = at < self.first_seen;
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
        earlier
    }

    /// Joins the facts of `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.first_seen, self.last_seen);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        let changed = before != (self.first_seen, self.last_seen);
        self.evidence.merge(&other.evidence) || changed
    }

    /// What frames before `as_of` gave; `None` where there was none. Of the newest frame only the bound is known.
    #[must_use]
    pub fn until(&self, as_of: Timestamp) -> Option<Self> {
        if self.first_seen >= as_of {
            return None;
        }
        let mut out = self.clone();
        out.last_seen = out.last_seen.min(as_of.plus(-1));
        out.evidence.retain_before(as_of);
        Some(out)
    }

    /// The earliest instant of which this says more than `before` did, but for having been seen again; `None` where it
    /// says no more.
    pub fn news(&self, before: Option<&Self>) -> Option<Timestamp> {
        let Some(before) = before else { return Some(self.first_seen) };
        let first = (self.first_seen < before.first_seen).then_some(self.first_seen);
        earliest(first, self.evidence.news(&before.evidence))
    }

    /// Whether the MAC speaks a protocol that only a forwarding MAC speaks (I6).
    pub fn speaks_routing(&self) -> bool {
        self.evidence.iter().any(|e| {
            e.field == Field::RaSender
                || e.field == Field::RouterProtocol
                    && matches!(&*e.value, "vrrp" | "hsrp" | "glbp" | "ospf" | "eigrp" | "isis")
        })
    }

    /// Whether the MAC spoke LLDP, CDP or STP, and so is listed even without an address (I14).
    pub fn speaks_layer_two(&self) -> bool {
        self.evidence.iter().any(|e| {
            matches!(e.field, Field::LldpChassisId | Field::CdpDeviceId | Field::CdpCap | Field::StpBridge)
        })
    }
}
