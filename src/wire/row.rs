//! A device as a survey concluded it, without the survey's facts: what documents, lists and explanations are made of.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::decisions::{self, DecisionsEntry};
use super::document::{CouplingEntry, DeviceEntry};
use super::evidence::EvidenceEntry;
use super::frames::FrameNumbers;
use crate::census::{
    Binding, Classification, Coupling, CouplingKey, CouplingState, Device, DeviceDecisions, DeviceId,
    Forwards, Join, MacAddr, Sign, Signs, Timestamp, Verdict,
};

/// A device. Small, because the plan service keeps those of all subscriptions that are looked at.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    pub id: DeviceId,
    pub zone: Arc<str>,
    /// The address it is listed under.
    pub ip: IpAddr,
    /// The MAC of that address.
    pub mac: MacAddr,
    /// Sorted by MAC and address.
    pub couplings: SmallVec<[CouplingRow; 1]>,
    /// Why its couplings are one device (I8).
    pub joins: ThinVec<Join>,
    /// Why one of its MACs forwards, if one does (I6).
    pub forwards: Option<Forwards>,
    /// What it is, as people set it or the rules conclude.
    pub what: Arc<Classification>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub verdict: Verdict,
    /// What people decided about it; `None` if nothing.
    pub decided: Option<Box<DeviceDecisions>>,
}

/// A coupling of a device.
#[derive(Clone, Debug)]
pub struct CouplingRow {
    pub key: CouplingKey,
    pub binding: Binding,
    pub state: CouplingState,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub shown: Shown,
    /// The ids of inner and outer VLAN tags, sorted.
    pub vlans: ThinVec<u16>,
}

/// What showed a coupling.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    pub signs: Signs,
    /// The first proof.
    pub proof: Option<(Sign, Timestamp)>,
}

impl Shown {
    pub(super) fn new(facts: &Coupling, binding: Binding) -> Self {
        // An announcement proves an on-link address only. The binding says whether it did.
        let announced = || facts.announced_at().filter(|_| binding == Binding::Proven);
        let proof = facts.proof().map(|p| (p.sign, p.at));
        Self { signs: facts.signs, proof: proof.or_else(|| announced().map(|at| (Sign::Announced, at))) }
    }
}

impl DeviceRow {
    /// The row of a device of the zone named `zone`.
    pub fn new(device: &Device<'_>, zone: &Arc<str>) -> Self {
        let coupling = |m: &crate::census::Member<'_>| CouplingRow {
            key: m.key,
            binding: m.binding,
            state: m.state,
            first_seen: m.facts.first_seen,
            last_seen: m.facts.last_seen,
            shown: Shown::new(m.facts, m.binding),
            vlans: m.facts.vlans().into(),
        };
        Self {
            id: device.id,
            zone: Arc::clone(zone),
            ip: device.ip,
            mac: device.mac,
            couplings: device.couplings.iter().map(coupling).collect(),
            joins: device.joins.clone(),
            forwards: device.forwards,
            what: device.classification(),
            first_seen: device.first_seen,
            last_seen: device.last_seen,
            verdict: device.verdict,
            decided: device.decided.clone(),
        }
    }

    /// The device as documents show it. `frames` has the frame numbers of a replayed capture.
    pub fn entry(&self, frames: Option<&FrameNumbers>) -> DeviceEntry {
        let (what, decided) = (&*self.what, self.decided.as_deref());
        DeviceEntry {
            id: self.id.to_string(),
            zone: String::from(&*self.zone),
            mac: self.mac,
            ip: self.ip,
            couplings: self.couplings.iter().map(CouplingEntry::from).collect(),
            category: what.category,
            kind: what.kind.to_string(),
            roles: what.roles.iter().map(|role| role.to_string()).collect(),
            vendor: what.vendor.as_ref().map(ToString::to_string),
            model: what.model.as_ref().map(ToString::to_string),
            os: what.os.as_ref().map(ToString::to_string),
            firmware: what.firmware.as_ref().map(ToString::to_string),
            name: what.name.as_ref().map(ToString::to_string),
            random_mac: self.mac.is_locally_administered(),
            location: decided.and_then(DeviceDecisions::location).map(str::to_owned),
            tags: decided.map(|d| d.tags().to_vec()).unwrap_or_default(),
            importance: decided.and_then(DeviceDecisions::importance),
            confidence: f64::from(what.confidence) / 100.0,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            verdict: self.verdict,
            decided: decided.map(DecisionsEntry::from),
            evidence: decided
                .into_iter()
                .flat_map(decisions::evidence)
                .chain(what.reasons.iter().map(|r| EvidenceEntry::new(r, frames)))
                .collect(),
        }
    }

    /// The titles of the rules, in the order of the entry's evidence.
    pub(super) fn titles(&self) -> impl Iterator<Item = String> {
        let decided = self.decided.as_deref().into_iter().flat_map(decisions::titles);
        decided.chain(self.what.reasons.iter().map(|r| r.title.to_string()))
    }
}

impl From<&CouplingRow> for CouplingEntry {
    fn from(c: &CouplingRow) -> Self {
        Self {
            mac: c.key.mac,
            ip: c.key.ip,
            binding: c.binding,
            vlan: c.vlans.to_vec(),
            first_seen: c.first_seen,
            last_seen: c.last_seen,
            state: c.state,
        }
    }
}
