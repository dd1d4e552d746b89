//! Rows: the couplings and stations that frames of one link or tunnel showed, each with what changed since the last delta.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use dashmap::mapref::one::RefMut;
use foldhash::fast::RandomState;

use super::table::Table;
use crate::census::address::is_public;
use crate::census::{
    Coupling, CouplingKey, EvidenceSet, Field, MacAddr, Segment, Sign, Signs, Station, Timestamp, Zone,
};
use crate::dissect::Tags;

/// What changed in a row since the last delta.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum News {
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

/// Concurrent maps of couplings and stations, and the segment with whether it changed.
#[derive(Debug, Default)]
pub(super) struct Rows {
    couplings: DashMap<CouplingKey, Box<Row<Coupling>>, RandomState>,
    stations: DashMap<MacAddr, Row<Station>, RandomState>,
    segment: Mutex<(Segment, bool)>,
}

/// Records facts in some rows of a table, within the table's limits.
#[derive(Clone, Copy)]
pub(super) struct Recorder<'t> {
    pub(super) table: &'t Table,
    pub(super) rows: &'t Rows,
    /// Whether they are a tunnel's: anybody can send its packets.
    pub(super) tunnelled: bool,
}

impl<'t> Recorder<'t> {
    /// Records a coupling that frames between `first` and `last` showed by `signs`.
    pub(super) fn sight(self, key: CouplingKey, first: Timestamp, last: Timestamp, signs: Signs, tags: Tags) {
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
    pub(super) fn coupling_said(self, key: CouplingKey, at: Timestamp, field: Field, value: &str) {
        self.coupling_said_all(key, at, &mut std::iter::once((field, value)));
    }

    /// Records evidence of a station.
    pub(super) fn station_said(self, mac: MacAddr, at: Timestamp, field: Field, value: &str) {
        self.station_said_all(mac, at, &mut std::iter::once((field, value)));
    }

    /// Records what one message said of its sender.
    pub(super) fn coupling_said_all<'v>(
        self,
        key: CouplingKey,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &'v str)>,
    ) {
        self.change(key, at, is_public(key.ip), |row| {
            if self.add_evidence(&mut row.facts.evidence, at, said) { News::Facts } else { News::Nothing }
        });
    }

