//! The facts of a subscription in memory: immutable snapshots, of which one is current.
//!
//! A reader takes the current snapshot and holds no lock, however long it works on it. A writer changes the current
//! snapshot in place while nobody else holds it. Otherwise it copies the zones that it changes, once for each snapshot that
//! somebody holds, and outside the lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::room::Room;
use crate::census::{Inventory, Zone, ZoneNames};

/// The facts of a subscription in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Replica(Arc<RwLock<Arc<Facts>>>);

/// The facts as they are at a revision. A clone shares the zones.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The merged facts.
    pub inventory: Inventory,
    /// The revision of the facts in the database; `None` before they are loaded.
    pub revision: Option<i64>,
    /// What all zones take.
    held: Room,
    /// The revision at which each zone changed last, as far as it was noted.
    changed: BTreeMap<String, i64>,
    /// The revision at which the facts were loaded.
    loaded: i64,
    /// The labels of zones, unless each has its own name alone.
    labels: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// The facts of the database at a revision.
    pub(super) fn loaded(inventory: Inventory, revision: i64) -> Self {
        let held = inventory.zones.values().map(|zone| Room::of(zone)).fold(Room::EMPTY, |all, zone| Room {
            rows: all.rows + zone.rows,
            bytes: all.bytes + zone.bytes,
        });
        Self { inventory, revision: Some(revision), held, loaded: revision, ..Self::default() }
    }

    /// Facts as they were at an earlier instant. No count of the present may be used again for them.
    pub(crate) fn past(&self, inventory: Inventory) -> Self {
        Self { inventory, loaded: i64::MIN, labels: self.labels.clone(), ..Self::default() }
    }

    /// What they take. It is kept beside them, so that no upload counts all of them.
    pub(super) const fn held(&self) -> Room {
        self.held
    }

    /// The facts by the names of their zones instead of by labels. `known` keeps what was joined for the next time.
    pub fn named(self: &Arc<Self>, names: &ZoneNames, known: &JoinedZones) -> Arc<Self> {
        if names.is_empty() {
            known.lock().clear();
            return Arc::clone(self);
        }
        let mut joined = JoinedNow::new();
        let inventory = self.inventory.named(names, |name, parts| {
            let of = parts.iter().map(|(label, _)| ((*label).to_owned(), self.changed_at(label))).collect();
            let kept =
                known.lock().get(name).filter(|(known, _)| *known == of).map(|(_, zone)| Arc::clone(zone));
            let zone = kept.unwrap_or_else(|| Arc::new(Zone::of_labels(parts)));
            joined.insert(name.to_owned(), (of, Arc::clone(&zone)));
            zone
        });
        // Zones that are not joined any more are let go of.
        *known.lock() = joined;
        let (mut changed, mut of_zones) = (BTreeMap::new(), BTreeMap::new());
        for (name, labels) in self.inventory.labels(names) {
            let newest = labels.iter().map(|label| self.changed_at(label)).max();
            changed.insert(name.to_owned(), newest.unwrap_or(self.loaded));
            of_zones.insert(name.to_owned(), labels.into_iter().map(str::to_owned).collect());
        }
        let (revision, held, loaded) = (self.revision, self.held, self.loaded);
        Arc::new(Self { inventory, revision, held, changed, loaded, labels: of_zones })
    }

    /// The labels under which sensors upload to a zone; the zone's name comes first if it is one.
    pub fn labels(&self, zone: &str) -> Vec<String> {
        self.labels.get(zone).cloned().unwrap_or_else(|| vec![zone.to_owned()])
    }

    /// A revision since which the zone did not change.
    pub fn changed_at(&self, zone: &str) -> i64 {
        self.changed.get(zone).copied().unwrap_or(self.loaded)
    }
}

/// The facts of zones that have several labels, joined, with the revisions of the labels' facts. A subscription without such
/// zones keeps none.
#[derive(Debug, Default)]
pub struct JoinedZones(Mutex<JoinedNow>);

type JoinedNow = BTreeMap<String, (Vec<(String, i64)>, Arc<Zone>)>;

