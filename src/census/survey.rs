//! The survey: an inventory at an instant, as devices with verdicts and a ledger that closes twice
//! (`docs/rules.md`, Ledger).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::address::{is_link_local, is_public};
use super::binding::{Binding, Bindings, Forwards};
use super::classification::{Category, Classification, Classifier, Subject};
use super::coupling::{Coupling, CouplingKey};
use super::decided::{Bench, Decided};
use super::decision::{Decisions, ZoneDecisions};
use super::evidence::{Evidence, Field};
use super::finding::{self, Finding};
use super::identity::{Identities, Join};
use super::inventory::{Inventory, Zone};
use super::mac::MacAddr;
use super::policy::Policy;
use super::quarantine;
use super::time::Timestamp;
use super::verdict::{Standing, Verdict, commitment, verdict};

/// Where a coupling of a device stands (I8b, I11).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In use.
    Active,
    /// Its MAC has left it.
    Superseded,
    /// Waits for confirmation.
    Tentative,
}

/// One coupling of a device.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Which coupling.
    pub key: CouplingKey,
    /// Its facts.
    pub facts: &'a Coupling,
    /// How it holds.
    pub binding: Binding,
    /// Where it stands.
    pub state: State,
}

/// What names a device: stable while its earliest coupling stays known. Prints as 16 hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceId(u64);

impl DeviceId {
    fn of(zone: &str, anchor: CouplingKey) -> Self {
        let digest = Sha256::digest(format!("{zone}|{}|{}", anchor.mac, anchor.ip));
        Self(digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head)))
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
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or(BadDeviceId)
    }
}

/// A text that names no device.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a device's id has 16 hexadecimal digits")]
pub struct BadDeviceId;

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One device with its verdict. Small, as there may be a million: most have one coupling and nothing to tell.
#[derive(Clone, Debug)]
pub struct Device<'a> {
    /// Its name.
    pub id: DeviceId,
    /// Its zone.
    pub zone: &'a str,
    /// The address it is listed under: its lowest active IPv4 address where it has one.
    pub ip: IpAddr,
    /// The MAC of that coupling.
    pub mac: MacAddr,
    /// Its couplings, sorted by MAC and address.
    pub couplings: SmallVec<[Member<'a>; 1]>,
    /// Why its couplings are one device.
    pub joins: ThinVec<Join>,
    /// Why one of its MACs forwards, where one does.
    pub forwards: Option<Forwards>,
    /// Its category, as a person or the rules say.
    pub category: Category,
    told: Told<'a>,
    /// The earliest frame of its couplings.
    pub first_seen: Timestamp,
    /// The newest frame of its couplings.
    pub last_seen: Timestamp,
    /// Whether its listed MAC is randomised (I12).
    pub random_mac: bool,
    /// What people decided about it; none for nothing.
    pub decided: Option<Box<Decided>>,
    /// Whether it counts.
    pub verdict: Verdict,
}

/// How a device's classification is known.
#[derive(Clone, Debug)]
enum Told<'a> {
    /// Kept; shared by silent devices that are taken for the same.
    Kept(Arc<Classification>),
    /// To be asked again, as a million kept ones take more than a gigabyte.
    Again(Rc<Ground<'a>>),
}

/// What the devices of a zone are classified by.
struct Ground<'a> {
    zone: &'a Zone,
    classifier: &'a dyn Classifier,
    /// Whether classifications that one device alone has are not kept.
    again: bool,
}

impl fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").finish_non_exhaustive()
    }
}

/// Couplings of a zone up to which the classifications of its devices are kept.
const KEPT: usize = 1 << 16;

impl Device<'_> {
    /// What it is, and why. In a large zone it is classified again for each call.
    pub fn classification(&self) -> Arc<Classification> {
        match &self.told {
            Told::Kept(what) => Arc::clone(what),
            Told::Again(ground) => {
                let what = ground.classifier.classify(&ground.subject(&self.couplings, self.forwards));
                let set = self.decided.as_deref().and_then(|d| d.over(&what));
                Arc::new(set.unwrap_or(what))
            }
        }
    }

    /// The coupling by which the device is named: the earliest, and of several the first by key. What people set on the
    /// device is set on it.
    pub fn anchor(&self) -> Option<CouplingKey> {
        self.couplings.iter().min_by_key(|m| (m.facts.first_seen, m.key)).map(|m| m.key)
    }
}

