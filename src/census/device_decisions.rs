//! The decisions about one device, and the lookup that finds them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::HashMap;

use super::binding::Bindings;
use super::classification::{Category, Classification};
use super::coupling::CouplingKey;
use super::decision::{Decision, Importance, Mark, Property, Ruling};
use super::decisions::{Decisions, ZoneDecisions};
use super::managed::{ManagedList, ManagedMatch};
use super::member::Member;
use super::time::Timestamp;
use super::zone_names::ZoneNames;

/// Certainty of a value that a person set, in percent.
pub(super) const SET_BY_A_PERSON: u8 = 100;

/// The decisions about one device. Decisions stand on couplings, so a device may collect several on one matter.
/// Then the decision on its earliest coupling holds (type and category as one matter), and of deletions the newest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeviceDecisions {
    pub properties: BTreeMap<Property, Decision>,
    /// Its deletion, also after the device returned; see [`DeviceDecisions::deleted_at`].
    pub deleted: Option<Decision>,
    /// The entry of the managed list that matches it.
    pub managed: Option<ManagedMatch>,
    /// Its couplings that a person split from others.
    pub split: BTreeMap<CouplingKey, Arc<Mark>>,
}

impl DeviceDecisions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// If it was deleted: only a frame newer than this instant brings it back.
    pub fn deleted_at(&self) -> Option<Timestamp> {
        match self.deleted.as_ref()?.ruling {
            Ruling::Deleted { at } => Some(at),
            _ => None,
        }
    }

    pub fn name(&self) -> Option<&str> {
        match &self.properties.get(&Property::Name)?.ruling {
            Ruling::Name(name) => Some(name),
            _ => None,
        }
    }

    pub fn location(&self) -> Option<&str> {
        match &self.properties.get(&Property::Location)?.ruling {
            Ruling::Location(location) => Some(location),
            _ => None,
        }
    }

    /// Sorted.
    pub fn tags(&self) -> &[String] {
        match self.properties.get(&Property::Tags).map(|d| &d.ruling) {
            Some(Ruling::Tags(tags)) => tags,
            _ => &[],
        }
    }

    pub fn importance(&self) -> Option<Importance> {
        match self.properties.get(&Property::Importance)?.ruling {
            Ruling::Importance(importance) => Some(importance),
            _ => None,
        }
    }

    /// The category that was set, by itself or else with the type.
    pub fn category(&self) -> Option<Category> {
        let ruling = |p| self.properties.get(&p).map(|d| &d.ruling);
        match (ruling(Property::Category), ruling(Property::Type)) {
            (Some(Ruling::Category(category)), _) | (_, Some(Ruling::Type { category, .. })) => {
                Some(*category)
            }
            _ => None,
        }
    }

    /// The type that was set: a key of the taxonomy.
    pub fn kind(&self) -> Option<&str> {
        match &self.properties.get(&Property::Type)?.ruling {
            Ruling::Type { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// The classification with the values that people set; `None` if they set none.
    pub(super) fn over(&self, concluded: &Classification) -> Option<Classification> {
        let (category, kind, name) = (self.category(), self.kind(), self.name());
        if category.is_none() && name.is_none() {
            return None;
        }
        let mut out = concluded.clone();
        if let Some(category) = category {
            // If the type does not fit the new category, the category's catch-all type replaces it.
            if category != concluded.category {
                out.kind = category.other_kind().into();
            }
            out.category = category;
            out.confidence = SET_BY_A_PERSON;
        }
        if let Some(kind) = kind {
            out.kind = kind.into();
        }
        if let Some(name) = name {
            out.name = Some(name.into());
        }
        Some(out)
    }
}

/// Looks up the decisions about the devices of one zone.
pub(super) struct DecisionLookup<'d> {
    zone: &'d str,
    decisions: Option<&'d ZoneDecisions>,
    names: &'d ZoneNames,
    managed: &'d ManagedList,
    holders: HashMap<IpAddr, CouplingKey>,
    as_of: Timestamp,
}

impl<'d> DecisionLookup<'d> {
    pub(super) fn new(
        zone: &'d str,
        decisions: &'d Decisions,
        bindings: &Bindings<'_>,
        as_of: Timestamp,
    ) -> Self {
        let managed = decisions.managed();
        let holders = managed.holders(bindings);
        Self { zone, decisions: decisions.of_zone(zone), names: decisions.names(), managed, holders, as_of }
    }

    /// The decisions about a device with these couplings; `None` if there are none, as for most devices.
    pub(super) fn on(&self, couplings: &[Member<'_>]) -> Option<Box<DeviceDecisions>> {
        if self.decisions.is_none() && self.managed.is_empty() {
            return None;
        }
        let mut decided = DeviceDecisions::default();
        if let Some(zone) = self.decisions {
            decided.gather(zone, couplings);
        }
        if !self.managed.is_empty() {
            let keys = couplings.iter().map(|m| m.key);
            decided.managed =
                self.managed.of(|label| self.names.name(label) == self.zone, keys, &self.holders, self.as_of);
        }
        (!decided.is_empty()).then(|| Box::new(decided))
    }
}

impl DeviceDecisions {
    fn gather(&mut self, zone: &ZoneDecisions, couplings: &[Member<'_>]) {
        // The same order chooses the device's anchor.
        let mut order: Vec<(Timestamp, CouplingKey)> =
            couplings.iter().map(|m| (m.facts.first_seen, m.key)).collect();
        order.sort_unstable();
        for (_, key) in order {
            let what = self.category().is_some();
            let of_coupling = (key, Property::Category)..=(key, Property::Type);
            for ((_, property), decision) in zone.properties.range(of_coupling) {
                let taken = what && matches!(property, Property::Category | Property::Type);
                if !taken {
                    self.properties.entry(*property).or_insert_with(|| decision.clone());
                }
            }
            if let Some(deletion) = zone.deletions.get(&key) {
                let at = |d: &Decision| match d.ruling {
                    Ruling::Deleted { at } => Some(at),
                    _ => None,
                };
                if self.deleted.as_ref().is_none_or(|known| at(known) < at(deletion)) {
                    self.deleted = Some(deletion.clone());
                }
            }
            if let Some(split) = zone.splits.get(&key) {
                self.split.insert(key, Arc::clone(&split.mark));
            }
        }
    }
}
