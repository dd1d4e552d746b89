//! The sensor's inventory of one zone, into which all workers merge.
//!
//! A concurrent map of couplings, one of stations, and the zone's segment. At its limit the table refuses new couplings
//! and counts them, and the census is a lower bound; it never evicts. Unproven public addresses are the Internet behind
//! a router: they get half of the room, so that they never keep a device out.
//!
//! A million couplings must fit a small appliance. Rows are boxed, because a hash map reserves up to twice as many slots
//! as it has rows, and equal values of evidence are stored once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::mapref::entry::Entry;
use dashmap::{DashMap, DashSet};
use foldhash::fast::RandomState;

use super::bounds::LimitHits;
use crate::census::address::is_public;
use crate::census::{Coupling, CouplingKey, Field, MacAddr, Segment, Sign, Signs, Station, Timestamp, Zone};
use crate::dissect::Tags;

/// Maximum number of distinct values stored once; further ones are stored in each row.
const SHARED_VALUES: usize = 65_536;

/// What changed in a row since the last delta.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum News {
    Nothing,
    /// Seen again, without other changes.
    Seen,
    Facts,
}

#[derive(Debug)]
struct Row<T> {
    facts: T,
    news: News,
}

/// The inventory of one zone. Hash seeds are random for each process, because the keys come from the network.
#[derive(Debug)]
pub struct Table {
    couplings: DashMap<CouplingKey, Box<Row<Coupling>>, RandomState>,
    stations: DashMap<MacAddr, Row<Station>, RandomState>,
    segment: Mutex<(Segment, bool)>,
    values: DashSet<Arc<str>, RandomState>,
    shared: AtomicUsize,
    limit: usize,
    held: AtomicUsize,
    /// How many of these are unproven public addresses.
    foreign: AtomicUsize,
    refused: AtomicU64,
    /// Values dropped from full sets of evidence.
    given_up: AtomicU64,
}

