//! The station: what a MAC said below IP, by LLDP, CDP, STP, DHCP requests and routing protocols.

use serde::{Deserialize, Serialize};

use super::clamp::Clamp;
use super::evidence::Field;
use super::evidence_set::EvidenceSet;
use super::time::{Timestamp, earliest};
use super::windows::Windows;

/// The facts of a MAC below IP. Merging is a join.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Station {
    #[serde(rename = "a")]
    pub first_seen: Timestamp,
    #[serde(rename = "z")]
    pub last_seen: Timestamp,
    #[serde(rename = "e", default, skip_serializing_if = "EvidenceSet::is_empty")]
    pub evidence: EvidenceSet,
}

impl Station {
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

    /// The facts from frames before `as_of`; `None` if all frames came later. If later frames came, `last_seen` is the
    /// latest possible instant.
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

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        (self.first_seen, self.last_seen) = (clamp.at(self.first_seen), clamp.at(self.last_seen));
        self.evidence.clamp(clamp);
    }

    /// The earliest instant about which `self` says more than `before`, except for `last_seen`; `None` if it says nothing
    /// more.
    pub fn news(&self, before: Option<&Self>) -> Option<Timestamp> {
        let Some(before) = before else { return Some(self.first_seen) };
        let first = (self.first_seen < before.first_seen).then_some(self.first_seen);
        earliest(first, self.evidence.news(&before.evidence))
    }

    /// When the MAC spoke protocols that only routers speak (I6).
    pub(super) fn speaks_routing(&self) -> impl Iterator<Item = (Timestamp, Windows)> {
        let spoken = self.evidence.iter().filter(|e| {
            match e.field {
                Field::RaSender => true,
                Field::RouterProtocol => {
                    matches!(&*e.value, "vrrp" | "hsrp" | "glbp" | "ospf" | "eigrp" | "isis")
                }
                // The other tasks are also those of switches and hosts.
                Field::RouterTask => matches!(&*e.value, "rip" | "pim"),
                _ => false,
            }
        });
        spoken.map(|e| (e.at, e.windows))
    }

    /// Whether the MAC spoke LLDP, CDP or STP. Then it is listed even without an address (I14).
    pub(super) fn speaks_layer_two(&self) -> bool {
        self.evidence.iter().any(|e| {
            matches!(e.field, Field::LldpChassisId | Field::CdpDeviceId | Field::CdpCap | Field::StpBridge)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_protocols_of_routers_make_a_mac_forward() {
        let speaks = |field, value| {
            let mut station = Station::new(Timestamp(0));
            station.evidence.add(field, value, Timestamp(0));
            station.speaks_routing().next().is_some()
        };
        for value in ["vrrp", "hsrp", "glbp", "ospf", "eigrp", "isis"] {
            assert!(speaks(Field::RouterProtocol, value), "{value}");
        }
        assert!(speaks(Field::RouterTask, "rip") && speaks(Field::RouterTask, "pim"));
        assert!(!speaks(Field::RouterProtocol, "carp"));
        for value in ["igmp_querier", "mld_querier", "bgp", "vtp", "udld"] {
            assert!(!speaks(Field::RouterTask, value), "{value}");
        }
    }
}
