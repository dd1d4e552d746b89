//! The inventory: the merged facts of all zones. A join semilattice; everything else is derived from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::coupling::{Coupling, CouplingKey};
use super::mac::MacAddr;
use super::segment::Segment;
use super::station::Station;
use super::time::Timestamp;

/// The facts of one zone (I9). Also the form in which a change travels: a delta is a small zone.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Zone {
    /// What is known of the zone as a whole.
    #[serde(default)]
    pub segment: Segment,
    /// Couplings.
    #[serde(default, with = "entries")]
    pub couplings: BTreeMap<CouplingKey, Coupling>,
    /// Stations.
    #[serde(default, with = "entries")]
    pub stations: BTreeMap<MacAddr, Station>,
}

impl Zone {
    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = self.segment.merge(&other.segment);
        for (key, coupling) in &other.couplings {
            changed |= self.merge_coupling(*key, coupling);
        }
        for (mac, station) in &other.stations {
            changed |= self.merge_station(*mac, station);
        }
        changed
    }

    /// Joins one coupling; returns whether anything changed.
    pub fn merge_coupling(&mut self, key: CouplingKey, facts: &Coupling) -> bool {
        match self.couplings.get_mut(&key) {
            Some(known) => known.merge(facts),
            None => {
                self.couplings.insert(key, facts.clone());
                true
            }
        }
    }

    /// Joins one station; returns whether anything changed.
    pub fn merge_station(&mut self, mac: MacAddr, facts: &Station) -> bool {
        match self.stations.get_mut(&mac) {
            Some(known) => known.merge(facts),
            None => {
                self.stations.insert(mac, facts.clone());
                true
            }
        }
    }

    /// What frames before `as_of` gave; see [`Inventory::until`].
    #[must_use]
    pub fn until(&self, as_of: Timestamp, known: impl Fn(CouplingKey) -> Option<Timestamp>) -> Self {
        let coupling = |(key, c): (&CouplingKey, &Coupling)| Some((*key, c.until(as_of, known(*key))?));
        let station = |(mac, s): (&MacAddr, &Station)| Some((*mac, s.until(as_of)?));
        Self {
            segment: self.segment.until(as_of),
            couplings: self.couplings.iter().filter_map(coupling).collect(),
            stations: self.stations.iter().filter_map(station).collect(),
        }
    }

    /// Restores the invariants that facts from outside may lack, and drops what can be no coupling (I3).
    pub fn normalise(&mut self) {
        self.couplings.retain(|key, c| {
            c.normalise();
            key.mac.is_station() && !super::address::is_never_sender(key.ip) && c.first_seen <= c.last_seen
        });
        self.stations.retain(|mac, s| {
            s.evidence.normalise();
            mac.is_station() && s.first_seen <= s.last_seen
        });
    }

    /// Whether the zone holds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// All zones by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Inventory {
    /// The zones.
    pub zones: BTreeMap<String, Zone>,
}

impl Inventory {
    /// An inventory of one zone.
    pub fn of(name: &str, zone: Zone) -> Self {
        Self { zones: BTreeMap::from([(name.to_owned(), zone)]) }
    }

    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (name, zone) in &other.zones {
            changed |= self.merge_zone(name, zone);
        }
        changed
    }

    /// Joins one zone; returns whether anything changed.
    pub fn merge_zone(&mut self, name: &str, zone: &Zone) -> bool {
        match self.zones.get_mut(name) {
            Some(known) => known.merge(zone),
            None => {
                self.zones.insert(name.to_owned(), zone.clone());
                true
            }
        }
    }

    /// What frames before `as_of` gave: the inventory of an earlier instant, from facts that have grown since.
    ///
    /// **Exact:** which couplings, stations and zones there were; when each was first seen, first proven and first
    /// announced; what each said. A device that was not seen yet is not there. Where the newest frame of a coupling
    /// came before `as_of`, all of it is exact.
    ///
    /// **Bounds**, where a coupling was seen again since: its newest frame before `as_of` is known by its UTC day, and
    /// taken at the latest instant of that day before `as_of`, which should therefore start a day. Where
    /// [`DAYS`](super::DAYS) days do not reach back so far, at the latest instant that they leave. `known` mends that:
    /// the newest frame before `as_of` as an earlier look, such as a snapshot, found it; it holds unless a later day
    /// showed the coupling. A lease that was renewed since is taken to have been given as late as it may have been.
    ///
    /// **Without a time**, so kept although it may be newer: signs that prove nothing, VLAN ids, and what a zone's
    /// segment learned: prefixes, routers.
    #[must_use]
    pub fn until(&self, as_of: Timestamp, known: impl Fn(&str, CouplingKey) -> Option<Timestamp>) -> Self {
        let zones = self.zones.iter().map(|(name, zone)| (name, zone.until(as_of, |key| known(name, key))));
        Self { zones: zones.filter(|(_, z)| !z.is_empty()).map(|(name, z)| (name.clone(), z)).collect() }
    }

    /// The newest frame of all zones: the default `as_of`.
    pub fn last_frame(&self) -> Option<Timestamp> {
        self.zones.values().filter_map(|z| z.segment.last_frame).max()
    }
}

/// Maps travel as lists of pairs, as JSON keys are texts.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(input: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(input)?.into_iter().collect())
    }
}
