//! The facts of a subscription in memory: immutable snapshots, of which one is current.
//!
//! A reader takes the current snapshot and holds no lock, however long it works on it. A writer changes the current
//! snapshot in place while nobody else holds it. Otherwise it copies the zone that it changes, once for each snapshot that
//! somebody holds, and outside the lock.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::census::{Inventory, Zone};

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
    /// The revision at which each zone changed last, as far as it was noted.
    changed: BTreeMap<String, i64>,
    /// The revision at which the facts were loaded.
    loaded: i64,
}

impl Facts {
    /// The facts of the database at a revision.
    pub(super) fn loaded(inventory: Inventory, revision: i64) -> Self {
        Self { inventory, revision: Some(revision), changed: BTreeMap::new(), loaded: revision }
    }

    /// A revision since which the zone did not change.
    pub fn changed_at(&self, zone: &str) -> i64 {
        self.changed.get(zone).copied().unwrap_or(self.loaded)
    }

    /// Changes a zone; the facts are at `revision` then.
    pub(crate) fn change(&mut self, zone: &str, revision: i64, join: impl FnOnce(&mut Zone)) {
        join(self.inventory.zone_mut(zone));
        self.note(zone, revision);
    }

    fn note(&mut self, zone: &str, revision: i64) {
        self.revision = Some(revision);
        match self.changed.get_mut(zone) {
            Some(known) => *known = revision,
            None => {
                self.changed.insert(zone.to_owned(), revision);
            }
        }
    }
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

    /// Changes a zone; the facts are at `revision` then. Make one call at a time. Runs on a thread for long work, because it
    /// may have to copy the zone.
    pub(super) async fn change(
        &self,
        zone: &str,
        revision: i64,
        join: impl FnOnce(&mut Zone) + Send + 'static,
    ) {
        let (replica, zone) = (self.clone(), zone.to_owned());
        let done = tokio::task::spawn_blocking(move || replica.change_now(&zone, revision, join)).await;
        if let Err(error) = done {
            tracing::error!(%error, "facts could not be joined; they are loaded again");
            self.replace(Facts::default());
        }
    }

    fn change_now(&self, zone: &str, revision: i64, join: impl FnOnce(&mut Zone)) {
        {
            let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(facts) = Arc::get_mut(&mut current)
                && let Some(known) = facts.inventory.zones.get_mut(zone).and_then(Arc::get_mut)
            {
                join(known);
                facts.note(zone, revision);
                return;
            }
        }
        let mut next = Facts::clone(&self.facts());
        next.change(zone, revision, join);
        self.replace(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Timestamp;

    #[test]
    fn a_snapshot_stays_as_it_was_and_shares_the_zones_that_nobody_changed() {
        let replica = Replica::default();
        let seen = |at: i64| move |zone: &mut Zone| zone.segment.last_frame = Some(Timestamp(at));
        replica.change_now("a", 1, seen(1));
        replica.change_now("b", 2, seen(2));
        let held = replica.facts();
        replica.change_now("a", 3, seen(3));
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
        replica.change_now("a", 1, |_| ());
        let place = || Arc::as_ptr(&replica.facts().inventory.zones["a"]);
        let before = place();
        replica.change_now("a", 2, |_| ());
        assert_eq!(before, place());
    }
}
