//! A view: what a survey of a subscription shows, in the forms in which it is asked for.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use utoipa::ToSchema;

use super::Revision;
use crate::census::{Classifier, Decisions, Inventory, Policy, Survey, Timestamp, time::rfc3339};
use crate::listing::Tabs;
use crate::wire::{CaptureSummary, Detail, DeviceAnswer, DeviceEntry, Document};

/// An inventory at an instant, as pages and documents show it.
#[derive(Debug)]
pub struct View {
    pub as_of: Timestamp,
    /// When it was made of the newest facts.
    pub made_at: Timestamp,
    pub policy: Policy,
    pub revision: Revision,
    /// The document; its `capture` holds times only.
    pub document: Document,
    /// What the document leaves out of each device, in its order.
    pub details: Vec<Detail>,
    /// Devices by category.
    pub tabs: Tabs,
    /// The zones, by name.
    pub zones: Vec<ZoneSummary>,
    by_id: HashMap<String, usize>,
}

/// A zone and its numbers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneSummary {
    /// Its name in the configuration of its sensors.
    pub name: String,
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

impl View {
    pub(super) fn new(
        inventory: &Inventory,
        decisions: &Decisions,
        revision: Revision,
        policy: &Policy,
        classifier: &dyn Classifier,
        as_of: Timestamp,
        made_at: Timestamp,
    ) -> Self {
        let inventory = &*inventory.admitted(policy);
        // Every device is shown whole, and stays in the view.
        let survey = Survey::keeping(usize::MAX, inventory, policy, decisions, classifier, as_of);
        let capture = CaptureSummary {
            first: inventory.zones.values().filter_map(|z| z.segment.first_frame).min(),
            last: inventory.last_frame(),
            ..CaptureSummary::default()
        };
        let document = Document::new(&survey, capture, None);
        let by_id = document.devices.iter().enumerate().map(|(i, d)| (d.id.clone(), i)).collect();
        let details = survey.devices.iter().map(|d| Detail::new(d, None)).collect();
        let zones = zones(inventory, &survey);
        let tabs = Tabs::new(&document.devices);
        Self { as_of, made_at, policy: policy.clone(), revision, document, details, tabs, zones, by_id }
    }

    /// Why the device of that id counts, or does not.
    pub fn why(&self, id: &str) -> Option<DeviceAnswer> {
        let (device, detail) = self.device(id)?;
        Some(DeviceAnswer::new(device.clone(), detail, &self.policy, None))
    }

    /// The device of that id, with its details.
    pub fn device(&self, id: &str) -> Option<(&DeviceEntry, &Detail)> {
        let place = *self.by_id.get(id)?;
        Some((self.document.devices.get(place)?, self.details.get(place)?))
    }
}

fn zones(inventory: &Inventory, survey: &Survey<'_>) -> Vec<ZoneSummary> {
    let mut out: BTreeMap<&str, ZoneSummary> = BTreeMap::new();
    for (name, zone) in &inventory.zones {
        let couplings = zone.couplings.len() as u64;
        let summary = ZoneSummary {
            name: name.clone(),
            devices: 0,
            billable: 0,
            couplings,
            last_frame: zone.segment.last_frame,
        };
        out.insert(name, summary);
    }
    for device in &survey.devices {
        if let Some(zone) = out.get_mut(device.zone) {
            zone.devices += 1;
            zone.billable += u64::from(device.verdict.is_counted());
        }
    }
    out.into_values().collect()
}