    /// Records what one message of the MAC said of the host with the address, from which the message did not come (I2).
    pub(super) fn coupling_described<'v>(
        self,
        key: CouplingKey,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &'v str)>,
    ) {
        self.change(key, at, true, |row| {
            let seen = row.facts.sight(at, at, Sign::Described.into());
            let changed = self.add_evidence(&mut row.facts.evidence, at, said);
            if seen || changed { News::Facts } else { News::Nothing }
        });
    }

    /// Adds evidence; returns whether it changed anything.
    fn add_evidence<'v>(
        self,
        evidence: &mut EvidenceSet,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &'v str)>,
    ) -> bool {
        let (changed, dropped) = evidence.add_all(said, at, |value| self.table.share(value));
        self.table.given_up.fetch_add(dropped, Ordering::Relaxed);
        changed
    }

    fn change(
        self,
        key: CouplingKey,
        at: Timestamp,
        foreign: bool,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        self.change_as(key, at, foreign, News::Facts, change);
    }

    /// Changes a row; a new row starts with `new`.
    fn change_as(
        self,
        key: CouplingKey,
        at: Timestamp,
        foreign: bool,
        new: News,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        if let Some(mut row) = self.rows.couplings.get_mut(&key) {
            let news = change(&mut row);
            row.news = row.news.max(news);
            return;
        }
        let foreign = foreign || self.tunnelled;
        // At the limit, a flood costs one lookup.
        if !self.table.has_room(foreign) {
            self.table.refuse();
            return;
        }
        match self.rows.couplings.entry(key) {
            Entry::Occupied(mut row) => {
                let news = change(row.get_mut());
                row.get_mut().news = row.get().news.max(news);
            }
            Entry::Vacant(place) => {
                self.table.added(foreign);
                let mut row = Box::new(Row { facts: Coupling::new(at, Signs::default()), news: new });
                change(&mut row);
                place.insert(row);
            }
        }
    }

    /// Records what one message said of its station.
    pub(super) fn station_said_all<'v>(
        self,
        mac: MacAddr,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &'v str)>,
    ) {
        if !self.has_room_for(mac) {
            self.table.refuse();
            return;
        }
        let mut row = self.station(mac, at, News::Facts);
        let earlier = row.facts.sight(at);
        let changed = self.add_evidence(&mut row.facts.evidence, at, said);
        row.news = row.news.max(if earlier || changed { News::Facts } else { News::Seen });
    }

    /// The row of a station; a new one starts with `new`.
    fn station(self, mac: MacAddr, at: Timestamp, new: News) -> RefMut<'t, MacAddr, Row<Station>> {
        self.rows.stations.entry(mac).or_insert_with(|| {
            self.table.added_station(self.tunnelled);
            Row { facts: Station::new(at), news: new }
        })
    }

    fn has_room_for(self, mac: MacAddr) -> bool {
        let stations = &self.rows.stations;
        stations.contains_key(&mac) || self.table.has_room_for_station(stations.len(), self.tunnelled)
    }

    /// Changes the segment; `change` returns whether anything changed.
    pub(super) fn learn(self, change: impl FnOnce(&mut Segment) -> bool) {
        let mut segment = self.rows.segment();
        let changed = change(&mut segment.0);
        segment.1 |= changed;
    }

    /// Joins facts of an earlier run, except for those of tunnels. `pending` facts are part of the next delta.
    pub(super) fn restore(self, zone: Zone, pending: bool) {
        let news = if pending { News::Facts } else { News::Nothing };
        self.learn(|segment| segment.merge(&zone.segment) && pending);
        for (key, mut facts) in zone.couplings {
            facts.evidence.share(|value| self.table.share(value));
            let foreign = is_public(key.ip) && !facts.signs.any(Sign::PROOFS);
            self.change_as(key, facts.first_seen, foreign, news, |row| {
                row.facts.merge(&facts);
                news
            });
        }
        for (mac, mut facts) in zone.stations {
            facts.evidence.share(|value| self.table.share(value));
            if !self.has_room_for(mac) {
                self.table.refuse();
                continue;
            }
            let mut row = self.station(mac, facts.first_seen, News::Nothing);
            row.facts.merge(&facts);
            row.news = row.news.max(news);
        }
    }
}

impl Rows {
    /// The number of couplings.
    pub(super) fn len(&self) -> usize {
        self.couplings.len()
    }

    /// Takes what changed since the last call, up to `rows` couplings and stations. A coupling that was only seen again
    /// comes without its evidence.
    pub(super) fn take(&self, rows: usize) -> Zone {
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

    /// Makes the rows and the segment of a delta part of the next one.
    pub(super) fn requeue(&self, delta: &Zone) {
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
    pub(super) fn requeue_all(&self) {
        self.segment().1 = true;
        self.couplings.iter_mut().for_each(|mut row| row.news = News::Facts);
        self.stations.iter_mut().for_each(|mut row| row.news = News::Facts);
    }

    /// Passes everything to `each` in parts of at most `rows` couplings or stations, with whether the part waits for the
    /// next delta.
    ///
    /// # Errors
    /// The first error of `each`.
    pub(super) fn parts<E>(
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

    /// A copy of everything.
    pub(super) fn snapshot(&self) -> Zone {
        Zone {
            segment: self.segment().0.clone(),
            couplings: self.couplings.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
            stations: self.stations.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
            ..Zone::default()
        }
    }

    /// Everything, without a copy: rows move shard by shard, so that memory does not grow.
    pub(super) fn into_zone(self) -> Zone {
        let mut couplings = Vec::with_capacity(self.couplings.len());
        couplings.extend(self.couplings.into_iter().map(|(key, row)| (key, row.facts)));
        couplings.sort_unstable_by_key(|(key, _)| *key);
        Zone {
            segment: self.segment.into_inner().unwrap_or_else(PoisonError::into_inner).0,
            couplings: couplings.into_iter().collect(),
            stations: self.stations.into_iter().map(|(mac, row)| (mac, row.facts)).collect(),
            ..Zone::default()
        }
    }

    pub(super) fn segment(&self) -> MutexGuard<'_, (Segment, bool)> {
        // The segment is valid after a panic, too: each step of a join keeps it so.
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