/// A coupling that belongs to no device, and its line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The zone.
    pub zone: &'a str,
    /// Which coupling.
    pub key: CouplingKey,
    /// Its facts.
    pub facts: &'a Coupling,
    /// X-VIRT, X-PUB or X-ROUTED.
    pub verdict: Verdict,
    /// How it holds.
    pub binding: Binding,
    /// Why its MAC forwards, where it does.
    pub forwards: Option<Forwards>,
}

/// The addresses that lie behind one MAC.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Routed {
    /// The MAC that forwards.
    pub mac: MacAddr,
    /// How many addresses.
    pub addresses: u64,
}

/// What speaks LLDP, CDP or STP without an address (I14).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unaddressed {
    /// Its MAC.
    pub mac: MacAddr,
    /// What it is.
    pub classification: Classification,
}

/// The numbers of a census. The ledger closes twice: see [`Census::closes`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Census {
    /// Counted network devices.
    pub network: u64,
    /// Counted IoT devices.
    pub iot: u64,
    /// `network + iot`.
    pub billable: u64,
    /// `billable` rounded up to a multiple of 100.
    pub commitment: u64,
    /// Every coupling that passes I1 to I3.
    pub strict_couplings: u64,
    /// Exclusions by verdict id; X-VIRT, X-PUB and X-ROUTED in couplings, the others in devices. No zeros.
    pub excluded: BTreeMap<String, u64>,
    /// Whether a bound was hit, so that there may be more than these numbers say. Left out where none was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lower_bound: bool,
}

