//! The survey: an inventory at an instant, as devices with verdicts and a ledger that closes twice
//! (`docs/rules.md`, Ledger).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::address::is_public;
use super::binding::{Binding, Bindings, Bound, Forwards};
use super::classification::{Classification, Classifier, ClassifierInput, Said};
use super::coupling::{Coupling, CouplingKey};
use super::decisions::{Decisions, ZoneDecisions};
use super::device::{Described, Device, DeviceBuilder, ZoneClassifier};
use super::device_decisions::DecisionLookup;
use super::evidence::Field;
use super::evidence_set::EvidenceSet;
use super::finding::{self, Finding, Findings, Limit};
use super::identity::Identities;
use super::inventory::{Inventory, Zone};
use super::join::Join;
use super::ledger::Census;
use super::mac::MacAddr;
use super::member::{CouplingState, Member, Part};
use super::policy::Policy;
use super::quarantine::{self, Doubts};
use super::sign::Sign;
use super::station::Station;
use super::ties;
use super::time::Timestamp;
use super::trust::Caution;
use super::verdict::Verdict;

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
    fn new(zone: &'a str, coupling: &Bound<'a>, bindings: &Bindings<'a>) -> Self {
        let Bound { key, facts, binding } = *coupling;
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
            survey.add_zone(kept, name, zone, classifier, policy, decisions);
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
        kept: usize,
        name: &'a str,
        zone: &'a Zone,
        classifier: &'a dyn Classifier,
        policy: &Policy,
        decisions: &Decisions,
    ) {
        let clock = zone.clock();
        let caution = Caution::new(&clock, policy, classifier);
        let bindings = Bindings::derive(zone, policy, caution.is_short);
        let undecided = ZoneDecisions::default();
        let zone_decisions = decisions.of_zone(name).unwrap_or(&undecided);
        let identities = Identities::derive(zone, &bindings, zone_decisions, &clock, &caution);
        let tentative = quarantine::tentative(&bindings.couplings, &clock, policy);
        let Doubts { held: unconfirmed, late } = quarantine::unconfirmed(
            zone,
            &bindings,
            &identities,
            &clock,
            policy,
            caution.is_short,
            &tentative,
        );
        let described = described(zone, &bindings, &identities);
        let on_demand = zone.couplings.len() > kept;
        let bridged = bridged(&bindings, &identities);
        let classifier = &Rc::new(ZoneClassifier {
            zone,
            classifier,
            described,
            bridged,
            is_short: caution.is_short,
            grace: caution.grace,
            on_demand,
        });
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
                .map(|c| CouplingLine::new(name, c, &bindings)),
        );
        finding::conflicts(name, &bindings, &identities, &tentative, &mut self.findings);
        self.findings.extend(finding::clock_jump(name, zone, &clock));
        finding::prefixes(name, &bindings.on_link, &mut self.findings);
        finding::claims(name, &bindings, &identities, &caution, &mut self.findings);
        self.findings.extend(finding::unconfirmed(name, &bindings, &unconfirmed));
        self.findings.extend(finding::late_addresses(name, &bindings, &late));
        finding::tunnels(name, zone, &mut self.findings);

        let mut joins: HashMap<CouplingKey, Vec<&Join>> = HashMap::new();
        for join in &identities.joins {
            joins.entry(join.coupling).or_default().push(join);
        }
        let state = |place: u32| {
            if unconfirmed.contains(&place) || tentative.get(place as usize).copied().unwrap_or(false) {
                CouplingState::Tentative
            } else if identities.is_superseded(place) {
                CouplingState::Superseded
            } else {
                CouplingState::Active
            }
        };
        let member = |place: &u32| {
            let c = bindings.couplings.get(*place as usize)?;
            let (state, part) = (state(*place), identities.part(*place));
            Some(Member { key: c.key, facts: c.facts, binding: c.binding, state, part })
        };
        let mut builder = DeviceBuilder {
            zone: name,
            classifier,
            bindings: &bindings,
            joins,
            decisions: DecisionLookup::new(name, decisions, &bindings, self.as_of),
            clock: &clock,
            policy,
            as_of: self.as_of,
            shared: HashMap::new(),
            findings: &mut self.findings,
        };
        let known = self.devices.len();
        self.devices.reserve_exact(identities.len());
        for group in identities.groups() {
            let members: SmallVec<[Member<'a>; 1]> = group.iter().filter_map(member).collect();
            if let Some(device) = builder.build(members) {
                self.devices.push(device);
            }
        }
        let devices = self.devices.get(known..).unwrap_or_default();
        self.findings.extend(finding::held(name, devices, &bindings, &unconfirmed));
        let days = quarantine::crowded_days(devices, &clock, policy);
        self.findings.extend(days.into_iter().map(|(day, n)| Finding::newcomers_many(name, day, n)));
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

/// What other MACs said of the host with an address, by a coupling of that host's device (I2). A message describes nobody
/// if no device has the address, or several have it; and if the speaker itself uses the address, the words are its own.
fn described<'a>(zone: &'a Zone, bindings: &Bindings<'a>, identities: &Identities) -> Described<'a> {
    let mut described = Described::new();
    let by_others = |(key, c): &(&'a CouplingKey, &'a Coupling)| {
        !c.evidence.is_empty()
            && match bindings.place(key) {
                Some(place) => identities.part(place) == Part::Proxied,
                None => c.signs.has(Sign::Described),
            }
    };
    let mut by_others = zone.couplings.iter().filter(by_others).peekable();
    if by_others.peek().is_none() {
        return described;
    }
    // By address: the first coupling of the device that uses it; none if several devices do.
    let mut users: HashMap<IpAddr, (usize, Option<CouplingKey>)> = HashMap::new();
    for (device, group) in identities.groups().enumerate() {
        for place in group.iter().filter(|i| identities.part(**i) != Part::Proxied) {
            let Some(c) = bindings.couplings.get(*place as usize) else { continue };
            let user = users.entry(c.key.ip).or_insert((device, Some(c.key)));
            if user.0 != device {
                user.1 = None;
            }
        }
    }
    for (key, facts) in by_others {
        if let Some((_, Some(user))) = users.get(&key.ip) {
            described.entry(*user).or_default().push(&facts.evidence);
        }
    }
    described
}

/// What each bridge's MAC said from the addresses of its clients (I8g).
fn bridged<'a>(bindings: &Bindings<'a>, identities: &Identities) -> HashMap<MacAddr, Vec<&'a EvidenceSet>> {
    let mut said: HashMap<MacAddr, Vec<&'a EvidenceSet>> = HashMap::new();
    for place in identities.bridged() {
        if let Some(c) = bindings.couplings.get(place as usize).filter(|c| !c.facts.evidence.is_empty()) {
            said.entry(c.key.mac).or_default().push(&c.facts.evidence);
        }
    }
    said
}

