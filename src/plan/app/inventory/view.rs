//! A view: what a survey of a subscription shows, in the forms in which it is asked for. It is the sum of the views of the
//! zones.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::components::SaidComponent;
use super::past::Tense;
use super::zone_view::{Questions, Surveyor, ZoneView, zones};
use super::{Facts, Revision};
use crate::advisory::Components;
use crate::census::{
    Census, Classifier, CouplingKey, Decisions, DeviceId, Finding, Inventory, MacAddr, Mark, Policy, Routed,
    Timestamp, UnlistedFindings, ZoneNames, time::rfc3339,
};
use crate::listing::map::{MapZone, Prefixes};
use crate::listing::{Filter, Rows, Tabs};
use crate::wire::{
    Basis, CaptureSummary, DeviceAnswer, DeviceEntry, DeviceRow, Document, Explanation, SCHEMA, Subject,
};

/// An inventory at an instant, as pages and documents show it.
#[derive(Debug)]
pub struct View {
    pub as_of: Timestamp,
    /// When it was made of the newest facts.
    pub made_at: Timestamp,
    pub policy: Arc<Policy>,
    pub revision: Revision,
    pub census: Census,
    /// Devices by category.
    pub tabs: Tabs,
    /// From what a count of the past is made.
    pub basis: Option<Basis>,
    pub(super) tense: Tense,
    /// Sorted by name.
    pub(super) zones: Vec<Arc<ZoneView>>,
    decisions: Arc<Decisions>,
}

/// A zone and its numbers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneSummary {
    /// The label of its sensors, which their configuration names, or the name that a person gave it.
    pub name: String,
    /// The labels under which sensors upload to it.
    pub labels: Vec<ZoneLabel>,
    pub devices: u64,
    /// Devices that count.
    pub billable: u64,
    /// Couplings that sensors reported.
    pub couplings: u64,
    /// The newest frame; null if none was seen.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_frame: Option<Timestamp>,
}

/// A label under which sensors upload to a zone.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneLabel {
    pub label: String,
    /// Who gave its facts to this zone; null if the zone has the label's name by itself.
    pub named: Option<Mark>,
}

/// What a view is made of.
pub(super) struct Ground<'g> {
    pub(super) facts: &'g Facts,
    pub(super) decisions: &'g Arc<Decisions>,
    pub(super) revision: Revision,
    pub(super) policy: &'g Arc<Policy>,
    pub(super) classifier: &'g (dyn Classifier + Send + Sync),
    pub(super) questions: &'g Questions,
    pub(super) components: Option<&'g Components>,
    pub(super) as_of: Timestamp,
}

impl View {
    /// Surveys the zones that changed since the `former` views, and sums up.
    pub(super) fn new(ground: &Ground<'_>, former: &[Arc<Self>], made_at: Timestamp) -> Self {
        let surveyor = Surveyor {
            facts: ground.facts,
            policy: ground.policy,
            decisions: ground.decisions,
            classifier: ground.classifier,
            questions: ground.questions,
            components: ground.components,
            as_of: ground.as_of,
        };
        let former: Vec<_> = former.iter().map(|view| (&*view.zones, &*view.decisions)).collect();
        let zones = zones(&surveyor, &former);
        let (mut census, mut tabs) = (Census::default(), Tabs::default());
        for zone in &zones {
            census.add(&zone.census);
            tabs.add(&zone.tabs);
        }
        Self {
            as_of: ground.as_of,
            made_at,
            policy: Arc::clone(ground.policy),
            revision: ground.revision,
            census,
            tabs,
            basis: None,
            tense: Tense::Present,
            zones,
            decisions: Arc::clone(ground.decisions),
        }
    }

    /// The decisions under which it was made.
    pub(super) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    pub(in crate::plan::app) fn zone_names(&self) -> &ZoneNames {
        self.decisions.names()
    }

    /// The name of the zone in which a label's facts count.
    pub(in crate::plan::app) fn zone_name<'n>(&'n self, label: &'n str) -> &'n str {
        self.decisions.names().name(label)
    }

    /// A filter that may name a zone by one of its labels.
    pub(in crate::plan::app) fn by_name(&self, filter: &Filter) -> Filter {
        let zone = filter.zone.as_deref().map(|label| self.zone_name(label).to_owned());
        Filter { zone, ..filter.clone() }
    }

    /// Its zones, which other views may share, and about how much memory each takes.
    pub(super) fn parts(&self) -> impl Iterator<Item = (*const ZoneView, usize)> {
        self.zones.iter().map(|zone| (Arc::as_ptr(zone), zone.bytes))
    }

