//! Room: how much the facts of one subscription may take, so that a sensor, or the network behind it, fills nobody else's
//! service.

use std::mem::size_of;

use crate::census::conduct::Deed;
use crate::census::{Coupling, CouplingKey, Evidence, EvidenceSet, MacAddr, Station, Zone};

/// What the facts of a subscription take, or may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// Couplings, stations, deeds and tunnels.
    pub rows: usize,
    /// About how many bytes couplings, stations and deeds take in memory, with what they said.
    pub bytes: usize,
}

impl Room {
    pub(super) const EMPTY: Self = Self { rows: 0, bytes: 0 };

    /// What a zone takes.
    pub(super) fn of(zone: &Zone) -> Self {
        let mut bytes = bytes_of(zone);
        let mut tunnels = 0;
        zone.each_tunnel(&mut |_, tunnel| {
            tunnels += 1;
            bytes += bytes_of(&tunnel.facts);
        });
        Self { rows: zone.rows() + tunnels, bytes }
    }
}

/// Five times what one sensor holds.
impl Default for Room {
    fn default() -> Self {
        Self { rows: 5_000_000, bytes: 8 << 30 }
    }
}

/// Without tunnels.
fn bytes_of(zone: &Zone) -> usize {
    let couplings: usize = zone.couplings.values().map(coupling_bytes).sum();
    let deeds: usize = zone.conduct.0.values().map(Deed::bytes).sum();
    couplings + zone.stations.values().map(station_bytes).sum::<usize>() + deeds
}

/// About what a coupling takes: a map has half as much room again as it uses.
pub(super) fn coupling_bytes(facts: &Coupling) -> usize {
    size_of::<(CouplingKey, Coupling)>() * 3 / 2 + said_bytes(&facts.evidence)
}

/// About what a station takes.
pub(super) fn station_bytes(facts: &Station) -> usize {
    size_of::<(MacAddr, Station)>() * 3 / 2 + said_bytes(&facts.evidence)
}

/// A value has a head of its own of two words.
fn said_bytes(said: &EvidenceSet) -> usize {
    let value = |e: &Evidence| size_of::<Evidence>() + 2 * size_of::<usize>() + e.value.len();
    said.iter().map(value).sum()
}
