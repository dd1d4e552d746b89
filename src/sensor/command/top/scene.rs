//! The census at one moment, with its newest devices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::census::{
    Category, Census, Classifier, Decisions, Device, EvidenceSet, Inventory, MacAddr, Policy, Survey,
    Timestamp, Verdict,
};
use crate::sensor::indicators::IndicatorsInForce;
use crate::wire::CaptureSummary;

/// Maximum number of devices to keep: the newest.
const ROWS: usize = 10_000;
/// Maximum number of reasons for a device.
const REASONS: usize = 6;

#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    /// The running sensor, or capture files.
    pub(super) source: String,
    pub(super) zones: Vec<String>,
    pub(super) as_of: Timestamp,
    pub(super) census: Census,
    pub(super) capture: CaptureSummary,
    /// Frames a second, if known.
    pub(super) rate: Option<u64>,
    /// Sightings of couplings refused at the limit.
    pub(super) refused: u64,
    /// What the sensor watches for, if it watches for anything.
    pub(super) indicators: Option<IndicatorsInForce>,
    /// Further warnings.
    pub(super) problems: Vec<String>,
    /// Protocols, and how many couplings and stations spoke each, most spoken first.
    pub(super) heard: Vec<(&'static str, u64)>,
    /// The number of all devices.
    pub(super) devices: usize,
    /// The newest devices.
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) ip: IpAddr,
    pub(super) mac: MacAddr,
    pub(super) category: Category,
    pub(super) kind: String,
    pub(super) maker: String,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) first_seen: Timestamp,
    pub(super) last_seen: Timestamp,
    /// Why the device has its type, strongest first.
    pub(super) reasons: Vec<String>,
}

impl Scene {
    pub(super) fn new(
        inventory: &Inventory,
        policy: &Policy,
        classifier: &dyn Classifier,
        as_of: Timestamp,
        capture: CaptureSummary,
        refused: u64,
    ) -> Self {
        let decisions = Decisions::default();
        let inventory = &*inventory.admitted(policy);
        let mut survey = Survey::new(inventory, policy, &decisions, classifier, as_of);
        let devices = survey.devices.len();
        survey.devices.sort_by_key(|d| (std::cmp::Reverse(d.first_seen), d.ip, d.mac));
        Self {
            zones: inventory.zones.keys().cloned().collect(),
            as_of,
            rate: rate(&capture),
            capture,
            refused,
            heard: heard(inventory),
            devices,
            rows: survey.devices.iter().take(ROWS).map(Row::new).collect(),
            census: survey.census,
            ..Self::default()
        }
    }

    /// The number of devices (or addresses) with a verdict.
    pub(super) fn excluded(&self, verdict: Verdict) -> u64 {
        self.census.excluded.get(verdict.id()).copied().unwrap_or(0)
    }
}

impl Row {
    fn new(d: &Device<'_>) -> Self {
        let what = d.classification();
        Self {
            ip: d.ip,
            mac: d.mac,
            category: what.category,
            kind: what.kind.to_string(),
            maker: [&what.vendor, &what.model]
                .into_iter()
                .flatten()
                .map(|text| text.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            name: what.name.as_deref().unwrap_or_default().to_owned(),
            verdict: d.verdict,
            first_seen: d.first_seen,
            last_seen: d.last_seen,
            reasons: what
                .reasons
                .iter()
                .take(REASONS)
                .map(|r| format!("{} ({} %): {}={}", r.title, r.weight, r.field, r.value))
                .collect(),
        }
    }
}

/// Frames a second on average.
fn rate(capture: &CaptureSummary) -> Option<u64> {
    let nanos = capture.last?.since(capture.first?);
    let nanos = u128::try_from(nanos).ok().filter(|n| *n > 0)?;
    u64::try_from(u128::from(capture.frames) * 1_000_000_000 / nanos).ok()
}

/// The protocols by how many couplings and stations spoke them: the first part of a field's name.
fn heard(inventory: &Inventory) -> Vec<(&'static str, u64)> {
    let mut count: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut add = |evidence: &EvidenceSet| {
        let protocols: BTreeSet<&'static str> =
            evidence.iter().filter_map(|e| e.field.name().split('.').next()).collect();
        for protocol in protocols {
            *count.entry(protocol).or_default() += 1;
        }
    };
    for zone in inventory.zones.values() {
        zone.couplings.values().for_each(|c| add(&c.evidence));
        zone.stations.values().for_each(|s| add(&s.evidence));
    }
    let mut heard: Vec<_> = count.into_iter().collect();
    heard.sort_by_key(|(protocol, n)| (std::cmp::Reverse(*n), *protocol));
    heard
}
