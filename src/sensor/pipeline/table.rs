//! The sensor's inventory of one zone, into which all workers merge.
//!
//! `Rows` of what the link itself showed, and of what each tunnel carried (I13). At its limit the table refuses new
//! couplings and counts them, and the census is a lower bound; it never evicts. Unproven public addresses are the
//! Internet behind a router, and anybody can send a tunnel's packets: together they get half of the room, so that they
//! never keep a device out. `Share` says who gets how much, of the number of couplings and of the memory.
//!
//! A million couplings must fit a small appliance. Rows are boxed, because a hash map reserves up to twice as many slots
//! as it has rows, and equal values of evidence are stored once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dashmap::DashSet;
use foldhash::fast::RandomState;

use super::bounds::LimitHits;
use super::budget::{Budget, Share, Waiting, mapped, value as value_bytes};
use super::freshness::{Due, Freshness, Kin};
use super::rows::{Recorder, Rows};
use crate::census::address::is_public;
use crate::census::{
    CouplingKey, Field, MacAddr, Prefix, Segment, Signs, Timestamp, Tunnel, TunnelKey, TunnelMarks, Zone,
};
use crate::dissect::Tags;
use crate::security::Indicators;

/// Maximum number of distinct values stored once; further ones are stored in each row.
const SHARED_VALUES: usize = 65_536;
/// Maximum number of tunnels that the configuration does not name. Those from public addresses get half of the room.
const TUNNELS: usize = 256;
/// Maximum number of tunnels that the configuration names.
const CONFIGURED_TUNNELS: usize = 1_024;

/// Maximum number of prefixes, routers and half ARP exchanges that tunnels which nobody trusts teach, all together.
const TAUGHT: usize = 65_536;

/// The inventory of one zone. Hash seeds are random for each process, because the keys come from the network.
#[derive(Debug)]
pub struct Table {
    link: Rows,
    tunnels: RwLock<Tunnels>,
    /// Sources of tunnels that are trusted: `capture.tunnels`.
    trusted: RwLock<BTreeSet<Prefix>>,
    /// What is known to be malicious.
    indicators: RwLock<Arc<Indicators>>,
    values: DashSet<Arc<str>, RandomState>,
    shared: AtomicUsize,
    limit: usize,
    pub(super) budget: Budget,
    pub(super) waiting: Waiting,
    held: AtomicUsize,
    /// How many of these may have only half of the room.
    foreign: AtomicUsize,
    /// Stations in tunnels that nobody trusts.
    tunnelled: AtomicUsize,
    /// What such tunnels taught.
    taught: AtomicUsize,
    refused: AtomicU64,
    /// Frames in tunnels for which there was no room.
    unopened: AtomicU64,
    /// Values dropped from full sets of evidence.
    pub(super) given_up: AtomicU64,
}

/// What the tunnels carried.
#[derive(Debug, Default)]
struct Tunnels {
    /// By their paths: the tunnels around them and themselves, the outermost first.
    rows: BTreeMap<Vec<TunnelKey>, Arc<TunnelRows>>,
    /// How many were configured when they were added, and how many others come from public addresses.
    configured: usize,
    public: usize,
}

impl Tunnels {
    /// Adds a tunnel if there is room.
    fn add(&mut self, path: &[TunnelKey], configured: bool) -> Option<Arc<TunnelRows>> {
        if let Some(known) = self.rows.get(path) {
            return Some(Arc::clone(known));
        }
        let public = !configured && is_public(path.last()?.ip);
        let has_room = if configured {
            self.configured < CONFIGURED_TUNNELS
        } else {
            self.rows.len() - self.configured < TUNNELS && (!public || self.public < TUNNELS / 2)
        };
        if !has_room {
            return None;
        }
        self.configured += usize::from(configured);
        self.public += usize::from(public);
        let tunnel = Arc::new(TunnelRows::default());
        tunnel.mark(TunnelMarks { configured, ..TunnelMarks::default() });
        self.rows.insert(path.to_vec(), Arc::clone(&tunnel));
        Some(tunnel)
    }
}

/// What one tunnel carried.
#[derive(Debug, Default)]
pub(crate) struct TunnelRows {
    rows: Rows,
    /// With whether they changed since the last delta.
    marks: Mutex<(TunnelMarks, bool)>,
}

impl TunnelRows {
    /// Adds marks.
    pub(super) fn mark(&self, marks: TunnelMarks) {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        known.1 |= known.0.merge(marks);
    }

    /// Adds marks of an earlier run; `pending` ones are part of the next delta.
    fn restore(&self, marks: TunnelMarks, pending: bool) {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.merge(marks);
        known.1 |= pending;
    }