impl JoinedZones {
    fn lock(&self) -> MutexGuard<'_, JoinedNow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The couplings, stations and tunnels of a zone.
fn rows(zone: &Zone) -> usize {
    let mut tunnels = 0;
    zone.each_tunnel(&mut |_, _| tunnels += 1);
    zone.rows() + tunnels
}

impl Replica {
    /// The current snapshot.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a little of the current snapshot. Unlike [`Self::facts`], this never makes an upload copy a zone, but an upload
    /// waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The revision of the current snapshot.
    pub fn revision(&self) -> Option<i64> {
        self.read(|facts| facts.revision)
    }

    /// Makes `facts` the current snapshot.
    pub(super) fn replace(&self, facts: Facts) {
        // Dropping the former one may take long: not under the lock.
        let facts = Arc::new(facts);
        let former = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), facts);
        drop(former);
    }

    /// Changes zones, each by its own function, which returns by how many bytes the zone grew; the facts are at `revision`
    /// then. Nobody sees a part of the changes. Make one call at a time. Runs on a thread for long work, because it may have to copy the zones.
    pub(super) async fn change<F>(&self, revision: i64, zones: Vec<(String, F)>)
    where
        F: FnOnce(&mut Zone) -> isize + Send + 'static,
    {
        let replica = self.clone();
        let done = tokio::task::spawn_blocking(move || replica.change_now(revision, zones)).await;
        if let Err(error) = done {
            tracing::error!(%error, "facts could not be joined; they are loaded again");
            self.replace(Facts::default());
        }
    }

    fn change_now<F: FnOnce(&mut Zone) -> isize>(&self, revision: i64, zones: Vec<(String, F)>) {
        {
            let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(facts) = Arc::get_mut(&mut current) {
                let known = &mut facts.inventory.zones;
                if zones.iter().all(|(name, _)| known.get_mut(name).is_none_or(|z| Arc::get_mut(z).is_some()))
                {
                    facts.change(revision, zones);
                    return;
                }
            }
        }
        let mut next = Facts::clone(&self.facts());
        next.change(revision, zones);
        self.replace(next);
    }
}

impl Facts {
    /// Changes zones, each by its own function, which returns by how many bytes the zone grew; the facts are at `revision`
    /// then.
    pub(crate) fn change<F: FnOnce(&mut Zone) -> isize>(&mut self, revision: i64, zones: Vec<(String, F)>) {
        for (name, join) in zones {
            let zone = self.inventory.zone_mut(&name);
            let before = rows(zone);
            let grown = join(zone);
            self.held.rows = (self.held.rows + rows(zone)).saturating_sub(before);
            self.held.bytes = self.held.bytes.saturating_add_signed(grown);
            self.changed.insert(name, revision);
        }
        self.revision = Some(revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Timestamp;

    #[test]
    fn a_snapshot_stays_as_it_was_and_shares_the_zones_that_nobody_changed() {
        let replica = Replica::default();
        let seen = |at: i64| {
            move |zone: &mut Zone| {
                zone.segment.last_frame = Some(Timestamp(at));
                0
            }
        };
        replica.change_now(1, vec![("a".into(), seen(1))]);
        replica.change_now(2, vec![("b".into(), seen(2))]);
        let held = replica.facts();
        replica.change_now(3, vec![("a".into(), seen(3))]);
        let now = replica.facts();
        let last = |facts: &Facts, zone: &str| facts.inventory.zones[zone].segment.last_frame;
        assert_eq!((held.revision, now.revision), (Some(2), Some(3)));
        assert_eq!((last(&held, "a"), last(&now, "a")), (Some(Timestamp(1)), Some(Timestamp(3))));
        let shares = |zone: &str| Arc::ptr_eq(&held.inventory.zones[zone], &now.inventory.zones[zone]);
        assert!(shares("b") && !shares("a"));
    }

    #[test]
    fn a_zone_that_nobody_holds_is_changed_in_place() {
        let replica = Replica::default();
        let nothing = |_: &mut Zone| 0;
        replica.change_now(1, vec![("a".into(), nothing)]);
        let place = || Arc::as_ptr(&replica.facts().inventory.zones["a"]);
        let before = place();
        replica.change_now(2, vec![("b".into(), nothing), ("a".into(), nothing)]);
        assert_eq!(before, place());
    }
}
