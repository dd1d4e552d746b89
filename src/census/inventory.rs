//! The inventory: the merged facts of all zones, from which everything else is derived. It is a join semilattice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clamp::Clamp;
use super::conduct::Conduct;
use super::coupling::{Coupling, CouplingKey};
use super::mac::MacAddr;
use super::segment::Segment;
use super::sign::{Sign, Signs};
use super::station::Station;
use super::stretches::Clock;
use super::time::Timestamp;
use super::tunnel::{TUNNEL_DEPTH, Tunnel, TunnelKey};
use super::zone_names::Origins;

/// Which facts without a time of their own count when an earlier instant is looked at. If nothing newer than the instant is
/// known of a coupling or a zone, all of its facts count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Undated {
    /// The newest frames are at the latest instants at which they can have come, otherwise at the earliest.
    latest: bool,
    signs: Signs,
    /// What a zone learned.
    learned: bool,
}

impl Undated {
    /// All, although some may be newer than the instant.
    pub const KEPT: Self = Self { latest: true, signs: Signs(u32::MAX), learned: true };
    /// None.
    pub const DROPPED: Self = Self { latest: false, signs: Signs(0), learned: false };
    /// Some: the signs that an address is its sender's own, or those that it is behind the sender, with and without what a zone
    /// learned. These decide most of what undated facts can decide.
    pub const SOME: [Self; 4] = [
        Self { signs: OWN, ..Self::DROPPED },
        Self { signs: BEHIND, ..Self::DROPPED },
        Self { signs: OWN, learned: true, ..Self::DROPPED },
        Self { signs: BEHIND, learned: true, ..Self::DROPPED },
    ];
}

const OWN: Signs = Signs(Sign::Near as u32 | Sign::LinkScope as u32 | Sign::Ttl128 as u32);
const BEHIND: Signs =
    Signs(Sign::Far as u32 | Sign::Sixty as u32 | Sign::Ttl128 as u32 | Sign::Carried as u32);

