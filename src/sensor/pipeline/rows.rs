//! Rows: the couplings and stations that frames of one link or tunnel showed, each with what changed since the last delta.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use dashmap::mapref::one::RefMut;
use foldhash::fast::RandomState;

use super::budget::{Share, boxed, mapped};
use super::deeds::Deeds;
use super::freshness::{Due, Kin, Sent};
use super::table::Table;
use super::together::Sighting;
use crate::census::address::is_public;
use crate::census::{
    Coupling, CouplingKey, Evidence, EvidenceSet, Field, MacAddr, Segment, Sign, Signs, Station, Timestamp,
    Zone,
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
pub(super) struct Row<T> {
    pub(super) facts: T,
    news: News,
    sent: Sent,
}

impl Row<Coupling> {
    fn facts_seen(&mut self, sighting: &Sighting) -> News {
        let mut changed = self.facts.sight(sighting.first, sighting.last, sighting.signs);
        for vlan in sighting.tags.iter() {
            changed |= self.facts.tag(vlan);
        }
        if changed { News::Facts } else { News::Seen }
    }

    /// Adds a sighting of a known coupling.
    pub(super) fn see(&mut self, sighting: &Sighting) {
        let news = self.facts_seen(sighting);
        self.news = self.news.max(news);
    }
}

/// Estimates of the memory that rows and their evidence take.
const COUPLING_BYTES: usize =
    boxed(size_of::<Row<Coupling>>()) + mapped(size_of::<(CouplingKey, Box<Row<Coupling>>)>());
const STATION_BYTES: usize = mapped(size_of::<(MacAddr, Row<Station>)>());
const EVIDENCE_BYTES: usize = size_of::<Evidence>();
/// The head of a set of evidence that is not empty.
const EVIDENCE_HEAD: usize = boxed(16);

/// Concurrent maps of couplings and stations, and the segment with whether it changed.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) couplings: DashMap<CouplingKey, Box<Row<Coupling>>, RandomState>,
    stations: DashMap<MacAddr, Row<Station>, RandomState>,
    segment: Mutex<(Segment, bool)>,
    deeds: Mutex<Deeds>,
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
        let sighting = Sighting { key, first, last, signs, tags };
        self.change(key, first, signs, |row| row.facts_seen(&sighting));
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
    pub(super) fn coupling_said_all(
        self,
        key: CouplingKey,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &str)>,
    ) {
        self.change(key, at, Signs::default(), |row| {
            let share = self.share_of(key, row.facts.signs);
            if self.add_evidence(&mut row.facts.evidence, share, at, said) {
                News::Facts
            } else {
                News::Nothing
            }
        });
    }

    /// Records what one message of the MAC said of the host with the address, from which the message did not come (I2).
    pub(super) fn coupling_described(
        self,
        key: CouplingKey,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &str)>,
    ) {
        self.change(key, at, Sign::Described.into(), |row| {
            let before = row.facts.last_seen;
            let seen = row.facts.sight(at, at, Sign::Described.into());
            let share = self.share_of(key, row.facts.signs);
            if self.add_evidence(&mut row.facts.evidence, share, at, said) || seen {
                News::Facts
            } else if row.facts.last_seen != before {
                News::Seen
            } else {
                News::Nothing
            }
        });
    }

    /// How much of the room a coupling with these signs may use.
    fn share_of(self, key: CouplingKey, signs: Signs) -> Share {
        let strange = is_public(key.ip) && !signs.any(Sign::PROOFS);
        if self.tunnelled || strange || signs.is_only_by_others() { Share::Foreign } else { Share::of(signs) }
    }

    /// Adds evidence of a row with that share, if there is memory for it; returns whether it changed anything.
    fn add_evidence(
        self,
        set: &mut EvidenceSet,
        share: Share,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &str)>,
    ) -> bool {
        let (before, own) = (set.len(), Cell::new(0));
        let share_value = |text: &str| {
            let (text, bytes) = self.table.share(text);
            own.set(own.get() + bytes);
            text
        };
        let (changed, dropped) = if self.table.budget.allows(share.of_words()) {
            set.add_all(said, at, share_value)
        } else {
            let mut known = Vec::new();
            for (field, value) in said {
                if set.values(field).any(|v| v == value) {
                    known.push((field, value));
                } else {
                    self.table.budget.refuse();
                }
            }
            set.add_all(known.into_iter(), at, share_value)
        };
        self.take_evidence(before, set.len(), own.get());
        self.table.given_up.fetch_add(dropped, Ordering::Relaxed);
        changed
    }

    /// Counts the memory of evidence that grew from `before` to `after` values, with `own` bytes of values of its own.
    fn take_evidence(self, before: usize, after: usize, own: usize) {
        if after > before {
            let head = if before == 0 { EVIDENCE_HEAD } else { 0 };
            self.table.budget.take(head + (after - before) * EVIDENCE_BYTES + own);
        }
    }

    fn change(
        self,
        key: CouplingKey,
        at: Timestamp,
        signs: Signs,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        self.change_as(key, at, signs, News::Facts, change);
    }

    /// Changes a row, of which a frame shows `signs`; a new row starts with `new`.
    fn change_as(
        self,
        key: CouplingKey,
        at: Timestamp,
        signs: Signs,
        new: News,
        change: impl FnOnce(&mut Row<Coupling>) -> News,
    ) {
        if let Some(mut row) = self.rows.couplings.get_mut(&key) {
            let news = change(&mut row);
            row.news = row.news.max(news);
            return;
        }
        // At the limit, a flood costs two lookups.
        let share = self.share_of(key, signs);
        if !self.table.has_room(share) {
            let confirmed = share == Share::Unconfirmed
                && self.share_of(key, self.table.waiting.note(key, signs)) == Share::Confirmed
                && self.table.has_room(Share::Confirmed);
            if !confirmed {
                self.table.refuse();
                return;
            }
        }
        match self.rows.couplings.entry(key) {
            Entry::Occupied(mut row) => {
                let news = change(row.get_mut());
                row.get_mut().news = row.get().news.max(news);
            }
            Entry::Vacant(place) => {
                self.table.added(share, COUPLING_BYTES);
                let mut row = Box::new(Row {
                    facts: Coupling::new(at, Signs::default()),
                    news: new,
                    sent: Sent::default(),
                });
                change(&mut row);
                place.insert(row);
            }
        }
    }

    /// Records what one message said of its station.
    pub(super) fn station_said_all(
        self,
        mac: MacAddr,
        at: Timestamp,
        said: &mut dyn Iterator<Item = (Field, &str)>,
    ) {
        if !self.has_room_for(mac) {
            self.table.refuse();
            return;
        }
        let mut row = self.station(mac, at, News::Facts);
        let earlier = row.facts.sight(at);
        let share = if self.tunnelled { Share::Foreign } else { Share::Unconfirmed };
        let changed = self.add_evidence(&mut row.facts.evidence, share, at, said);
        row.news = row.news.max(if earlier || changed { News::Facts } else { News::Seen });
    }

    /// The row of a station; a new one starts with `new`.
    fn station(self, mac: MacAddr, at: Timestamp, new: News) -> RefMut<'t, MacAddr, Row<Station>> {
        self.rows.stations.entry(mac).or_insert_with(|| {
            self.table.added_station(self.tunnelled, STATION_BYTES);
            Row { facts: Station::new(at), news: new, sent: Sent::default() }
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

    /// As [`Self::learn`], for what a frame teaches: tunnels that nobody trusts share one bound.
    pub(super) fn learn_fact(self, change: impl FnOnce(&mut Segment) -> bool) {
        if !self.tunnelled {
            self.learn(change);
        } else if self.table.has_room_to_learn() {
            self.learn(|segment| {
                let changed = change(segment);
                self.table.learned(changed);
                changed
            });
        } else {
            self.table.leave_closed();
        }
    }

    /// Joins facts of an earlier run, except for those of tunnels. `pending` facts are part of the next delta.
    pub(super) fn restore(self, zone: Zone, pending: bool) {
        let news = if pending { News::Facts } else { News::Nothing };
        let sent = |last_seen| if pending { Sent::default() } else { Sent::of(last_seen) };
        self.learn(|segment| segment.merge(&zone.segment) && pending);
        let grown = self.rows.deeds().restore(zone.conduct, pending);
        self.table.budget.change(grown);
        for (key, mut facts) in zone.couplings {
            let share = self.share_of(key, facts.signs);
            self.change_as(key, facts.first_seen, facts.signs, news, |row| {
                let words = std::mem::take(&mut facts.evidence);
                row.facts.merge(&facts);
                self.restore_words(&mut row.facts.evidence, share, words);
                row.sent = sent(row.facts.last_seen);
                news
            });
        }
        for (mac, mut facts) in zone.stations {
            if !self.has_room_for(mac) {
                self.table.refuse();
                continue;
            }
            let mut row = self.station(mac, facts.first_seen, News::Nothing);
            let share = if self.tunnelled { Share::Foreign } else { Share::Unconfirmed };
            let words = std::mem::take(&mut facts.evidence);
            row.facts.merge(&facts);
            self.restore_words(&mut row.facts.evidence, share, words);
            row.sent = sent(row.facts.last_seen);
            row.news = row.news.max(news);
        }
    }

    /// Joins evidence of an earlier run, if there is memory for it.
    fn restore_words(self, set: &mut EvidenceSet, share: Share, mut words: EvidenceSet) {
        if words.is_empty() {
            return;
        }
        if !self.table.budget.allows(share.of_words()) {
            self.table.budget.refuse();
            return;
        }
        let own = Cell::new(0);
        words.share(|text| {
            let (text, bytes) = self.table.share(text);
            own.set(own.get() + bytes);
            text
        });
        let before = set.len();
        set.merge(&words);
        self.take_evidence(before, set.len(), own.get());
    }
}

impl Rows {
    /// The number of couplings.
    pub(super) fn len(&self) -> usize {
        self.couplings.len()
    }

    /// Takes what changed since the last call, up to `rows` couplings and stations; of what was only seen again, what is
    /// `due`, without its evidence. Without `due`, all of it.
    pub(super) fn take(&self, rows: usize, due: Option<&Due>) -> Zone {
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
            let facts = match row.news {
                News::Nothing => continue,
                News::Seen if due.is_some_and(|due| due.holds(key, &row.facts, row.sent)) => continue,
                News::Seen => row.facts.without_evidence(),
                News::Facts => row.facts.clone(),
            };
            (row.news, row.sent) = (News::Nothing, Sent::of(facts.last_seen));
            delta.couplings.insert(key, facts);
        }
        for mut row in self.stations.iter_mut() {
            if delta.couplings.len() + delta.stations.len() >= rows {
                return delta;
            }
            let facts = match row.news {
                News::Nothing => continue,
                News::Seen if due.is_some_and(|due| due.holds_station(&row.facts, row.sent)) => continue,
                News::Seen => row.facts.without_evidence(),
                News::Facts => row.facts.clone(),
            };
            (row.news, row.sent) = (News::Nothing, Sent::of(facts.last_seen));
            delta.stations.insert(*row.key(), facts);
        }
        delta.conduct = self.deeds().take(rows.saturating_sub(delta.couplings.len() + delta.stations.len()));
        delta
    }

    /// Tells of the events of all couplings.
    pub(super) fn note_events(&self, kin: &mut Kin) {
        self.couplings.iter().for_each(|row| kin.note(*row.key(), &row.facts));
    }

    /// Tells of what all couplings and stations said.
    pub(super) fn each_evidence(&self, each: &mut dyn FnMut(MacAddr, &EvidenceSet)) {
        self.couplings.iter().for_each(|row| each(row.key().mac, &row.facts.evidence));
        self.stations.iter().for_each(|row| each(*row.key(), &row.facts.evidence));
    }

    /// Makes the rows and the segment of a delta part of the next one.
    pub(super) fn requeue(&self, delta: &Zone) {
        if delta.segment != Segment::default() {
            self.segment().1 = true;
        }
        for (key, facts) in &delta.couplings {
            if let Some(mut row) = self.couplings.get_mut(key) {
                // What goes without evidence and VLAN ids was sent without them.
                let had = !facts.evidence.is_empty() || !facts.vlans().is_empty();
                row.news = row.news.max(if had { News::Facts } else { News::Seen });
                row.sent = Sent::default();
            }
        }
        for mac in delta.stations.keys() {
            if let Some(mut row) = self.stations.get_mut(mac) {
                row.news = News::Facts;
            }
        }
        self.deeds().requeue(&delta.conduct);
    }

    /// Makes everything part of the next delta.
    pub(super) fn requeue_all(&self) {
        self.segment().1 = true;
        self.couplings.iter_mut().for_each(|mut row| row.news = News::Facts);
        self.stations.iter_mut().for_each(|mut row| row.news = News::Facts);
        self.deeds().requeue_all();
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
        for is_pending in [true, false] {
            let conduct = self.deeds().part(is_pending);
            if !conduct.is_empty() {
                each(Zone { conduct, ..Zone::default() }, is_pending)?;
            }
        }
        Ok(())
    }

    /// A copy of everything.
    pub(super) fn snapshot(&self) -> Zone {
        Zone {
            segment: self.segment().0.clone(),
            couplings: self.couplings.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
            stations: self.stations.iter().map(|row| (*row.key(), row.facts.clone())).collect(),
            conduct: self.deeds().snapshot(),
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
            conduct: self.deeds.into_inner().unwrap_or_else(PoisonError::into_inner).into_conduct(),
            ..Zone::default()
        }
    }

    /// Whether the coupling is confirmed by more than what its own station can forge.
    pub(super) fn is_confirmed(&self, key: CouplingKey) -> bool {
        self.couplings.get(&key).is_some_and(|row| Share::of(row.facts.signs) == Share::Confirmed)
    }

    pub(super) fn deeds(&self) -> MutexGuard<'_, Deeds> {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn segment(&self) -> MutexGuard<'_, (Segment, bool)> {
        // The segment is valid after a panic, too: each step of a join keeps it so.
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
