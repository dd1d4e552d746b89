//! All decisions of a subscription, by the objects they stand on.
//!
//! Setting a decision returns the one it replaces. So a change can be recorded as before and after, and undone exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::coupling::CouplingKey;
use super::decision::{Decision, Object, Property};
use super::managed::ManagedList;

/// The decisions about the couplings of one zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneDecisions {
    pub(super) properties: BTreeMap<(CouplingKey, Property), Decision>,
    pub(super) deletions: BTreeMap<CouplingKey, Decision>,
    pub(super) merges: BTreeMap<(CouplingKey, CouplingKey), Decision>,
    pub(super) splits: BTreeMap<CouplingKey, Decision>,
}

impl ZoneDecisions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The couplings that a person merged with `key`.
    pub fn merges_of(&self, key: CouplingKey) -> impl Iterator<Item = CouplingKey> {
        // `key` may be on either side of the pair, so a range of the map does not find all.
        self.merges.keys().filter_map(move |(a, b)| match (*a == key, *b == key) {
            (true, _) => Some(*b),
            (_, true) => Some(*a),
            _ => None,
        })
    }
}

/// All decisions of a subscription. Empty on the sensor. A clone shares the zones and the managed list: each is copied when
/// one of the clones changes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decisions {
    zones: BTreeMap<String, Arc<ZoneDecisions>>,
    managed: Arc<ManagedList>,
    len: usize,
}

impl Decisions {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn of_zone(&self, zone: &str) -> Option<&ZoneDecisions> {
        self.zones.get(zone).map(|zone| &**zone)
    }

    pub fn managed(&self) -> &ManagedList {
        &self.managed
    }

    /// Whether a survey of the zone says the same under both: what stands on the zone and on all zones is shared.
    pub fn shares_zone(&self, other: &Self, zone: &str) -> bool {
        let same = match (self.zones.get(zone), other.zones.get(zone)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same && (Arc::ptr_eq(&self.managed, &other.managed)
            || self.managed.is_empty() && other.managed.is_empty())
    }

    /// Shares with `former` what is the same in both.
    #[must_use]
    pub fn sharing(mut self, former: &Self) -> Self {
        for (name, zone) in &mut self.zones {
            if let Some(known) = former.zones.get(name).filter(|known| *known == zone) {
                *zone = Arc::clone(known);
            }
        }
        if self.managed == former.managed {
            self.managed = Arc::clone(&former.managed);
        }
        self
    }

    /// The decision on an object.
    pub fn get(&self, object: &Object) -> Option<&Decision> {
        let of = |zone: &str| self.zones.get(zone);
        match object {
            Object::Property(zone, key, property) => of(zone)?.properties.get(&(*key, *property)),
            Object::Deletion(zone, key) => of(zone)?.deletions.get(key),
            Object::Merge(zone, a, b) => of(zone)?.merges.get(&(*a, *b)),
            Object::Split(zone, key) => of(zone)?.splits.get(key),
            Object::Managed(key) => self.managed.get(key),
        }
    }

    /// Puts `decision` on an object, or removes the one there if it is `None`. Returns the previous one.
    pub fn set(&mut self, object: &Object, decision: Option<Decision>) -> Option<Decision> {
        let added = usize::from(decision.is_some());
        let before = match object {
            Object::Managed(key) => Arc::make_mut(&mut self.managed).set(key, decision),
            Object::Property(zone, key, property) => {
                self.change(zone, |z| put(&mut z.properties, (*key, *property), decision))
            }
            Object::Deletion(zone, key) => self.change(zone, |z| put(&mut z.deletions, *key, decision)),
            Object::Merge(zone, a, b) => self.change(zone, |z| put(&mut z.merges, (*a, *b), decision)),
            Object::Split(zone, key) => self.change(zone, |z| put(&mut z.splits, *key, decision)),
        };
        self.len = self.len + added - usize::from(before.is_some());
        before
    }

    /// Changes a zone's decisions, and drops the zone if none are left.
    fn change<T>(&mut self, zone: &str, change: impl FnOnce(&mut ZoneDecisions) -> T) -> T {
        if let Some(known) = self.zones.get_mut(zone) {
            let out = change(Arc::make_mut(known));
            if known.is_empty() {
                self.zones.remove(zone);
            }
            return out;
        }
        let mut new = ZoneDecisions::default();
        let out = change(&mut new);
        if !new.is_empty() {
            self.zones.insert(zone.to_owned(), Arc::new(new));
        }
        out
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
