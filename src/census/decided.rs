//! What the decisions of people say about one device.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::classification::{Category, Classification};
use super::coupling::CouplingKey;
use super::decision::{Decision, Decisions, Importance, Mark, Property, Ruling, ZoneDecisions};
use super::managed::{ManagedList, ManagedMatch};
use super::survey::Member;
use super::time::Timestamp;

/// Certainty of what a person set, in percent.
pub(super) const SET_BY_A_PERSON: u8 = 100;

/// What people decided about one device. Couplings keep their decisions whatever device they lie in, so a device may
/// have several on one matter: for each property that of its earliest coupling stands, type and category together;
/// of deletions the newest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decided {
    /// What was set.
    pub properties: BTreeMap<Property, Decision>,
    /// Its deletion. It stands also after the device returned; see [`Decided::deleted_at`].
    pub deleted: Option<Decision>,
    /// The entry by which it is managed elsewhere.
    pub managed: Option<ManagedMatch>,
    /// Its couplings that a person split from others.
    pub split: BTreeMap<CouplingKey, Arc<Mark>>,
}

impl Decided {
    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The instant after which a frame brings the device back, where it was deleted.
    pub fn deleted_at(&self) -> Option<Timestamp> {
        match self.deleted.as_ref()?.ruling {
            Ruling::Deleted { at } => Some(at),
            _ => None,
        }
    }

    /// The name that was set.
    pub fn name(&self) -> Option<&str> {
        match &self.properties.get(&Property::Name)?.ruling {
            Ruling::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Where it stands.
    pub fn location(&self) -> Option<&str> {
        match &self.properties.get(&Property::Location)?.ruling {
            Ruling::Location(location) => Some(location),
            _ => None,
        }
    }

    /// Its tags, sorted.
    pub fn tags(&self) -> &[String] {
        match self.properties.get(&Property::Tags).map(|d| &d.ruling) {
            Some(Ruling::Tags(tags)) => tags,
            _ => &[],
        }
    }

    /// How much depends on it.
    pub fn importance(&self) -> Option<Importance> {
        match self.properties.get(&Property::Importance)?.ruling {
            Ruling::Importance(importance) => Some(importance),
            _ => None,
        }
    }

    /// The category that was set: by itself, else with the type.
    pub fn category(&self) -> Option<Category> {
        let ruling = |p| self.properties.get(&p).map(|d| &d.ruling);
        match (ruling(Property::Category), ruling(Property::Type)) {
            (Some(Ruling::Category(category)), _) | (_, Some(Ruling::Type { category, .. })) => {
                Some(*category)
            }
            _ => None,
        }
    }

    /// The type that was set.
    pub fn kind(&self) -> Option<&str> {
        match &self.properties.get(&Property::Type)?.ruling {
            Ruling::Type { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// A classification with what was set in the place of what was concluded; `None` where that changes nothing.
    pub(super) fn over(&self, concluded: &Classification) -> Option<Classification> {
        let (category, kind, name) = (self.category(), self.kind(), self.name());
        if category.is_none() && name.is_none() {
            return None;
        }
        let mut out = concluded.clone();
        if let Some(category) = category {
            // A category alone leaves the type where it is one of that category, and else the closest that is known.
            if category != concluded.category {
                category.other_kind().clone_into(&mut out.kind);
            }
            out.category = category;
            out.confidence = SET_BY_A_PERSON;
        }
        if let Some(kind) = kind {
            kind.clone_into(&mut out.kind);
        }
        if let Some(name) = name {
            out.name = Some(name.to_owned());
        }
        Some(out)
    }
}

/// Looks up decisions for the devices of one zone.
pub(super) struct Bench<'d> {
    zone: &'d str,
    decisions: Option<&'d ZoneDecisions>,
    managed: &'d ManagedList,
    holders: HashMap<IpAddr, CouplingKey>,
    as_of: Timestamp,
}

impl<'d> Bench<'d> {
    pub(super) fn new(
        zone: &'d str,
        decisions: &'d Decisions,
        bindings: &super::binding::Bindings<'_>,
        as_of: Timestamp,
    ) -> Self {
        let managed = decisions.managed();
        let holders = managed.holders(bindings);
        Self { zone, decisions: decisions.of_zone(zone), managed, holders, as_of }
    }

    /// What was decided about a device with these couplings; `None` for nothing, as for most.
    pub(super) fn on(&self, couplings: &[Member<'_>]) -> Option<Box<Decided>> {
        if self.decisions.is_none() && self.managed.is_empty() {
            return None;
        }
        let mut decided = Decided::default();
        if let Some(zone) = self.decisions {
            decided.gather(zone, couplings);
        }
        if !self.managed.is_empty() {
            let keys = couplings.iter().map(|m| m.key);
            decided.managed = self.managed.of(self.zone, keys, &self.holders, self.as_of);
        }
        (!decided.is_empty()).then(|| Box::new(decided))
    }
}

impl Decided {
    fn gather(&mut self, zone: &ZoneDecisions, couplings: &[Member<'_>]) {
        // In the order that also chooses the device's anchor.
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