impl Table {
    /// An empty table for at most `limit` couplings and as many stations.
    pub fn new(limit: usize) -> Self {
        Self {
            couplings: DashMap::with_hasher(RandomState::default()),
            stations: DashMap::with_hasher(RandomState::default()),
            segment: Mutex::default(),
            values: DashSet::with_hasher(RandomState::default()),
            shared: AtomicUsize::new(0),
            limit,
            held: AtomicUsize::new(0),
            foreign: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// The number of couplings.
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether the table has no couplings.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many sightings were refused at the limit.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Hits of the table's limits. Workers count those of fragments.
    pub fn limit_hits(&self) -> LimitHits {
        LimitHits {
            couplings: self.refused(),
            evidence: self.given_up.load(Ordering::Relaxed),
            fragments: 0,
            learned: self.segment().0.is_full(),
        }
    }

    /// Records a coupling that frames between `first` and `last` showed by `signs`.
    pub fn sight(&self, key: CouplingKey, first: Timestamp, last: Timestamp, signs: Signs, tags: Tags) {
        let foreign = is_public(key.ip) && !signs.any(Sign::PROOFS);
        self.change(key, first, foreign, |row| {
            let mut changed = row.facts.sight(first, last, signs);
            for vlan in tags.iter() {
                changed |= row.facts.tag(vlan);
            }
            if changed { News::Facts } else { News::Seen }
        });
    }

    /// Records evidence of a coupling.
    pub fn coupling_said(&self, key: CouplingKey, at: Timestamp, field: Field, value: &str) {
        self.change(key, at, is_public(key.ip), |row| {
            let added = row.facts.evidence.add_shared(field, value, at, |v| self.share(v));
            self.given_up.fetch_add(added.full.into(), Ordering::Relaxed);
            if added.changed { News::Facts } else { News::Nothing }
        });
    }

    /// Records what a message of the MAC said of the host with the address, from which the message did not come (I2).
    pub fn coupling_described(&self, key: CouplingKey, at: Timestamp, field: Field, value: &str) {
        self.change(key, at, true, |row| {
            let seen = row.facts.sight(at, at, Sign::Described.into());
            let added = row.facts.evidence.add_shared(field, value, at, |v| self.share(v));
            self.given_up.fetch_add(added.full.into(), Ordering::Relaxed);
            if seen || added.changed { News::Facts } else { News::Nothing }
        });
    }

    fn change(
        &self,
        key: CouplingKey,
        at: Timestamp,
        foreign: bool,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        self.change_as(key, at, foreign, News::Facts, change);
    }

    /// Changes a row; a new row starts with `new`.
    fn change_as(
        &self,
        key: CouplingKey,
        at: Timestamp,
        foreign: bool,
        new: News,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        if let Some(mut row) = self.couplings.get_mut(&key) {
            let news = change(&mut row);
            row.news = row.news.max(news);
            return;
        }
        // At the limit, a flood costs one lookup.
        if !self.has_room(foreign) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.couplings.entry(key) {
            Entry::Occupied(mut row) => {
                let news = change(row.get_mut());
                row.get_mut().news = row.get().news.max(news);
            }
            Entry::Vacant(place) => {
                self.held.fetch_add(1, Ordering::Relaxed);
                self.foreign.fetch_add(usize::from(foreign), Ordering::Relaxed);
                let mut row = Box::new(Row { facts: Coupling::new(at, Signs::default()), news: new });
                change(&mut row);
                place.insert(row);
            }
        }
    }

    fn has_room(&self, foreign: bool) -> bool {
        self.held.load(Ordering::Relaxed) < self.limit
            && (!foreign || self.foreign.load(Ordering::Relaxed) < self.limit / 2)
    }

    /// The shared copy of a value.
    fn share(&self, value: &str) -> Arc<str> {
        if let Some(known) = self.values.get(value) {
            return Arc::clone(known.key());
        }
        let new: Arc<str> = value.into();
        if self.shared.load(Ordering::Relaxed) < SHARED_VALUES && self.values.insert(Arc::clone(&new)) {
            self.shared.fetch_add(1, Ordering::Relaxed);
        }
        new
    }

    /// Records evidence of a station.
    pub fn station_said(&self, mac: MacAddr, at: Timestamp, field: Field, value: &str) {
        if !self.stations.contains_key(&mac) && self.stations.len() >= self.limit {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut row =
            self.stations.entry(mac).or_insert_with(|| Row { facts: Station::new(at), news: News::Facts });
        let earlier = row.facts.sight(at);
        let added = row.facts.evidence.add_shared(field, value, at, |v| self.share(v));
        self.given_up.fetch_add(added.full.into(), Ordering::Relaxed);
        row.news = row.news.max(if earlier || added.changed { News::Facts } else { News::Seen });
    }

    /// Changes the segment; `change` returns whether anything changed.
    pub fn learn(&self, change: impl FnOnce(&mut Segment) -> bool) {
        let mut segment = self.segment();
        let changed = change(&mut segment.0);
        segment.1 |= changed;
    }

    /// Takes what changed since the last call. A coupling that was only seen again comes without its evidence.
    pub fn take_delta(&self) -> Zone {
        self.take_some(usize::MAX)
    }

    /// As [`Self::take_delta`], but at most `rows` couplings and stations: a million at once would need much memory.
    pub(crate) fn take_some(&self, rows: usize) -> Zone {
        let mut delta = Zone::default();
        {
            let mut segment = self.segment();
            if std::mem::take(&mut segment.1) {
                delta.segment = segment.0.clone();
            }
        }
        for mut row in self.couplings.iter_mut() {
            if delta.couplings.len() >= rows {
                return delta;
            }
            let key = *row.key();
            match std::mem::replace(&mut row.news, News::Nothing) {
                News::Nothing => continue,
                News::Facts => delta.couplings.insert(key, row.facts.clone()),
                News::Seen => delta.couplings.insert(key, row.facts.without_evidence()),
            };
        }
        for mut row in self.stations.iter_mut() {
            if delta.couplings.len() + delta.stations.len() >= rows {
                return delta;
            }
            if std::mem::replace(&mut row.news, News::Nothing) > News::Nothing {
                delta.stations.insert(*row.key(), row.facts.clone());
            }
        }
        delta
    }

    /// Makes a delta that could not be delivered part of the next one.
    pub(crate) fn requeue(&self, delta: &Zone) {
        if delta.segment != Segment::default() {
            self.segment().1 = true;
        }
        for key in delta.couplings.keys() {
            if let Some(mut row) = self.couplings.get_mut(key) {
                row.news = News::Facts;
            }
        }
        for mac in delta.stations.keys() {
            if let Some(mut row) = self.stations.get_mut(mac) {
                row.news = News::Facts;
            }
        }
    }

    /// Makes everything part of the next delta.
    pub(crate) fn requeue_all(&self) {
        self.segment().1 = true;
        self.couplings.iter_mut().for_each(|mut row| row.news = News::Facts);
        self.stations.iter_mut().for_each(|mut row| row.news = News::Facts);
    }

    /// Joins facts of an earlier run; returns whether all found room. `pending` facts are part of the next delta.
    pub(crate) fn restore(&self, zone: Zone, pending: bool) -> bool {
        let (news, before) = (if pending { News::Facts } else { News::Nothing }, self.refused());
        self.learn(|segment| segment.merge(&zone.segment) && pending);
        for (key, mut facts) in zone.couplings {
            facts.evidence.share(|value| self.share(value));
            let foreign = is_public(key.ip) && !facts.signs.any(Sign::PROOFS);
            self.change_as(key, facts.first_seen, foreign, news, |row| {
                row.facts.merge(&facts);
                news
            });
        }
        for (mac, mut facts) in zone.stations {
            facts.evidence.share(|value| self.share(value));
            if !self.stations.contains_key(&mac) && self.stations.len() >= self.limit {
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let mut row = self
                .stations
                .entry(mac)
                .or_insert_with(|| Row { facts: Station::new(facts.first_seen), news: News::Nothing });
            row.facts.merge(&facts);
            row.news = row.news.max(news);
        }
        self.refused() == before
    }

    /// Passes the table to `each` in parts of at most `rows` couplings or stations, with whether the part waits for the
    /// next delta. Other threads may merge meanwhile; each row is consistent.
    ///
    /// # Errors
    /// The first error of `each`.
    pub(crate) fn parts<E>(
        &self,
        rows: usize,
        each: &mut dyn FnMut(Zone, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let (segment, changed) = self.segment().clone();
        each(Zone { segment, ..Zone::default() }, changed)?;
        // Hold no lock while `each` runs.
        let keys: Vec<CouplingKey> = self.couplings.iter().map(|row| *row.key()).collect();
        for keys in keys.chunks(rows) {
            let (mut settled, mut pending) = (Zone::default(), Zone::default());
            for key in keys {
                let Some(row) = self.couplings.get(key) else { continue };
                let part = if row.news == News::Nothing { &mut settled } else { &mut pending };
                part.couplings.insert(*key, row.facts.clone());
            }
            if !pending.is_empty() {
                each(pending, true)?;
            }
            each(settled, false)?;
        }
        let macs: Vec<MacAddr> = self.stations.iter().map(|row| *row.key()).collect();
        for macs in macs.chunks(rows) {
            let (mut settled, mut pending) = (Zone::default(), Zone::default());
            for mac in macs {
                let Some(row) = self.stations.get(mac) else { continue };
                let part = if row.news == News::Nothing { &mut settled } else { &mut pending };
                part.stations.insert(*mac, row.facts.clone());
            }
            if !pending.is_empty() {
                each(pending, true)?;
            }
            each(settled, false)?;
        }
        Ok(())
    }

    /// A copy of the whole table.
    pub fn snapshot(&self) -> Zone {
        Zone {
            segment: self.segment().0.clone(),
            couplings: self.couplings.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
            stations: self.stations.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
        }
    }

    /// The whole table, without a copy: rows move shard by shard, so that memory does not grow.
    pub fn into_zone(self) -> Zone {
        let mut couplings = Vec::with_capacity(self.couplings.len());
        couplings.extend(self.couplings.into_iter().map(|(key, row)| (key, row.facts)));
        couplings.sort_unstable_by_key(|(key, _)| *key);
        Zone {
            segment: self.segment.into_inner().unwrap_or_else(PoisonError::into_inner).0,
            couplings: couplings.into_iter().collect(),
            stations: self.stations.into_iter().map(|(mac, row)| (mac, row.facts)).collect(),
        }
    }

    fn segment(&self) -> MutexGuard<'_, (Segment, bool)> {
        // The segment is valid after a panic, too: each step of a join keeps it so.
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> CouplingKey {
        CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n].into() }
    }

    #[test]
    fn a_delta_holds_what_changed_once_and_evidence_only_when_it_is_new() {
        let table = Table::new(10);
        table.sight(key(1), Timestamp(5), Timestamp(5), Sign::ArpAsked.into(), Tags::default());
        table.coupling_said(key(1), Timestamp(5), Field::HttpServer, "x");
        let first = table.take_delta();
        assert_eq!(first.couplings[&key(1)].evidence.len(), 1);
        assert!(table.take_delta().is_empty());
        table.sight(key(1), Timestamp(9), Timestamp(9), Sign::ArpAsked.into(), Tags::default());
        let second = table.take_delta();
        assert!(second.couplings[&key(1)].evidence.is_empty());
        let mut merged = first;
        merged.merge(&second);
        assert_eq!(merged, table.snapshot());
    }

    #[test]
    fn a_requeued_delta_comes_again_with_all_its_facts() {
        let table = Table::new(10);
        table.coupling_said(key(1), Timestamp(5), Field::HttpServer, "x");
        table.station_said(key(2).mac, Timestamp(6), Field::StpBridge, "sender");
        let delta = table.take_delta();
        table.requeue(&delta);
        assert_eq!(table.take_delta(), delta);
    }

    #[test]
    fn a_delta_of_some_rows_leaves_the_others_for_the_next() {
        let table = Table::new(10);
        for n in 1..=3 {
            table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
            table.station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
        }
        let mut merged = Zone::default();
        for rows in [2, 2, 2, 0] {
            let delta = table.take_some(2);
            assert_eq!(delta.couplings.len() + delta.stations.len(), rows);
            merged.merge(&delta);
        }
        assert_eq!(merged, table.snapshot());
        table.requeue_all();
        assert_eq!(table.take_delta(), merged);
    }

    #[test]
    fn parts_bring_everything_to_another_table_with_what_was_not_taken_yet() {
        let table = Table::new(10);
        for n in 1..=4 {
            if n == 4 {
                table.take_delta();
            }
            table.coupling_said(key(n), Timestamp(5), Field::HttpServer, "x");
            table.station_said(key(n).mac, Timestamp(6), Field::StpBridge, "sender");
        }
        let restored = Table::new(10);
        table
            .parts::<()>(3, &mut |zone, pending| {
                assert!(zone.couplings.len().max(zone.stations.len()) <= 3);
                assert!(restored.restore(zone, pending));
                Ok(())
            })
            .unwrap();
        assert_eq!(restored.snapshot(), table.snapshot());
        assert_eq!(restored.take_delta(), table.take_delta());
        let small = Table::new(2);
        assert!(!small.restore(table.snapshot(), false));
        assert_eq!(small.len(), 2);
    }

    #[test]
    fn at_the_limit_newcomers_are_refused_and_counted_and_the_known_stay() {
        let table = Table::new(2);
        for n in 1..=4 {
            table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
        }
        table.sight(key(1), Timestamp(7), Timestamp(7), Sign::ArpAsked.into(), Tags::default());
        assert_eq!((table.len(), table.refused()), (2, 2));
        assert!(table.limit_hits().couplings > 0);
        assert_eq!(table.snapshot().couplings[&key(1)].last_seen, Timestamp(7));
    }

    #[test]
    fn the_internet_behind_a_router_never_keeps_a_device_out() {
        let table = Table::new(10);
        let far = |n: u8| CouplingKey { mac: key(1).mac, ip: [8, 8, 8, n].into() };
        for n in 0..20 {
            table.sight(far(n), Timestamp(1), Timestamp(1), Sign::Near.into(), Tags::default());
        }
        assert_eq!((table.len(), table.refused()), (5, 15));
        table.sight(far(99), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
        for n in 1..=4 {
            table.sight(key(n), Timestamp(1), Timestamp(1), Sign::ArpAsked.into(), Tags::default());
        }
        assert_eq!((table.len(), table.refused()), (10, 15));
    }
}