/// An inventory at an instant.
#[derive(Debug)]
pub struct Survey<'a> {
    /// The instant.
    pub as_of: Timestamp,
    /// The policy's name.
    pub policy: &'a str,
    /// Devices sorted by zone, address, MAC.
    pub devices: Vec<Device<'a>>,
    /// Couplings without a device, sorted by zone and key.
    pub lines: Vec<Line<'a>>,
    /// Sorted by MAC.
    pub routed: Vec<Routed>,
    /// Sorted by MAC.
    pub unaddressed: Vec<Unaddressed>,
    /// Sorted.
    pub findings: Vec<Finding>,
    /// The numbers.
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

    /// [`Survey::new`] that keeps the classifications in zones of up to `kept` couplings: for who asks for each of them
    /// more than once.
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
            findings: Vec::new(),
            census: Census::default(),
        };
        let mut routed: BTreeMap<MacAddr, u64> = BTreeMap::new();
        for (name, zone) in &inventory.zones {
            let again = zone.couplings.len() > kept;
            let ground = Rc::new(Ground { zone, classifier, again });
            survey.add_zone(name, &ground, policy, decisions, &mut routed);
        }
        survey.routed = routed.into_iter().map(|(mac, addresses)| Routed { mac, addresses }).collect();
        // No two devices of a zone are listed under one coupling.
        survey.devices.sort_unstable_by(|a, b| (a.zone, a.ip, a.mac).cmp(&(b.zone, b.ip, b.mac)));
        survey.unaddressed.sort_by_key(|u| u.mac);
        survey.findings.sort_unstable();
        survey.count();
        survey
    }

    fn add_zone(
        &mut self,
        name: &'a str,
        ground: &Rc<Ground<'a>>,
        policy: &Policy,
        decisions: &Decisions,
        routed: &mut BTreeMap<MacAddr, u64>,
    ) {
        let zone = ground.zone;
        let bindings = Bindings::derive(zone, policy);
        let undecided = ZoneDecisions::default();
        let identities = Identities::derive(zone, &bindings, decisions.of_zone(name).unwrap_or(&undecided));
        let bench = Bench::new(name, decisions, &bindings, self.as_of);
        let tentative = quarantine::tentative(&bindings.couplings, zone.segment.first_frame, policy);
        self.census.strict_couplings += bindings.couplings.len() as u64;
        self.census.lower_bound |= zone.segment.is_full();
        for c in bindings.couplings.iter().filter(|c| !c.binding.is_local()) {
            let verdict = match c.binding {
                Binding::Virtual => Verdict::Virtual,
                _ if is_public(c.key.ip) => Verdict::Public,
                _ => Verdict::Routed,
            };
            if c.binding == Binding::Routed {
                *routed.entry(c.key.mac).or_default() += 1;
            }
            let forwards = bindings.forwarding.get(&c.key.mac).copied();
            self.lines.push(Line {
                zone: name,
                key: c.key,
                facts: c.facts,
                verdict,
                binding: c.binding,
                forwards,
            });
        }
        let mut joins: HashMap<CouplingKey, Vec<&Join>> = HashMap::new();
        for join in &identities.joins {
            joins.entry(join.coupling).or_default().push(join);
        }
        let state = |place: u32| {
            if tentative.get(place as usize).copied().unwrap_or(false) {
                State::Tentative
            } else if identities.is_superseded(place) {
                State::Superseded
            } else {
                State::Active
            }
        };
        self.findings.extend(finding::conflicts(name, &bindings, &identities, &tentative));
        let first = self.devices.len();
        self.devices.reserve_exact(identities.len());
        let mut alike = HashMap::new();
        for group in identities.groups() {
            let member = |place: &u32| {
                let c = bindings.couplings.get(*place as usize)?;
                Some(Member { key: c.key, facts: c.facts, binding: c.binding, state: state(*place) })
            };
            let members: SmallVec<[Member<'a>; 1]> = group.iter().filter_map(member).collect();
            if let Some(device) = assemble(name, ground, members, &bindings, &joins, &mut alike) {
                let mut device = judge(device, &bench, policy, self.as_of);
                if ground.again && matches!(&device.told, Told::Kept(what) if Arc::strong_count(what) == 1) {
                    device.told = Told::Again(Rc::clone(ground));
                }
                self.devices.push(device);
            }
        }
        let new = self.devices.get(first..).unwrap_or_default();
        let devices = new.iter().filter(|d| d.verdict == Verdict::Tentative).count() as u64;
        if devices > 0 {
            self.findings.push(Finding::NewcomersHeld { zone: name.to_owned(), devices });
        }
        let addressed: HashSet<MacAddr> = zone.couplings.keys().map(|k| k.mac).collect();
        let local: HashSet<MacAddr> = bindings.local().map(|c| c.key.mac).collect();
        let chassis: HashSet<&str> = zone
            .stations
            .iter()
            .filter(|(mac, _)| local.contains(mac))
            .flat_map(|(_, s)| s.evidence.values(Field::LldpChassisId))
            .collect();
        for (mac, station) in &zone.stations {
            let port_of_chassis =
                station.evidence.values(Field::LldpChassisId).any(|id| chassis.contains(id));
            if station.speaks_layer_two()
                && !addressed.contains(mac)
                && !mac.is_virtual_router()
                && !port_of_chassis
            {
                let subject = Subject {
                    macs: vec![*mac],
                    evidence: station.evidence.iter().collect(),
                    forwards: bindings.forwarding.get(mac).copied(),
                    couplings: Vec::new(),
                };
                self.unaddressed
                    .push(Unaddressed { mac: *mac, classification: ground.classifier.classify(&subject) });
            }
        }
    }

    fn count(&mut self) {
        let c = &mut self.census;
        let verdicts = self.devices.iter().map(|d| d.verdict).chain(self.lines.iter().map(|l| l.verdict));
        for verdict in verdicts {
            match verdict {
                Verdict::CountedNetwork => c.network += 1,
                Verdict::CountedIot => c.iot += 1,
                other => *c.excluded.entry(other.id().to_owned()).or_default() += 1,
            }
        }
        c.billable = c.network + c.iot;
        c.commitment = commitment(c.billable);
    }
}

impl Census {
    /// Whether the ledger closes twice: the verdicts of `devices` devices with `member_couplings` couplings sum to
    /// all devices, and their couplings with the coupling lines to the strict couplings.
    pub fn closes(&self, devices: u64, member_couplings: u64) -> bool {
        let of = |line: bool| -> u64 {
            Verdict::ALL
                .into_iter()
                .filter(|v| v.is_line() == line)
                .filter_map(|v| self.excluded.get(v.id()))
                .sum()
        };
        self.billable + of(false) == devices && member_couplings + of(true) == self.strict_couplings
    }
}