    /// Makes everything part of the next delta.
    fn requeue_all(&self) {
        self.rows.requeue_all();
        self.restore(TunnelMarks::default(), true);
    }

    fn marks(&self) -> (TunnelMarks, bool) {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what changed, up to `rows` couplings and stations; `None` if nothing did. See [`Rows::take`].
    fn take(&self, rows: usize, due: Option<&Due>) -> Option<Tunnel> {
        let facts = self.rows.take(rows, due);
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let marked = std::mem::take(&mut marks.1);
        (marked || !facts.is_empty()).then_some(Tunnel { marks: marks.0, facts })
    }
}

impl Table {
    /// An empty table for at most `limit` couplings and as many stations.
    pub fn new(limit: usize) -> Self {
        Self::with_memory(limit, usize::MAX)
    }

    /// An empty table that takes about `memory` bytes at most.
    pub fn with_memory(limit: usize, memory: usize) -> Self {
        Self {
            budget: Budget::new(memory),
            waiting: Waiting::default(),
            link: Rows::default(),
            tunnels: RwLock::default(),
            trusted: RwLock::default(),
            indicators: RwLock::default(),
            values: DashSet::with_hasher(RandomState::default()),
            shared: AtomicUsize::new(0),
            limit,
            held: AtomicUsize::new(0),
            foreign: AtomicUsize::new(0),
            tunnelled: AtomicUsize::new(0),
            taught: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            unopened: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// Trusts the tunnels from `sources`, those that are known too. Those that were trusted before stay so.
    pub fn trust(&self, sources: BTreeSet<Prefix>) {
        let is_trusted = |ip: IpAddr| sources.iter().any(|prefix| prefix.contains(ip));
        for (path, tunnel) in self.tunnels() {
            if path.last().is_some_and(|key| is_trusted(key.ip)) {
                tunnel.mark(TunnelMarks { configured: true, ..TunnelMarks::default() });
            }
        }
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = sources;
    }

    /// Compares from now on what stations open and ask for with these.
    pub fn watch_for(&self, indicators: Indicators) {
        *self.indicators.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(indicators);
    }

    /// What is watched for now.
    pub(crate) fn indicators(&self) -> Arc<Indicators> {
        Arc::clone(&self.indicators.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted.read().unwrap_or_else(PoisonError::into_inner).iter().any(|prefix| prefix.contains(ip))
    }

    /// The number of couplings that the link itself showed.
    pub fn len(&self) -> usize {
        self.link.len()
    }

    /// The number of couplings, those in tunnels included.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether the table has no couplings.
    pub fn is_empty(&self) -> bool {
        self.held() == 0
    }

    /// How many sightings were refused at the limit, how many frames in tunnels, and how many for want of memory.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.unopened.load(Ordering::Relaxed) + self.budget.refused()
    }

    /// Hits of the table's limits. Workers count those of fragments.
    pub fn limit_hits(&self) -> LimitHits {
        LimitHits {
            couplings: self.refused.load(Ordering::Relaxed),
            tunnels: self.unopened.load(Ordering::Relaxed),
            memory: self.budget.refused(),
            evidence: self.given_up.load(Ordering::Relaxed),
            learned: self.link.segment().0.is_full(),
            deeds: self.link.deeds().refused(),
            ..LimitHits::default()
        }
    }

    /// Records what the link itself showed.
    pub(super) fn on_link(&self) -> Recorder<'_> {
        Recorder { table: self, rows: &self.link, tunnelled: false }
    }

    /// Records what a tunnel carried. One that nobody trusts gets at most half of the room.
    pub(super) fn in_tunnel<'t>(&'t self, tunnel: &'t TunnelRows) -> Recorder<'t> {
        Recorder { table: self, rows: &tunnel.rows, tunnelled: !tunnel.marks().0.is_trusted() }
    }

    /// The rows of a tunnel, which is added if there is room.
    pub(crate) fn tunnel(&self, path: &[TunnelKey]) -> Option<Arc<TunnelRows>> {
        let known =
            self.tunnels.read().unwrap_or_else(PoisonError::into_inner).rows.get(path).map(Arc::clone);
        if known.is_some() {
            return known;
        }
        let configured = self.is_trusted(path.last()?.ip);
        self.tunnels.write().unwrap_or_else(PoisonError::into_inner).add(path, configured)
    }

    /// Counts a frame in a tunnel for which there is no room.
    pub(super) fn leave_closed(&self) {
        self.unopened.fetch_add(1, Ordering::Relaxed);
    }

    /// The tunnels, outer ones before those that they carry.
    fn tunnels(&self) -> Vec<(Vec<TunnelKey>, Arc<TunnelRows>)> {
        let tunnels = self.tunnels.read().unwrap_or_else(PoisonError::into_inner);
        tunnels.rows.iter().map(|(path, tunnel)| (path.clone(), Arc::clone(tunnel))).collect()
    }

    /// Records a coupling that frames between `first` and `last` showed by `signs`.
    pub fn sight(&self, key: CouplingKey, first: Timestamp, last: Timestamp, signs: Signs, tags: Tags) {
        self.on_link().sight(key, first, last, signs, tags);
    }

    /// Records evidence of a coupling.
    pub fn coupling_said(&self, key: CouplingKey, at: Timestamp, field: Field, value: &str) {
        self.on_link().coupling_said(key, at, field, value);
    }

    /// Records evidence of a station.
    pub fn station_said(&self, mac: MacAddr, at: Timestamp, field: Field, value: &str) {
        self.on_link().station_said(mac, at, field, value);
    }

    /// Changes the segment; `change` returns whether anything changed.
    pub fn learn(&self, change: impl FnOnce(&mut Segment) -> bool) {
        self.on_link().learn(change);
    }

    /// The bytes in use, by estimate.
    pub fn memory(&self) -> usize {
        self.budget.used()
    }

    /// Whether there is room for another coupling of that share.
    pub(super) fn has_room(&self, share: Share) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        let foreign = self.foreign.load(Ordering::Relaxed);
        self.budget.allows(share)
            && held < share.max(Share::Unconfirmed).couplings(self.limit)
            && (share != Share::Foreign || foreign < share.couplings(self.limit))
    }