/// The MACs of a zone without an address (I14), except for the ports of a chassis that is a device.
fn unaddressed(
    zone: &Zone,
    bindings: &Bindings<'_>,
    classifier: &dyn Classifier,
) -> impl Iterator<Item = Unaddressed> {
    let sends = zone.couplings.iter().filter(|(_, c)| !c.signs.is_only_by_others());
    let addressed: HashSet<MacAddr> = sends.map(|(k, _)| k.mac).collect();
    let local: HashSet<MacAddr> = bindings.local().map(|c| c.key.mac).collect();
    let ids = |station: &'_ Station| -> Vec<(Field, String)> {
        let named = station.evidence.iter().filter(|e| ties::ties_cards(e));
        named.map(|e| (e.field, e.value.to_string())).collect()
    };
    let known = zone.stations.iter().filter(|(mac, _)| local.contains(mac));
    let chassis: HashSet<(Field, String)> = known.flat_map(|(_, s)| ids(s)).collect();
    let is_port = move |station: &Station| {
        let named = station.evidence.iter().filter_map(ties::named_chassis).any(|mac| local.contains(&mac));
        named || ids(station).iter().any(|id| chassis.contains(id))
    };
    zone.stations
        .iter()
        .filter(move |(mac, station)| {
            station.speaks_layer_two()
                && !addressed.contains(mac)
                && !mac.is_virtual_router()
                && !is_port(station)
        })
        .map(|(mac, station)| {
            let subject = ClassifierInput {
                macs: vec![*mac],
                evidence: station.evidence.iter().map(Said::from).collect(),
                forwards: bindings.forwarding.get(mac).copied(),
                ..ClassifierInput::default()
            };
            Unaddressed { mac: *mac, classification: classifier.classify(&subject) }
        })
}
