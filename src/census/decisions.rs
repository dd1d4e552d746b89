//! All decisions of a subscription, by the objects they stand on.
//!
//! Setting a decision returns the one it replaces. So a change can be recorded as before and after, and undone exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::coupling::CouplingKey;
use super::decision::{Decision, Object, Property};
use super::managed::ManagedList;
use super::time::Timestamp;
use super::zone_names::ZoneNames;

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

    /// The decision on an object of the zone, under whichever label.
    fn get(&self, object: &Object) -> Option<&Decision> {
        match object {
            Object::Property(_, key, property) => self.properties.get(&(*key, *property)),
            Object::Deletion(_, key) => self.deletions.get(key),
            Object::Merge(_, a, b) => self.merges.get(&(*a, *b)),
            Object::Split(_, key) => self.splits.get(key),
            Object::Managed(_) | Object::Zone(_) => None,
        }
    }

    fn set(&mut self, object: &Object, decision: Option<Decision>) -> Option<Decision> {
        match object {
            Object::Property(_, key, property) => put(&mut self.properties, (*key, *property), decision),
            Object::Deletion(_, key) => put(&mut self.deletions, *key, decision),
            Object::Merge(_, a, b) => put(&mut self.merges, (*a, *b), decision),
            Object::Split(_, key) => put(&mut self.splits, *key, decision),
            Object::Managed(_) | Object::Zone(_) => None,
        }
    }

    /// Adds the decisions of another label of the same zone. Of two on one object, the newer one holds.
    fn join(&mut self, other: &Self) {
        join(&mut self.properties, &other.properties);
        join(&mut self.deletions, &other.deletions);
        join(&mut self.merges, &other.merges);
        join(&mut self.splits, &other.splits);
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
///
/// Decisions about couplings are stored by labels, as facts are. Those of all labels of a zone hold in it, see
/// [`Self::of_zone`]; if people decided differently about one object under two labels, the newest decision holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decisions {
    /// By labels.
    labels: BTreeMap<String, Arc<ZoneDecisions>>,
    /// Those of zones that have decisions under several labels, joined.
    joined: BTreeMap<String, Arc<ZoneDecisions>>,
    names: Arc<ZoneNames>,
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

    /// The decisions that hold in a zone.
    pub fn of_zone(&self, zone: &str) -> Option<&ZoneDecisions> {
        self.in_zone(zone).map(|zone| &**zone)
    }

    fn in_zone(&self, zone: &str) -> Option<&Arc<ZoneDecisions>> {
        if self.names.is_empty() {
            return self.labels.get(zone);
        }
        // Without joined decisions, at most one of the labels has any.
        let alone = || self.names.labels(zone).find_map(|label| self.labels.get(label));
        self.joined.get(zone).or_else(alone)
    }

    pub fn managed(&self) -> &ManagedList {
        &self.managed
    }

    /// Under which names the labels of facts count.
    pub fn names(&self) -> &ZoneNames {
        &self.names
    }

    /// Whether a survey of the zone says the same under both: what stands on the zone and on all zones is shared, and the
    /// zone has the same labels.
    pub fn shares_zone(&self, other: &Self, zone: &str) -> bool {
        let same = match (self.in_zone(zone), other.in_zone(zone)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same && (Arc::ptr_eq(&self.managed, &other.managed)
            || self.managed.is_empty() && other.managed.is_empty())
            && self.names.labels(zone).eq(other.names.labels(zone))
    }

    /// Shares with `former` what is the same in both.
    #[must_use]
    pub fn sharing(mut self, former: &Self) -> Self {
        for (own, known) in [(&mut self.labels, &former.labels), (&mut self.joined, &former.joined)] {
            for (name, zone) in own {
                if let Some(known) = known.get(name).filter(|known| *known == zone) {
                    *zone = Arc::clone(known);
                }
            }
        }
        if self.managed == former.managed {
            self.managed = Arc::clone(&former.managed);
        }
        self
    }

    /// The decision on an object, as it is stored under the object's label.
    pub fn get(&self, object: &Object) -> Option<&Decision> {
        match object {
            Object::Managed(key) => self.managed.get(key),
            Object::Zone(label) => self.names.get(label),
            of_coupling => self.labels.get(of_coupling.label()?)?.get(of_coupling),
        }
    }

    /// The decision that holds on an object of a zone, under whichever of the zone's labels.
    pub fn holding(&self, object: &Object) -> Option<&Decision> {
        match object.label() {
            Some(zone) => self.of_zone(zone)?.get(object),
            None => self.get(object),
        }
    }

    /// Puts `decision` on an object, or removes the one there if it is `None`. Returns the previous one.
    pub fn set(&mut self, object: &Object, decision: Option<Decision>) -> Option<Decision> {
        let added = usize::from(decision.is_some());
        let before = match object {
            Object::Managed(key) => Arc::make_mut(&mut self.managed).set(key, decision),
            Object::Zone(label) => self.place(label, decision),
            of_coupling => {
                let label = of_coupling.label().unwrap_or_default();
                let before = self.change(label, |zone| zone.set(of_coupling, decision));
                self.renew(of_coupling, label);
                before
            }
        };
        self.len = self.len + added - usize::from(before.is_some());
        before
    }

    /// Changes the decisions of a label. A label without decisions is not kept.
    fn change<T>(&mut self, label: &str, change: impl FnOnce(&mut ZoneDecisions) -> T) -> T {
        if let Some(known) = self.labels.get_mut(label) {
            let out = change(Arc::make_mut(known));
            if known.is_empty() {
                self.labels.remove(label);
            }
            return out;
        }
        let mut new = ZoneDecisions::default();
        let out = change(&mut new);
        if !new.is_empty() {
            self.labels.insert(label.to_owned(), Arc::new(new));
        }
        out
    }

    /// Lets the facts of a label count in another zone.
    fn place(&mut self, label: &str, decision: Option<Decision>) -> Option<Decision> {
        let former = self.names.name(label).to_owned();
        let before = Arc::make_mut(&mut self.names).set(label, decision);
        self.rejoin(&former);
        let now = self.names.name(label).to_owned();
        self.rejoin(&now);
        before
    }

    /// Joins the decisions of a zone anew.
    fn rejoin(&mut self, zone: &str) {
        let mut parts = self.names.labels(zone).filter_map(|label| self.labels.get(label));
        let (first, second) = (parts.next(), parts.next());
        let joined = first.zip(second).map(|(first, second)| {
            let mut joined = (**first).clone();
            std::iter::once(second).chain(parts).for_each(|part| joined.join(part));
            Arc::new(joined)
        });
        put(&mut self.joined, zone.to_owned(), joined);
    }

    /// Brings the joined decisions of a zone up to date after the decision on an object of a label changed.
    fn renew(&mut self, object: &Object, label: &str) {
        if self.names.is_empty() {
            return;
        }
        let zone = self.names.name(label).to_owned();
        let holders = self.names.labels(&zone).filter(|label| self.labels.contains_key(*label)).count();
        let of_labels = self.names.labels(&zone).filter_map(|label| self.labels.get(label)?.get(object));
        let newest = of_labels.max_by_key(|decision| made(decision)).cloned();
        match self.joined.get_mut(&zone) {
            Some(joined) if holders > 1 => drop(Arc::make_mut(joined).set(object, newest)),
            None if holders < 2 => {}
            _ => self.rejoin(&zone),
        }
    }
}

/// When a decision was made: the later of two holds.
fn made(decision: &Decision) -> (Timestamp, u64) {
    (decision.mark.at, decision.mark.change)
}

fn join<K: Ord + Clone>(known: &mut BTreeMap<K, Decision>, other: &BTreeMap<K, Decision>) {
    for (key, decision) in other {
        if known.get(key).is_none_or(|known| made(known) < made(decision)) {
            known.insert(key.clone(), decision.clone());
        }
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