    /// Whether there is room for another station beside `held` ones; those in tunnels get half of the room.
    pub(super) fn has_room_for_station(&self, held: usize, tunnelled: bool) -> bool {
        let share = if tunnelled { Share::Foreign } else { Share::Unconfirmed };
        self.budget.allows(share)
            && held < self.limit
            && (!tunnelled || self.tunnelled.load(Ordering::Relaxed) < self.limit / 2)
    }

    /// Counts a station that was added.
    pub(super) fn added_station(&self, tunnelled: bool, bytes: usize) {
        self.budget.take(bytes);
        self.tunnelled.fetch_add(tunnelled.into(), Ordering::Relaxed);
    }

    /// Whether tunnels that nobody trusts may teach another prefix, router or half ARP exchange.
    pub(super) fn has_room_to_learn(&self) -> bool {
        self.taught.load(Ordering::Relaxed) < TAUGHT
    }

    pub(super) fn learned(&self, changed: bool) {
        self.taught.fetch_add(changed.into(), Ordering::Relaxed);
    }

    /// Counts a coupling that was added.
    pub(super) fn added(&self, share: Share, bytes: usize) {
        self.budget.take(bytes);
        self.held.fetch_add(1, Ordering::Relaxed);
        self.foreign.fetch_add((share == Share::Foreign).into(), Ordering::Relaxed);
    }

    /// Counts a sighting that found no room: of memory if that is scarce, else of couplings.
    pub(super) fn refuse(&self) {
        if self.budget.allows(Share::Foreign) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        } else {
            self.budget.refuse();
        }
    }

    /// The shared copy of a value, or one of its own and the bytes that this takes.
    pub(super) fn share(&self, value: &str) -> (Arc<str>, usize) {
        if let Some(known) = self.values.get(value) {
            return (Arc::clone(known.key()), 0);
        }
        let new: Arc<str> = value.into();
        let bytes = value_bytes(value.len());
        if self.shared.load(Ordering::Relaxed) < SHARED_VALUES && self.values.insert(Arc::clone(&new)) {
            self.shared.fetch_add(1, Ordering::Relaxed);
            self.budget.take(bytes + mapped(size_of::<Arc<str>>()));
            return (new, 0);
        }
        (new, bytes)
    }

    /// Takes what changed since the last call. A coupling that was only seen again comes without its evidence.
    pub fn take_delta(&self) -> Zone {
        self.take_some(usize::MAX, None)
    }

    /// Which sightings wait; `None` if none do.
    pub(super) fn due(&self, freshness: Freshness) -> Option<Due> {
        let newest = self.link.segment().0.last_frame.filter(|_| freshness.waits())?;
        let mut kin = Kin::new(freshness.since(newest));
        let tunnels = self.tunnels();
        let all = || std::iter::once(&self.link).chain(tunnels.iter().map(|(_, tunnel)| &tunnel.rows));
        all().for_each(|rows| rows.note_events(&mut kin));
        if kin.noted() {
            all().for_each(|rows| rows.each_evidence(&mut |mac, said| kin.learn(mac, said)));
            all().for_each(|rows| rows.each_evidence(&mut |mac, said| kin.find(mac, said)));
        }
        Some(Due::new(freshness, newest, kin))
    }