/// The facts of one zone (I9). A delta, as sensors upload it, is a small zone.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Zone {
    /// Facts about the zone as a whole.
    #[serde(default)]
    pub segment: Segment,
    #[serde(default, with = "entries")]
    pub couplings: BTreeMap<CouplingKey, Coupling>,
    #[serde(default, with = "entries")]
    pub stations: BTreeMap<MacAddr, Station>,
    /// What frames inside tunnels showed, apart from the rest (I13).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "entries")]
    pub tunnels: BTreeMap<TunnelKey, Tunnel>,
    /// What stations did.
    #[serde(default, skip_serializing_if = "Conduct::is_empty")]
    pub conduct: Conduct,
    /// Under which label each coupling came, if the zone has several (see `zone_names`).
    #[serde(skip)]
    pub origins: Origins,
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
        for (key, tunnel) in &other.tunnels {
            let is_new = !self.tunnels.contains_key(key);
            changed |= self.tunnels.entry(*key).or_default().merge(tunnel) || is_new;
        }
        self.conduct.merge(&other.conduct) || changed
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

    /// Which times of the zone are believed (I16).
    pub fn clock(&self) -> Clock {
        let sent = self.couplings.values().filter(|c| !c.signs.is_only_by_others());
        Clock::new(&self.segment.stretches, sent.map(|c| (c.first_seen, c.last_seen)))
    }

    /// The facts from frames before `as_of`; see [`Inventory::until`].
    #[must_use]
    pub fn until(
        &self,
        as_of: Timestamp,
        undated: Undated,
        known: &dyn Fn(CouplingKey) -> Option<Timestamp>,
    ) -> Self {
        let coupling = |(key, c): (&CouplingKey, &Coupling)| {
            let facts = match undated.latest {
                true => c.until(as_of, known(*key)),
                false => c.at_least_until(as_of, undated.signs, known(*key)),
            };
            Some((*key, facts?))
        };
        let station = |(mac, s): (&MacAddr, &Station)| Some((*mac, s.until(as_of)?));
        let tunnel = |(key, t): (&TunnelKey, &Tunnel)| {
            let facts = t.facts.until(as_of, undated, known);
            (!facts.is_empty()).then_some((*key, Tunnel { marks: t.marks, facts }))
        };
        Self {
            // If no frame came later, everything that was learned was learned before.
            segment: if undated.learned || self.segment.last_frame < Some(as_of) {
                self.segment.until(as_of)
            } else {
                self.segment.at_least_until(as_of)
            },
            couplings: self.couplings.iter().filter_map(coupling).collect(),
            stations: self.stations.iter().filter_map(station).collect(),
            tunnels: self.tunnels.iter().filter_map(tunnel).collect(),
            conduct: self.conduct.until(as_of),
            origins: self.origins.clone(),
        }
    }

    /// Takes times later than `latest` as `latest`. Returns the newest of them, if there are any.
    pub fn clamp(&mut self, latest: Timestamp) -> Option<Timestamp> {
        let mut clamp = Clamp::to(latest);
        self.clamp_by(&mut clamp);
        clamp.beyond()
    }

    fn clamp_by(&mut self, clamp: &mut Clamp) {
        self.segment.clamp(clamp);
        self.couplings.values_mut().for_each(|coupling| coupling.clamp(clamp));
        self.stations.values_mut().for_each(|station| station.clamp(clamp));
        self.tunnels.values_mut().for_each(|tunnel| tunnel.facts.clamp_by(clamp));
        self.conduct.clamp(clamp);
    }

    /// Restores the invariants of facts from outside, and drops couplings and stations that cannot exist (I3), and
    /// tunnels that nest too deep.
    pub fn normalise(&mut self) {
        self.normalise_within(TUNNEL_DEPTH);
    }

    fn normalise_within(&mut self, depth: u8) {
        self.couplings.retain(|key, c| {
            c.normalise();
            key.mac.is_station() && !super::address::is_never_sender(key.ip) && c.first_seen <= c.last_seen
        });
        self.stations.retain(|mac, s| {
            s.evidence.normalise();
            mac.is_station() && s.first_seen <= s.last_seen
        });
        self.conduct.normalise();
        self.tunnels.retain(|key, tunnel| {
            depth > 0 && key.mac.is_station() && {
                tunnel.facts.normalise_within(depth - 1);
                true
            }
        });
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The zones by name. A clone shares them: a zone is copied when one of the clones changes it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Inventory {
    pub zones: BTreeMap<String, Arc<Zone>>,
}

impl Inventory {
    pub fn of(name: &str, zone: Zone) -> Self {
        Self { zones: BTreeMap::from([(name.to_owned(), Arc::new(zone))]) }
    }

    /// The zone of that name, for changing it. It is added if it is missing, and copied if it is shared.
    pub fn zone_mut(&mut self, name: &str) -> &mut Zone {
        Arc::make_mut(self.zones.entry(name.to_owned()).or_default())
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
            Some(known) => Arc::make_mut(known).merge(zone),
            None => {
                self.zones.insert(name.to_owned(), Arc::new(zone.clone()));
                true
            }
        }
    }

    /// The facts from frames before `as_of`: the inventory of an earlier instant, taken from the facts of today.
    ///
    /// **Exact:** the couplings, stations and zones that were known, when each was first seen, first proven and first
    /// announced, and its evidence. If the newest frame of a coupling came before `as_of`, the whole coupling is exact.
    ///
    /// **Approximate**, if a coupling was seen again later: only the UTC day of its newest frame before `as_of` is known.
    /// The result has the latest instant of that day before `as_of`, so `as_of` should be the start of a day. If the day
    /// is more than [`DAYS`](super::DAYS) days before the newest frame, the result has the latest instant before the days
    /// that are kept. `known` improves on this: it gives the newest frame as an earlier snapshot recorded it, which is
    /// used unless the coupling was seen on a later day before `as_of`. A lease that was renewed later gets the latest
    /// possible time.
    ///
    /// **Kept without a time**, so possibly newer than `as_of`: signs that are not proofs, VLAN ids, the prefixes and
    /// routers that a zone's segment learned, and the windows five hours and more after something was first heard. With
    /// less than [`Undated::KEPT`], the result lacks some or all of these (but for VLAN ids and windows of evidence) and
    /// has the earliest possible newest frames. What all results say, the facts of then very likely said too.
    #[must_use]
    pub fn until(
        &self,
        as_of: Timestamp,
        undated: Undated,
        known: impl Fn(&str, CouplingKey) -> Option<Timestamp>,
    ) -> Self {
        let until = |(name, zone): (&String, &Arc<Zone>)| {
            (name.clone(), zone.until(as_of, undated, &|key| known(name, key)))
        };
        let zones = self.zones.iter().map(until).filter(|(_, zone)| !zone.is_empty());
        Self { zones: zones.map(|(name, zone)| (name, Arc::new(zone))).collect() }
    }

    /// The end of the believed times of all zones: the instant at which a replay counts (I16).
    pub fn believed_end(&self) -> Option<Timestamp> {
        self.zones.values().filter_map(|z| z.clock().end()).max()
    }

    /// The newest frame of all zones.
    pub fn last_frame(&self) -> Option<Timestamp> {
        self.zones.values().filter_map(|z| z.segment.last_frame).max()
    }
}

/// Serialises maps as lists of pairs, because JSON keys must be strings.
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