    /// The number of devices.
    pub fn len(&self) -> usize {
        self.zones.iter().map(|zone| zone.rows.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The devices, zone by zone.
    pub(crate) fn by_zone(&self) -> impl Iterator<Item = &Rows> {
        self.zones.iter().map(|zone| &zone.rows)
    }

    /// The devices of the zone at a place.
    pub(crate) fn rows_of(&self, zone: usize) -> Option<&Rows> {
        Some(&self.zones.get(zone)?.rows)
    }

    /// All devices, sorted by zone, address and MAC.
    pub fn rows(&self) -> impl Iterator<Item = &DeviceRow> {
        self.by_zone().flat_map(Rows::iter)
    }

    /// All devices as documents show them, in the same order.
    pub fn entries(&self) -> impl Iterator<Item = DeviceEntry> {
        self.rows().map(|row| row.entry(None))
    }

    /// The device of that id.
    pub fn device(&self, id: &str) -> Option<&DeviceRow> {
        self.row(id.parse().ok()?)
    }

    pub(in crate::plan::app) fn row(&self, id: DeviceId) -> Option<&DeviceRow> {
        self.by_zone().find_map(|rows| rows.of_id(id))
    }

    /// The components that a device names; none unless they are asked for.
    pub(in crate::plan::app) fn components(&self, id: DeviceId) -> &[SaidComponent] {
        self.zones.iter().find_map(|zone| zone.components.get(&id)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Why the device of that id counts, or does not.
    pub fn why(&self, id: &str) -> Option<DeviceAnswer> {
        Some(DeviceAnswer::new(self.device(id)?, &self.policy, None))
    }

    /// Everything that is known of an address or a MAC; `None` if not each coupling of it in `facts` belongs to a device.
    pub(super) fn explain(&self, facts: &Inventory, subject: Subject) -> Option<Explanation> {
        let has = |row: &&DeviceRow| row.couplings.iter().any(|c| subject.is(c.key.mac, c.key.ip));
        let mut devices = Vec::new();
        for (name, zone) in facts.zones.iter().filter(|(_, zone)| subject.is_in(zone)) {
            let rows = &self.zones.iter().find(|known| *known.name == **name)?.rows;
            let found: Vec<&DeviceRow> = rows.iter().filter(has).collect();
            let shown: HashSet<CouplingKey> =
                found.iter().flat_map(|row| row.couplings.iter().map(|c| c.key)).collect();
            let of_tunnels = zone.tunnels.values().flat_map(|tunnel| tunnel.facts.couplings.keys());
            let mut keys = zone.couplings.keys().chain(of_tunnels).filter(|key| subject.is(key.mac, key.ip));
            if found.is_empty() || !keys.all(|key| shown.contains(key)) {
                return None;
            }
            devices.extend(found.into_iter().map(|row| DeviceAnswer::new(row, &self.policy, None)));
        }
        Some(Explanation::of_devices(devices, &self.policy, self.as_of))
    }

    /// The findings, sorted by kind, zone and subjects, and the numbers of those that are not listed.
    pub fn findings(&self) -> (Vec<Finding>, Vec<UnlistedFindings>) {
        let of_zones = || self.zones.iter().map(|zone| &zone.findings);
        let mut findings: Vec<Finding> = of_zones().flat_map(|f| f.iter()).cloned().collect();
        Finding::sort(&mut findings);
        let mut unlisted: Vec<UnlistedFindings> = of_zones().flat_map(|f| f.unlisted()).collect();
        unlisted.sort_by(|a, b| (a.kind, &a.zone).cmp(&(b.kind, &b.zone)));
        (findings, unlisted)
    }

    /// The zones, by name.
    pub fn zones(&self) -> Vec<ZoneSummary> {
        let label = |label: &String| {
            let named = self.decisions.names().get(label).map(|decision| (*decision.mark).clone());
            ZoneLabel { label: label.clone(), named }
        };
        let summary = |zone: &Arc<ZoneView>| ZoneSummary {
            name: String::from(&*zone.name),
            labels: zone.labels.iter().map(label).collect(),
            devices: zone.rows.len() as u64,
            billable: zone.census.billable,
            couplings: zone.couplings,
            last_frame: zone.last_frame,
        };
        self.zones.iter().map(summary).collect()
    }

    /// The map of a zone, with at most so many networks; `None` if there is no such zone.
    pub(in crate::plan::app) fn map_of(&self, zone: &str, networks: usize) -> Option<MapZone> {
        let zone = self.zones.iter().find(|known| &*known.name == zone)?;
        Some(MapZone::new(&zone.name, zone.rows.iter(), &Prefixes::new(&zone.prefixes), networks))
    }

    /// The document around `devices`, which are those of the view. Its `capture` holds times only.
    pub fn document<D>(&self, devices: D) -> Document<D> {
        let mut routed: BTreeMap<MacAddr, u64> = BTreeMap::new();
        for Routed { mac, addresses } in self.zones.iter().flat_map(|zone| &zone.routed) {
            *routed.entry(*mac).or_default() += addresses;
        }
        let mut unaddressed: Vec<_> = self.zones.iter().flat_map(|zone| &zone.unaddressed).cloned().collect();
        unaddressed.sort_by_key(|u| u.mac);
        let (findings, unlisted_findings) = self.findings();
        Document {
            schema: SCHEMA.to_owned(),
            policy: self.policy.name.clone(),
            as_of: Some(self.as_of),
            basis: self.basis.clone(),
            capture: CaptureSummary {
                first: self.zones.iter().filter_map(|zone| zone.first_frame).min(),
                last: self.zones.iter().filter_map(|zone| zone.last_frame).max(),
                ..CaptureSummary::default()
            },
            census: self.census.clone(),
            devices,
            routed: routed.into_iter().map(|(mac, addresses)| Routed { mac, addresses }).collect(),
            unaddressed,
            findings,
            unlisted_findings,
        }
    }
}
