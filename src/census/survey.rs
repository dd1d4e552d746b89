//! The survey: an inventory at an instant, as devices with verdicts and a ledger that closes twice
//! (`docs/rules.md`, Ledger).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::is_public;
use super::binding::{Binding, Bindings, Bound, Forwards};
use super::classification::{Classification, Classifier};
use super::coupling::{Coupling, CouplingKey};
use super::decisions::Decisions;
use super::device::Device;
use super::finding::Findings;
use super::inventory::Inventory;
use super::ledger::Census;
use super::mac::MacAddr;
use super::policy::Policy;
use super::time::Timestamp;
use super::verdict::Verdict;
use super::zone_survey::ZoneSurvey;

/// The most couplings of a zone whose devices keep their classifications.
const KEPT: usize = 1 << 16;

/// A coupling that does not belong to a device, with the verdict under which it is excluded.
#[derive(Clone, Copy, Debug)]
pub struct CouplingLine<'a> {
    pub zone: &'a str,
    pub key: CouplingKey,
    pub facts: &'a Coupling,
    /// X-VIRT, X-BCAST, X-PUB or X-ROUTED.
    pub verdict: Verdict,
    pub binding: Binding,
    /// Why its MAC forwards, if it does.
    pub forwards: Option<Forwards>,
}

impl<'a> CouplingLine<'a> {
    pub(super) fn new(zone: &'a str, coupling: &Bound<'a>, bindings: &Bindings<'a>) -> Self {
        let Bound { key, facts, binding, .. } = *coupling;
        let forwards = bindings.forwarding.get(&key.mac).copied();
        let verdict = match binding {
            Binding::Virtual => Verdict::Virtual,
            Binding::Broadcast => Verdict::Broadcast,
            _ if is_public(key.ip) && !bindings.on_link.contains(key.ip) => Verdict::Public,
            _ => Verdict::Routed,
        };
        Self { zone, key, facts, verdict, binding, forwards }
    }
}

/// The number of addresses behind one MAC.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Routed {
    /// The MAC that forwards.
    pub mac: MacAddr,
    pub addresses: u64,
}

impl Routed {
    /// Counts the addresses behind each MAC; sorted by MAC.
    pub fn all(lines: &[CouplingLine<'_>]) -> Vec<Self> {
        let mut addresses: BTreeMap<MacAddr, u64> = BTreeMap::new();
        for line in lines.iter().filter(|l| l.binding == Binding::Routed) {
            *addresses.entry(line.key.mac).or_default() += 1;
        }
        addresses.into_iter().map(|(mac, addresses)| Self { mac, addresses }).collect()
    }
}

/// A MAC that speaks LLDP, CDP or STP and never showed an address (I14).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unaddressed {
    pub mac: MacAddr,
    pub classification: Classification,
}

/// An inventory at an instant.
#[derive(Debug)]
pub struct Survey<'a> {
    pub as_of: Timestamp,
    /// The policy's name.
    pub policy: &'a str,
    /// Sorted by zone, address, MAC.
    pub devices: Vec<Device<'a>>,
    /// Couplings that do not belong to a device, sorted by zone and key.
    pub lines: Vec<CouplingLine<'a>>,
    /// Sorted by MAC.
    pub routed: Vec<Routed>,
    /// Sorted by MAC.
    pub unaddressed: Vec<Unaddressed>,
    pub findings: Findings,
    pub census: Census,
}

impl<'a> Survey<'a> {
    /// Derives devices, verdicts and numbers. A pure function of its arguments. `inventory` is [`Inventory::admitted`]:
    /// what is still in tunnels does not count, and findings tell of it (I13).
    pub fn new(
        inventory: &'a Inventory,
        policy: &'a Policy,
        decisions: &Decisions,
        classifier: &'a dyn Classifier,
        as_of: Timestamp,
    ) -> Self {
        Self::keeping(KEPT, inventory, policy, decisions, classifier, as_of)
    }

    /// [`Survey::new`] with another limit for kept classifications: devices keep theirs in zones of up to `kept`
    /// couplings. For callers that read each classification more than once.
    pub fn keeping(
        kept: usize,
        inventory: &'a Inventory,
        policy: &'a Policy,
        decisions: &Decisions,
        classifier: &'a dyn Classifier,
        as_of: Timestamp,
    ) -> Self {
        let mut survey = Self {
            as_of,
            policy: &policy.name,
            devices: Vec::new(),
            lines: Vec::new(),
            routed: Vec::new(),
            unaddressed: Vec::new(),
            findings: Findings::default(),
            census: Census::default(),
        };
        for (name, zone) in &inventory.zones {
            let of_zone = ZoneSurvey::keeping(kept, name, zone, policy, decisions, classifier, as_of);
            // Zones are in the order of the list already.
            append(&mut survey.devices, of_zone.devices);
            append(&mut survey.lines, of_zone.lines);
            survey.unaddressed.extend(of_zone.unaddressed);
            survey.findings.append(of_zone.findings);
            survey.census.add(&of_zone.census);
        }
        survey.routed = Routed::all(&survey.lines);
        survey.unaddressed.sort_by_key(|u| u.mac);
        survey
    }
}

/// As [`Vec::append`], but without a copy if `list` is empty: a zone may have a million devices.
fn append<T>(list: &mut Vec<T>, mut more: Vec<T>) {
    if list.is_empty() {
        *list = more;
    } else {
        list.append(&mut more);
    }
}
