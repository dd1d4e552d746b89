//! The survey: an inventory at an instant, as devices with verdicts and a ledger that closes twice
//! (`docs/rules.md`, Ledger).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::address::is_public;
use super::binding::{Binding, Bindings, Bound, Forwards};
use super::classification::{Classification, Classifier, ClassifierInput};
use super::coupling::{Coupling, CouplingKey};
use super::decisions::{Decisions, ZoneDecisions};
use super::device::{Device, DeviceBuilder, ZoneClassifier};
use super::device_decisions::DecisionLookup;
use super::evidence::Field;
use super::finding::{self, Finding, Findings, Limit};
use super::identity::{Identities, Join};
use super::inventory::{Inventory, Zone};
use super::ledger::Census;
use super::mac::MacAddr;
use super::member::{CouplingState, Member};
use super::policy::Policy;
use super::quarantine;
use super::time::Timestamp;
use super::verdict::Verdict;

/// The most couplings of a zone whose devices keep their classifications.
const KEPT: usize = 1 << 16;

/// A coupling that does not belong to a device, with the verdict under which it is excluded.
#[derive(Clone, Copy, Debug)]
pub struct CouplingLine<'a> {
    pub zone: &'a str,
    pub key: CouplingKey,
    pub facts: &'a Coupling,
    /// X-VIRT, X-PUB or X-ROUTED.
    pub verdict: Verdict,
    pub binding: Binding,
    /// Why its MAC forwards, if it does.
    pub forwards: Option<Forwards>,
}

impl<'a> CouplingLine<'a> {
    fn new(zone: &'a str, coupling: &Bound<'a>, forwards: Option<Forwards>) -> Self {
        let Bound { key, facts, binding } = *coupling;
        let verdict = match binding {
            Binding::Virtual => Verdict::Virtual,
            _ if is_public(key.ip) => Verdict::Public,
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
    /// Derives devices, verdicts and numbers. A pure function of its arguments.
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
            let on_demand = zone.couplings.len() > kept;
            let classifier = Rc::new(ZoneClassifier { zone, classifier, on_demand });
            survey.add_zone(name, &classifier, policy, decisions);
        }
        survey.routed = routed(&survey.lines);
        // The order is total: no two devices of a zone are listed under one coupling.
        survey.devices.sort_unstable_by(|a, b| (a.zone, a.ip, a.mac).cmp(&(b.zone, b.ip, b.mac)));
        survey.unaddressed.sort_by_key(|u| u.mac);
        let verdicts = survey.devices.iter().map(|d| d.verdict).chain(survey.lines.iter().map(|l| l.verdict));
        survey.census.book(verdicts);
        survey
    }

    fn add_zone(
        &mut self,
        name: &'a str,
        classifier: &Rc<ZoneClassifier<'a>>,
        policy: &Policy,
        decisions: &Decisions,
    ) {
        let zone = classifier.zone;
        let bindings = Bindings::derive(zone, policy);
        let undecided = ZoneDecisions::default();
        let identities = Identities::derive(zone, &bindings, decisions.of_zone(name).unwrap_or(&undecided));
        let tentative = quarantine::tentative(&bindings.couplings, zone.segment.first_frame, policy);
        self.census.strict_couplings += bindings.couplings.len() as u64;
        if zone.segment.is_full() {
            self.census.lower_bound = true;
            self.findings.push(Finding::lower_bound(name, Limit::Learned));
        }
        self.lines.extend(
            bindings
                .couplings
                .iter()
                .filter(|c| !c.binding.is_local())
                .map(|c| CouplingLine::new(name, c, bindings.forwarding.get(&c.key.mac).copied())),
        );
        finding::conflicts(name, &bindings, &identities, &tentative, &mut self.findings);

        let mut joins: HashMap<CouplingKey, Vec<&Join>> = HashMap::new();
        for join in &identities.joins {
            joins.entry(join.coupling).or_default().push(join);
        }
        let state = |place: u32| {
            if tentative.get(place as usize).copied().unwrap_or(false) {
                CouplingState::Tentative
            } else if identities.is_superseded(place) {
                CouplingState::Superseded
            } else {
                CouplingState::Active
            }
        };
        let member = |place: &u32| {
            let c = bindings.couplings.get(*place as usize)?;
            Some(Member { key: c.key, facts: c.facts, binding: c.binding, state: state(*place) })
        };
        let mut builder = DeviceBuilder {
            zone: name,
            classifier,
            bindings: &bindings,
            joins,
            decisions: DecisionLookup::new(name, decisions, &bindings, self.as_of),
            policy,
            as_of: self.as_of,
            shared: HashMap::new(),
        };
        let known = self.devices.len();
        self.devices.reserve_exact(identities.len());
        for group in identities.groups() {
            let members: SmallVec<[Member<'a>; 1]> = group.iter().filter_map(member).collect();
            if let Some(device) = builder.build(members) {
                self.devices.push(device);
            }
        }
        self.findings.extend(finding::held(name, self.devices.get(known..).unwrap_or_default()));
        self.unaddressed.extend(unaddressed(zone, &bindings, classifier.classifier));
    }
}

/// Counts the addresses behind each MAC, over all zones.
fn routed(lines: &[CouplingLine<'_>]) -> Vec<Routed> {
    let mut addresses: BTreeMap<MacAddr, u64> = BTreeMap::new();
    for line in lines.iter().filter(|l| l.binding == Binding::Routed) {
        *addresses.entry(line.key.mac).or_default() += 1;
    }
    addresses.into_iter().map(|(mac, addresses)| Routed { mac, addresses }).collect()
}

/// The MACs of a zone without an address (I14), except for the ports of a chassis that is a device.
fn unaddressed(
    zone: &Zone,
    bindings: &Bindings<'_>,
    classifier: &dyn Classifier,
) -> impl Iterator<Item = Unaddressed> {
    let addressed: HashSet<MacAddr> = zone.couplings.keys().map(|k| k.mac).collect();
    let local: HashSet<MacAddr> = bindings.local().map(|c| c.key.mac).collect();
    let chassis: HashSet<&str> = zone
        .stations
        .iter()
        .filter(|(mac, _)| local.contains(mac))
        .flat_map(|(_, s)| s.evidence.values(Field::LldpChassisId))
        .collect();
    zone.stations
        .iter()
        .filter(move |(mac, station)| {
            station.speaks_layer_two()
                && !addressed.contains(mac)
                && !mac.is_virtual_router()
                && !station.evidence.values(Field::LldpChassisId).any(|id| chassis.contains(id))
        })
        .map(|(mac, station)| {
            let subject = ClassifierInput {
                macs: vec![*mac],
                evidence: station.evidence.iter().collect(),
                forwards: bindings.forwarding.get(mac).copied(),
                couplings: Vec::new(),
            };
            Unaddressed { mac: *mac, classification: classifier.classify(&subject) }
        })
}
