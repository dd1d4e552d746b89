//! The managed list (X-MANAGED): endpoints that another system reported as managed, each for a period.
//!
//! An entry with a MAC matches the devices with that MAC, whatever their addresses. An entry without a MAC matches by its
//! address, and only the device that used the address last, because addresses change hands. An entry with a MAC never
//! matches by its address: another MAC there contradicts it. An entry holds if the survey's instant is in `[from, to)`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::ops::{Bound, RangeInclusive};

use foldhash::{HashMap, HashMapExt as _};
use serde::{Deserialize, Serialize};

use super::binding::Bindings;
use super::coupling::CouplingKey;
use super::decision::{Decision, ManagedKey, Ruling};
use super::mac::MacAddr;
use super::time::Timestamp;

/// The entries, indexed by MAC and by address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManagedList {
    entries: BTreeMap<ManagedKey, Decision>,
    by_mac: BTreeMap<MacAddr, Vec<ManagedKey>>,
    by_ip: BTreeMap<IpAddr, Vec<ManagedKey>>,
    /// The instants at which entries begin and end to hold, each with the number of entries.
    turns: BTreeMap<Timestamp, usize>,
}

/// How an entry matched a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum MatchedBy {
    Mac,
    /// By an address that no other device used later.
    Ip,
}

/// An entry that matches a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManagedMatch {
    pub entry: ManagedKey,
    /// The end of its validity; `None` if it is open.
    pub to: Option<Timestamp>,
    pub by: MatchedBy,
    pub decision: Decision,
}

impl ManagedList {
    /// Sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ManagedKey, &Decision)> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, key: &ManagedKey) -> Option<&Decision> {
        self.entries.get(key)
    }

    pub(super) fn set(&mut self, key: &ManagedKey, decision: Option<Decision>) -> Option<Decision> {
        let known = self.entries.contains_key(key);
        match (known, decision.is_some()) {
            (false, true) => match (key.mac, key.ip) {
                (Some(mac), _) => add(&mut self.by_mac, mac, key),
                (None, Some(ip)) => add(&mut self.by_ip, ip, key),
                (None, None) => {}
            },
            (true, false) => match (key.mac, key.ip) {
                (Some(mac), _) => drop_key(&mut self.by_mac, mac, key),
                (None, Some(ip)) => drop_key(&mut self.by_ip, ip, key),
                (None, None) => {}
            },
            _ => {}
        }
        for turn in decision.iter().flat_map(turns) {
            *self.turns.entry(turn).or_default() += 1;
        }
        let before = match decision {
            Some(decision) => self.entries.insert(key.clone(), decision),
            None => self.entries.remove(key),
        };
        for turn in before.iter().flat_map(turns) {
            if let Entry::Occupied(mut number) = self.turns.entry(turn) {
                *number.get_mut() -= 1;
                if *number.get() == 0 {
                    number.remove();
                }
            }
        }
        before
    }

    /// The instants at which the same entries hold as at `as_of`.
    pub(super) fn span(&self, as_of: Timestamp) -> RangeInclusive<Timestamp> {
        let first = self.turns.range(..=as_of).next_back().map_or(Timestamp::MIN, |(turn, _)| *turn);
        let next = self.turns.range((Bound::Excluded(as_of), Bound::Unbounded)).next();
        first..=next.map_or(Timestamp::MAX, |(turn, _)| turn.plus(-1))
    }

    /// For each address of an entry without a MAC: the local coupling of the zone that used it last.
    pub(super) fn holders(&self, bindings: &Bindings<'_>) -> HashMap<IpAddr, CouplingKey> {
        let mut newest: HashMap<IpAddr, (Timestamp, CouplingKey)> = HashMap::new();
        if self.by_ip.is_empty() {
            return HashMap::new();
        }
        for c in bindings.local().filter(|c| self.by_ip.contains_key(&c.key.ip)) {
            let seen = (c.facts.last_seen, c.key);
            newest.entry(c.key.ip).and_modify(|known| *known = (*known).max(seen)).or_insert(seen);
        }
        newest.into_iter().map(|(ip, (_, key))| (ip, key)).collect()
    }

    /// The entry that matches a device with these couplings at `as_of`: matches by MAC before those by address, then the
    /// first by key. `is_zone` tells whether a label is one of the device's zone.
    pub(super) fn of(
        &self,
        is_zone: impl Fn(&str) -> bool,
        couplings: impl Iterator<Item = CouplingKey> + Clone,
        holders: &HashMap<IpAddr, CouplingKey>,
        as_of: Timestamp,
    ) -> Option<ManagedMatch> {
        let holds = |key: &&ManagedKey| {
            let span = self.entries.get(*key).map(|d| &d.ruling);
            key.zone.as_deref().is_none_or(&is_zone)
                && matches!(span, Some(Ruling::Managed { from, to })
                    if *from <= as_of && to.is_none_or(|to| as_of < to))
        };
        let by_mac = couplings.clone().filter_map(|k| self.by_mac.get(&k.mac)).flatten().filter(holds).min();
        let by_ip = || {
            let held = couplings.filter(|k| holders.get(&k.ip) == Some(k));
            held.filter_map(|k| self.by_ip.get(&k.ip)).flatten().filter(holds).min()
        };
        let (entry, by) =
            by_mac.map(|k| (k, MatchedBy::Mac)).or_else(|| by_ip().map(|k| (k, MatchedBy::Ip)))?;
        let decision = self.entries.get(entry)?.clone();
        let to = match decision.ruling {
            Ruling::Managed { to, .. } => to,
            _ => None,
        };
        Some(ManagedMatch { entry: entry.clone(), to, by, decision })
    }
}

/// When an entry begins to hold and when it ends.
fn turns(entry: &Decision) -> impl Iterator<Item = Timestamp> + use<> {
    let (from, to) = match entry.ruling {
        Ruling::Managed { from, to } => (Some(from), to),
        _ => (None, None),
    };
    from.into_iter().chain(to)
}

fn add<K: Ord>(index: &mut BTreeMap<K, Vec<ManagedKey>>, at: K, key: &ManagedKey) {
    let keys = index.entry(at).or_default();
    // Sorted, so that equal lists have equal indexes whatever the order of insertion.
    let place = keys.partition_point(|k| k < key);
    keys.insert(place, key.clone());
}

fn drop_key<K: Ord>(index: &mut BTreeMap<K, Vec<ManagedKey>>, at: K, key: &ManagedKey) {
    if let Some(keys) = index.get_mut(&at) {
        keys.retain(|k| k != key);
        if keys.is_empty() {
            index.remove(&at);
        }
    }
}
