//! A device: a group of couplings with an id, a classification and a verdict.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use foldhash::HashMap;
use serde::Serialize;
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::address::is_link_local;
use super::alike::{Answers, dated, is_timeless};
use super::binding::{Bindings, Forwards};
use super::classification::{Category, Classification, Classifier, ClassifierInput, Said};
use super::coupling::CouplingKey;
use super::device_decisions::{DecisionLookup, DeviceDecisions};
use super::evidence::{Evidence, Field};
use super::evidence_set::EvidenceSet;
use super::finding::{self, Finding, Findings};
use super::id;
use super::inventory::Zone;
use super::join::Join;
use super::mac::MacAddr;
use super::member::{CouplingState, Member, Part};
use super::policy::Policy;
use super::sign::Sign;
use super::stretches::Clock;
use super::time::Timestamp;
use super::trust;
use super::verdict::{Standing, Verdict, both, verdict};
use super::windows::Windows;
use super::zone_names::ZoneNames;

/// The id of a device: 16 hex digits, made of its earliest coupling and the label under which that came. It is stable as long
/// as that coupling stays known and stays the earliest, whatever name its zone has.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceId(u64);

impl DeviceId {
    fn of(label: &str, anchor: CouplingKey) -> Self {
        Self(id::of(&format!("{label}|{}|{}", anchor.mac, anchor.ip)))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl FromStr for DeviceId {
    type Err = BadDeviceId;

    fn from_str(text: &str) -> Result<Self, BadDeviceId> {
        id::parse(text).map(Self).ok_or(BadDeviceId)
    }
}

/// The text is not a device id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a device id has 16 lowercase hexadecimal digits")]
pub struct BadDeviceId;

/// One device with its verdict. Small, because a zone may have a million, most of them with one coupling and without
/// evidence.
#[derive(Clone, Debug)]
pub struct Device<'a> {
    pub id: DeviceId,
    pub zone: &'a str,
    /// The address it is listed under: its lowest active IPv4 address if it has one.
    pub ip: IpAddr,
    /// The MAC of the coupling it is listed under.
    pub mac: MacAddr,
    /// Sorted by MAC and address.
    pub couplings: SmallVec<[Member<'a>; 1]>,
    /// Why its couplings are one device (I8).
    pub joins: ThinVec<Join>,
    /// Why one of its MACs forwards, if one does (I6).
    pub forwards: Option<Forwards>,
    /// As a person set it, else as the rules conclude.
    pub category: Category,
    classification: Stored<'a>,
    /// The earliest frame of its couplings.
    pub first_seen: Timestamp,
    /// The newest frame of its couplings.
    pub last_seen: Timestamp,
    /// Whether the MAC it is listed under is randomised (I12).
    pub random_mac: bool,
    /// What people decided about it; `None` if nothing.
    pub decided: Option<Box<DeviceDecisions>>,
    pub verdict: Verdict,
}

/// How a device holds its classification.
#[derive(Clone, Debug)]
enum Stored<'a> {
    /// Devices without evidence share one.
    Kept(Arc<Classification>),
    /// Classified again on demand: a million kept classifications take more than a gigabyte.
    OnDemand(Rc<ZoneClassifier<'a>>),
    /// What many devices have, but for the times.
    Alike(Arc<Classification>, Rc<ZoneClassifier<'a>>),
}

/// What the messages of other MACs said of the host with a coupling, by that coupling (I2).
pub(super) type Described<'a> = HashMap<CouplingKey, Vec<&'a EvidenceSet>>;

/// A word, and when it was heard.
type Heard<'a> = ((Field, &'a str), (Timestamp, Windows));

/// Classifies the devices of one zone.
pub(super) struct ZoneClassifier<'a> {
    pub(super) zone: &'a Zone,
    pub(super) classifier: &'a dyn Classifier,
    /// The classifier with a memory, if it has one.
    pub(super) reader: Option<Box<dyn Classifier + 'a>>,
    /// What other MACs said of the device with a coupling (I2).
    pub(super) described: Described<'a>,
    /// What a bridge's MAC said from the addresses of its clients (I8g).
    pub(super) bridged: HashMap<MacAddr, Vec<&'a EvidenceSet>>,
    /// Whether the zone was heard so briefly that one fact suffices (I15b).
    pub(super) is_short: bool,
    /// For so long, what a device says for the first time is not late.
    pub(super) grace: i64,
    /// Whether to drop classifications that only one device has.
    pub(super) on_demand: bool,
    /// What the classifier answered.
    pub(super) answers: RefCell<Answers<'a>>,
}

