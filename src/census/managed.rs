//! The list of what is managed elsewhere (X-MANAGED): endpoints that another system reported, each for a time.
//!
//! An entry that names a MAC matches the devices with that MAC, wherever their addresses lie. Only an entry without one
//! matches by its address, and then the device whose coupling with that address was seen last: addresses change hands,
//! and a MAC that is named speaks against another one. An entry holds in `[from, to)` of the survey's instant alone.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::binding::Bindings;
use super::coupling::CouplingKey;
use super::decision::{Decision, Ruling, put};
use super::mac::MacAddr;
use super::time::Timestamp;

/// What identifies an entry.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ManagedKey {
    /// The system that reported it.
    pub source: String,
    /// Its name there: a machine with several cards has an entry for each.
    pub external_id: String,
    /// The only zone in which it is looked for; all zones where it is none.
    pub zone: Option<String>,
    /// Its MAC.
    pub mac: Option<MacAddr>,
    /// Its address.
    pub ip: Option<IpAddr>,
}

/// The entries, found by what they match by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManagedList {
    entries: BTreeMap<ManagedKey, Decision>,
    by_mac: BTreeMap<MacAddr, Vec<ManagedKey>>,
    by_ip: BTreeMap<IpAddr, Vec<ManagedKey>>,
}

/// By what an entry matched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum MatchedBy {
    /// The MAC.
    Mac,
    /// The address, which it used last of all.
    Ip,
}

/// An entry that matches a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManagedMatch {
    /// Which entry.
    pub entry: ManagedKey,
    /// Until when it holds; none for an open end.
    pub to: Option<Timestamp>,
    /// By what.
    pub by: MatchedBy,
    /// The decision by which it stands.
    pub decision: Decision,
}

impl ManagedList {
    /// The entries, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ManagedKey, &Decision)> {
        self.entries.iter()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of that key.
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
        put(&mut self.entries, key.clone(), decision)
    }

    /// The device couplings of a zone that used, last of all, an address of an entry without a MAC.
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

    /// The entry that matches a device with these couplings at `as_of`: by MAC before by address, then the first by key.
    pub(super) fn of(
        &self,
        zone: &str,
        couplings: impl Iterator<Item = CouplingKey> + Clone,
        holders: &HashMap<IpAddr, CouplingKey>,
        as_of: Timestamp,
    ) -> Option<ManagedMatch> {
        let holds = |key: &&ManagedKey| {
            let span = self.entries.get(*key).map(|d| &d.ruling);
            key.zone.as_deref().is_none_or(|z| z == zone)
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

fn add<K: Ord>(index: &mut BTreeMap<K, Vec<ManagedKey>>, at: K, key: &ManagedKey) {
    let keys = index.entry(at).or_default();
    // Sorted, so that the index depends on what is in it alone.
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