/// Builds a device from its couplings; `None` for no couplings, which no group has.
fn assemble<'a>(
    zone: &'a str,
    ground: &Ground<'a>,
    couplings: SmallVec<[Member<'a>; 1]>,
    bindings: &Bindings<'_>,
    joins: &HashMap<CouplingKey, Vec<&Join>>,
    alike: &mut HashMap<String, Arc<Classification>>,
) -> Option<Device<'a>> {
    let listed = couplings.iter().min_by_key(|m| listing(m))?;
    let anchor = couplings.iter().min_by_key(|m| (m.facts.first_seen, m.key))?;
    let (ip, mac, id) = (listed.key.ip, listed.key.mac, DeviceId::of(zone, anchor.key));
    let forwards = couplings.iter().filter_map(|m| bindings.forwarding.get(&m.key.mac)).min().copied();
    let classification = classified(&ground.subject(&couplings, forwards), ground.classifier, alike);
    Some(Device {
        id,
        zone,
        ip,
        mac,
        joins: couplings.iter().filter_map(|m| joins.get(&m.key)).flatten().map(|j| (*j).clone()).collect(),
        forwards,
        category: classification.category,
        told: Told::Kept(classification),
        first_seen: couplings.iter().map(|m| m.facts.first_seen).min()?,
        last_seen: couplings.iter().map(|m| m.facts.last_seen).max()?,
        random_mac: mac.is_locally_administered(),
        decided: None,
        verdict: Verdict::Unclassified,
        couplings,
    })
}

impl<'a> Ground<'a> {
    /// What a classifier is asked about the device of `couplings`, which are sorted by MAC.
    fn subject(&self, couplings: &[Member<'a>], forwards: Option<Forwards>) -> Subject<'a> {
        let mut macs: Vec<MacAddr> = couplings.iter().map(|m| m.key.mac).collect();
        macs.dedup();
        let mut evidence: BTreeMap<(Field, &str), &'a Evidence> = BTreeMap::new();
        let stations = macs.iter().filter_map(|m| self.zone.stations.get(m)).flat_map(|s| &s.evidence);
        for e in couplings.iter().flat_map(|m| &m.facts.evidence).chain(stations) {
            let known = evidence.entry((e.field, &e.value)).or_insert(e);
            if e.at < known.at {
                *known = e;
            }
        }
        Subject {
            macs,
            evidence: evidence.into_values().collect(),
            forwards,
            couplings: couplings.iter().map(|m| m.key).collect(),
        }
    }
}

/// Classifies a device; silent ones that the classifier takes for the same share one answer.
fn classified(
    subject: &Subject<'_>,
    classifier: &dyn Classifier,
    alike: &mut HashMap<String, Arc<Classification>>,
) -> Arc<Classification> {
    let silent = match subject.macs.as_slice() {
        [card] if subject.evidence.is_empty() && subject.forwards.is_none() => classifier.silent(*card),
        _ => None,
    };
    match silent {
        Some(key) => Arc::clone(alike.entry(key).or_insert_with(|| Arc::new(classifier.classify(subject)))),
        None => Arc::new(classifier.classify(subject)),
    }
}

fn judge<'a>(mut device: Device<'a>, bench: &Bench<'_>, policy: &Policy, as_of: Timestamp) -> Device<'a> {
    device.decided = bench.on(&device.couplings);
    let decided = device.decided.as_deref();
    if let Told::Kept(what) = &device.told
        && let Some(set) = decided.and_then(|d| d.over(what))
    {
        device.category = set.category;
        device.told = Told::Kept(Arc::new(set));
    }
    let standing = Standing {
        category: device.category,
        last_seen: device.last_seen,
        tentative: device.couplings.iter().all(|m| m.state == State::Tentative),
        managed: decided.is_some_and(|d| d.managed.is_some()),
        deleted_at: decided.and_then(Decided::deleted_at),
    };
    device.verdict = verdict(&standing, policy, as_of);
    device
}

/// The order in which couplings are preferred for listing: IPv4 before IPv6, in use before left, global before
/// link-local, lower before higher.
fn listing(m: &Member<'_>) -> (bool, bool, bool, IpAddr, MacAddr) {
    (m.key.ip.is_ipv6(), m.state == State::Superseded, is_link_local(m.key.ip), m.key.ip, m.key.mac)
}

impl Survey<'_> {
    /// How many devices each category holds, whatever their verdict.
    pub fn by_category(&self) -> BTreeMap<Category, u64> {
        let mut out = BTreeMap::new();
        for d in &self.devices {
            *out.entry(d.category).or_default() += 1;
        }
        out
    }
}
