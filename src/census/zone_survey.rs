//! The survey of one zone. Zones have nothing in common but decisions, so a survey of an inventory is the sum of these. A
//! service that keeps them surveys only the zones that changed.

use std::cell::RefCell;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use smallvec::SmallVec;

use super::binding::Bindings;
use super::classification::{Classifier, ClassifierInput, Said};
use super::coupling::{Coupling, CouplingKey};
use super::decisions::{Decisions, ZoneDecisions};
use super::device::{Described, Device, DeviceBuilder, ZoneClassifier};
use super::device_decisions::DecisionLookup;
use super::evidence::Field;
use super::evidence_set::EvidenceSet;
use super::finding::{self, Finding, Findings, Limit};
use super::identity::Identities;
use super::inventory::Zone;
use super::join::Join;
use super::ledger::Census;
use super::mac::MacAddr;
use super::member::{CouplingState, Member, Part};
use super::policy::Policy;
use super::quarantine::{self, Doubts};
use super::sign::Sign;
use super::station::Station;
use super::survey::{CouplingLine, Unaddressed};
use super::ties;
use super::time::Timestamp;
use super::trust::Caution;

/// A zone at an instant.
#[derive(Debug)]
pub struct ZoneSurvey<'a> {
    /// Sorted by address and MAC.
    pub devices: Vec<Device<'a>>,
    /// Couplings that do not belong to a device, sorted by key.
    pub lines: Vec<CouplingLine<'a>>,
    /// Sorted by MAC.
    pub unaddressed: Vec<Unaddressed>,
    pub findings: Findings,
    /// The numbers of the zone.
    pub census: Census,
    /// The instants at which a survey of the same facts and decisions is known to say the same. The instant of the survey is
    /// one of them.
    pub holds: RangeInclusive<Timestamp>,
}

impl<'a> ZoneSurvey<'a> {
    /// Surveys a zone of [`Inventory::admitted`](super::Inventory::admitted). A pure function of its arguments. Devices keep
    /// their classifications if the zone has at most `kept` couplings.
    pub fn keeping(
        kept: usize,
        name: &'a str,
        zone: &'a Zone,
        policy: &Policy,
        decisions: &Decisions,
        classifier: &'a dyn Classifier,
        as_of: Timestamp,
    ) -> Self {
        let mut census = Census::default();
        let mut findings = Findings::default();
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
            reader: classifier.reader(),
            described,
            bridged,
            is_short: caution.is_short,
            grace: caution.grace,
            on_demand,
            answers: RefCell::default(),
        });
        census.strict_couplings = bindings.couplings.len() as u64;
        if zone.segment.is_full() {
            census.lower_bound = true;
            findings.push(Finding::lower_bound(name, Limit::Learned));
        }
        let lines: Vec<CouplingLine<'a>> = bindings
            .couplings
            .iter()
            .filter(|c| !c.binding.is_local())
            .map(|c| CouplingLine::new(name, c, &bindings))
            .collect();
        finding::conflicts(name, &bindings, &identities, &tentative, &mut findings);
        findings.extend(finding::clock_jump(name, zone, &clock));
        finding::prefixes(name, &bindings.on_link, &mut findings);
        finding::claims(name, &bindings, &identities, &caution, &mut findings);
        findings.extend(finding::unconfirmed(name, &bindings, &unconfirmed));
        findings.extend(finding::late_addresses(name, &bindings, &late));
        finding::tunnels(name, zone, &mut findings);

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
            names: decisions.names(),
            classifier,
            bindings: &bindings,
            joins,
            decisions: DecisionLookup::new(name, decisions, &bindings, as_of),
            clock: &clock,
            policy,
            as_of,
            holds: decisions.managed().span(as_of),
            shared: HashMap::new(),
            findings: &mut findings,
        };
        let mut devices = Vec::with_capacity(identities.len());
        for group in identities.groups() {
            let members: SmallVec<[Member<'a>; 1]> = group.iter().filter_map(member).collect();
            devices.extend(builder.build(members));
        }
        let holds = builder.holds;
        findings.extend(finding::held(name, &devices, &bindings, &unconfirmed));
        let days = quarantine::crowded_days(&devices, &clock, policy);
        findings.extend(days.into_iter().map(|(day, n)| Finding::newcomers_many(name, day, n)));
        // The order is total: no two devices of a zone are listed under one coupling.
        devices.sort_unstable_by_key(|d| (d.ip, d.mac));
        let unaddressed = unaddressed(zone, &bindings, classifier.classifier).collect();
        census.book(devices.iter().map(|d| d.verdict).chain(lines.iter().map(|l| l.verdict)));
        Self { devices, lines, unaddressed, findings, census, holds }
    }
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