    /// As [`Self::take_delta`], but at most `rows` couplings and stations: a million at once would need much memory. Of
    /// sightings, those that are `due`.
    pub(super) fn take_some(&self, rows: usize, due: Option<&Due>) -> Zone {
        let mut delta = self.link.take(rows, due);
        let mut left = rows.saturating_sub(delta.rows() + delta.conduct.0.len());
        for (path, tunnel) in self.tunnels() {
            if left == 0 {
                break;
            }
            if let Some(taken) = tunnel.take(left, due) {
                left = left.saturating_sub(taken.facts.rows() + taken.facts.conduct.0.len());
                put(&mut delta, &path, taken);
            }
        }
        delta
    }

    /// Makes a delta that could not be delivered part of the next one.
    pub(crate) fn requeue(&self, delta: &Zone) {
        self.link.requeue(delta);
        delta.each_tunnel(&mut |path, tunnel| {
            if let Some(known) = self.tunnel(path) {
                known.rows.requeue(&tunnel.facts);
                known.restore(TunnelMarks::default(), true);
            }
        });
    }

    /// Makes everything part of the next delta.
    pub(crate) fn requeue_all(&self) {
        self.link.requeue_all();
        for (_, tunnel) in self.tunnels() {
            tunnel.requeue_all();
        }
    }

    /// Joins facts of an earlier run; returns whether all found room. `pending` facts are part of the next delta.
    pub(crate) fn restore(&self, zone: Zone, pending: bool) -> bool {
        let before = self.refused();
        self.restore_in(zone, &mut Vec::new(), None, pending);
        self.refused() == before
    }

    fn restore_in(&self, zone: Zone, path: &mut Vec<TunnelKey>, tunnel: Option<&TunnelRows>, pending: bool) {
        let Zone { segment, couplings, stations, tunnels, conduct, .. } = zone;
        let recorder = tunnel.map_or_else(|| self.on_link(), |tunnel| self.in_tunnel(tunnel));
        recorder.restore(Zone { segment, couplings, stations, conduct, ..Zone::default() }, pending);
        for (key, inner) in tunnels {
            path.push(key);
            if let Some(known) = self.tunnel(path) {
                known.restore(inner.marks, pending);
                self.restore_in(inner.facts, path, Some(&known), pending);
            } else {
                self.leave_closed();
            }
            path.pop();
        }
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
        self.link.parts(rows, each)?;
        for (path, tunnel) in self.tunnels() {
            let marks = tunnel.marks();
            let mut wrapped = |facts: Zone, pending: bool| {
                let mut zone = Zone::default();
                put(&mut zone, &path, Tunnel { marks: marks.0, facts });
                each(zone, pending)
            };
            wrapped(Zone::default(), marks.1)?;
            tunnel.rows.parts(rows, &mut wrapped)?;
        }
        Ok(())
    }

    /// A copy of the whole table.
    pub fn snapshot(&self) -> Zone {
        let mut zone = self.link.snapshot();
        for (path, tunnel) in self.tunnels() {
            put(&mut zone, &path, Tunnel { marks: tunnel.marks().0, facts: tunnel.rows.snapshot() });
        }
        zone
    }

    /// The whole table, without a copy: rows move shard by shard, so that memory does not grow.
    pub fn into_zone(self) -> Zone {
        let tunnels = self.tunnels();
        let mut zone = self.link.into_zone();
        drop(self.tunnels);
        for (path, tunnel) in tunnels {
            let marks = tunnel.marks().0;
            // A worker that still runs would hold it.
            let facts = match Arc::try_unwrap(tunnel) {
                Ok(tunnel) => tunnel.rows.into_zone(),
                Err(tunnel) => tunnel.rows.snapshot(),
            };
            put(&mut zone, &path, Tunnel { marks, facts });
        }
        zone
    }
}

/// Puts a tunnel into the place of its path, and leaves the tunnels that it carries.
fn put(zone: &mut Zone, path: &[TunnelKey], tunnel: Tunnel) {
    let Some((key, around)) = path.split_last() else { return };
    let known = zone.within(around).tunnels.entry(*key).or_default();
    known.marks.merge(tunnel.marks);
    let tunnels = std::mem::take(&mut known.facts.tunnels);
    known.facts = Zone { tunnels, ..tunnel.facts };
}

#[cfg(test)]
mod tests;