impl fmt::Debug for ZoneClassifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZoneClassifier").finish_non_exhaustive()
    }
}

impl<'a> ZoneClassifier<'a> {
    /// The classifier that is asked.
    fn asked(&self) -> &dyn Classifier {
        self.reader.as_deref().unwrap_or(self.classifier)
    }

    /// The question to the classifier about the device of `couplings`, which are sorted by MAC.
    fn subject(&self, couplings: &[Member<'a>], forwards: Option<Forwards>) -> ClassifierInput<'a> {
        // What a bridge's MAC says below IP is the bridge's (I8g). What comes from an address for which the device only
        // answers is another host's (I8d).
        let own = |part: Part| couplings.iter().filter(move |m| m.part != part);
        let mut macs: Vec<MacAddr> = own(Part::Bridged).map(|m| m.key.mac).collect();
        macs.dedup();
        let mut evidence: Vec<Heard<'a>> = Vec::new();
        let stations = macs.iter().filter_map(|m| Some((m, self.zone.stations.get(m)?)));
        let stations = stations.flat_map(|(m, s)| s.evidence.iter().filter(|e| !self.is_clients(*m, e)));
        let said = own(Part::Proxied).flat_map(|m| &m.facts.evidence);
        let described =
            couplings.iter().filter_map(|m| self.described.get(&m.key)).flatten().copied().flatten();
        let heard = said.chain(stations).chain(described);
        evidence.extend(heard.map(|e| ((e.field, &*e.value), (e.at, e.windows))));
        // What one set holds is in order and there once; most devices have one.
        if !evidence.is_sorted_by(|(a, _), (b, _)| a < b) {
            evidence.sort_by_key(|(word, _)| *word);
            evidence.dedup_by(|(b, later), (a, heard)| {
                let same = a == b;
                if same {
                    *heard = Windows::join(*heard, *later);
                }
                same
            });
        }
        let confirmed =
            |field, at| self.is_short || trust::is_leased(field, at, couplings.iter().map(|m| m.facts));
        let known = couplings.iter().map(|m| m.facts.first_seen).min();
        let said = |((field, value), (at, windows)): Heard<'a>| {
            let windows = if confirmed(field, at) { windows.confirmed() } else { windows };
            let is_new = known.is_some_and(|known| at.since(known) >= self.grace);
            let late = field.family().is_periodic() && !windows.is_repeated() && is_new;
            Said { field, value, at, windows, late }
        };
        ClassifierInput {
            macs,
            evidence: evidence.into_iter().map(said).collect(),
            forwards,
            ttl_128: own(Part::Proxied).any(|m| m.facts.shows(Sign::Ttl128, self.is_short)),
            couplings: couplings.iter().map(|m| m.key).collect(),
        }
    }

    /// Whether a card said it in the name of a client for which it is a bridge (I8g).
    fn is_clients(&self, card: MacAddr, e: &Evidence) -> bool {
        let clients = self.bridged.get(&card).into_iter().flatten();
        clients.flat_map(|said| said.iter()).any(|c| (c.field, &c.value) == (e.field, &e.value))
    }

    /// Classifies a device. Devices without evidence for which the classifier gives one key share one answer; others that
    /// are alike share one but for the times.
    fn classify(
        &self,
        subject: &ClassifierInput<'a>,
        shared: &mut HashMap<String, Arc<Classification>>,
    ) -> Answer {
        let silent = match subject.macs.as_slice() {
            [card] if subject.evidence.is_empty() && subject.forwards.is_none() && !subject.ttl_128 => {
                self.asked().silent(*card)
            }
            _ => None,
        };
        let classify = || self.asked().conclude(subject);
        match silent {
            Some(key) => Answer::Whole(Arc::clone(shared.entry(key).or_insert_with(classify))),
            None => {
                let alike = self.answers.borrow_mut().ask(subject, self.asked());
                alike.map_or_else(|| Answer::Whole(classify()), Answer::Alike)
            }
        }
    }
}

/// What a classifier answered about a device.
enum Answer {
    Whole(Arc<Classification>),
    /// What devices have that are alike: the times are not its own.
    Alike(Arc<Classification>),
}

/// Builds the devices of one zone.
pub(super) struct DeviceBuilder<'s, 'a> {
    pub(super) zone: &'a str,
    pub(super) names: &'s ZoneNames,
    pub(super) classifier: &'s Rc<ZoneClassifier<'a>>,
    pub(super) bindings: &'s Bindings<'a>,
    pub(super) joins: HashMap<CouplingKey, Vec<&'s Join>>,
    pub(super) decisions: DecisionLookup<'s>,
    pub(super) clock: &'s Clock,
    pub(super) policy: &'s Policy,
    pub(super) as_of: Timestamp,
    /// The instants at which the verdicts on all devices that were built are the same.
    pub(super) holds: RangeInclusive<Timestamp>,
    /// Classifications that devices without evidence share, by the classifier's key.
    pub(super) shared: HashMap<String, Arc<Classification>>,
    /// The findings about the devices that were built.
    pub(super) findings: &'s mut Findings,
}

impl<'a> DeviceBuilder<'_, 'a> {
    /// The device of `couplings` with its verdict; `None` for no couplings.
    pub(super) fn build(&mut self, couplings: SmallVec<[Member<'a>; 1]>) -> Option<Device<'a>> {
        let listed = couplings.iter().min_by_key(|m| listing_order(m))?.key;
        let mut device = Device {
            id: self.id(anchor(&couplings)?),
            zone: self.zone,
            ip: listed.ip,
            mac: listed.mac,
            joins: couplings
                .iter()
                .filter_map(|m| self.joins.get(&m.key))
                .flatten()
                .map(|j| (*j).clone())
                .collect(),
            forwards: couplings
                .iter()
                .filter_map(|m| self.bindings.forwarding.get(&m.key.mac))
                .min()
                .copied(),
            category: Category::default(),
            classification: Stored::OnDemand(Rc::clone(self.classifier)),
            first_seen: self.clock.at(couplings.iter().map(|m| m.facts.first_seen).min()?),
            last_seen: self.clock.at(couplings.iter().map(|m| m.facts.last_seen).max()?),
            random_mac: listed.mac.is_locally_administered(),
            decided: self.decisions.on(&couplings),
            verdict: Verdict::Unclassified,
            couplings,
        };
        self.classify(&mut device);
        self.judge(&mut device);
        Some(device)
    }

    fn id(&self, anchor: CouplingKey) -> DeviceId {
        DeviceId::of(self.names.label(self.zone, self.classifier.zone, anchor), anchor)
    }

    fn classify(&mut self, device: &mut Device<'a>) {
        let subject = self.classifier.subject(&device.couplings, device.forwards);
        let answer = self.classifier.classify(&subject, &mut self.shared);
        let mut classification = match answer {
            Answer::Alike(alike)
                if self.classifier.on_demand && device.decided.is_none() && alike.held.is_empty() =>
            {
                let turned = self.turned(device, &subject, &alike);
                self.findings.extend(turned);
                device.category = alike.category;
                device.classification = Stored::Alike(alike, Rc::clone(self.classifier));
                return;
            }
            Answer::Alike(alike) => dated(&alike, &subject),
            Answer::Whole(whole) => whole,
        };
        self.findings.extend(finding::held_words(self.zone, device, &classification));
        let turned = self.turned(device, &subject, &classification);
        self.findings.extend(turned);
        if let Some(set) = device.decided.as_deref().and_then(|d| d.over(&classification)) {
            classification = Arc::new(set);
        }
        device.category = classification.category;
        if !self.classifier.on_demand || Arc::strong_count(&classification) > 1 {
            device.classification = Stored::Kept(classification);
        }
    }

    /// The finding about a device whose words turned what its cards' makers told, if it said none until it had been known
    /// for long (I15d).
    fn turned(
        &mut self,
        device: &Device<'a>,
        subject: &ClassifierInput<'a>,
        now: &Classification,
    ) -> Option<Finding> {
        let since = subject.evidence.iter().map(|e| e.at).min()?;
        if self.classifier.is_short || since.since(device.first_seen) < self.classifier.grace {
            return None;
        }
        let silent = ClassifierInput { macs: subject.macs.clone(), ..ClassifierInput::default() };
        let (Answer::Whole(before) | Answer::Alike(before)) =
            self.classifier.classify(&silent, &mut self.shared);
        let before = before.category;
        let turned = before != Category::Unclassified && before != now.category;
        turned.then(|| Finding::turned_late(self.zone, device.mac, before, now.category, since))
    }

    fn judge(&mut self, device: &mut Device<'a>) {
        let decided = device.decided.as_deref();
        let standing = Standing {
            category: device.category,
            last_seen: device.last_seen,
            tentative: device.couplings.iter().all(|m| m.state == CouplingState::Tentative),
            managed: decided.is_some_and(|d| d.managed.is_some()),
            deleted_at: decided.and_then(DeviceDecisions::deleted_at),
        };
        device.verdict = verdict(&standing, self.policy, self.as_of);
        self.holds = both(&self.holds, &standing.holds(self.policy, self.as_of));
    }
}

impl Device<'_> {
    /// What it is, and why. In a large zone each call classifies it again.
    pub fn classification(&self) -> Arc<Classification> {
        match &self.classification {
            Stored::Kept(classification) => Arc::clone(classification),
            Stored::Alike(alike, _) if is_timeless(alike) => Arc::clone(alike),
            Stored::Alike(alike, zone) => dated(alike, &zone.subject(&self.couplings, self.forwards)),
            Stored::OnDemand(zone) => {
                let concluded = zone.asked().classify(&zone.subject(&self.couplings, self.forwards));
                let set = self.decided.as_deref().and_then(|d| d.over(&concluded));
                Arc::new(set.unwrap_or(concluded))
            }
        }
    }

    /// The coupling that gives the device its id, and on which decisions about the device stand: the earliest that is not
    /// only answered for, and of several the first by key.
    pub fn anchor(&self) -> Option<CouplingKey> {
        anchor(&self.couplings)
    }
}

fn anchor(couplings: &[Member<'_>]) -> Option<CouplingKey> {
    couplings.iter().min_by_key(|m| (m.part == Part::Proxied, m.facts.first_seen, m.key)).map(|m| m.key)
}

/// The coupling that a device is listed under is the first by this key: used by itself before answered for (I8d), IPv4
/// before IPv6, in use before superseded, global before link-local, lower before higher, its own MAC before a bridge's.
fn listing_order(m: &Member<'_>) -> (bool, bool, bool, bool, IpAddr, Part, MacAddr) {
    let superseded = m.state == CouplingState::Superseded;
    let proxied = m.part == Part::Proxied;
    (proxied, m.key.ip.is_ipv6(), superseded, is_link_local(m.key.ip), m.key.ip, m.part, m.key.mac)
}
