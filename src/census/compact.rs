//! Compact forms of values in a coupling, of which a sensor holds a million.

use std::num::NonZeroI64;

use serde::{Deserialize, Serialize};

use super::time::{Timestamp, earliest};

/// The most VLAN ids that a coupling keeps; the smallest stay.
pub(super) const VLANS: usize = 8;

/// An optional instant in 8 bytes. It cannot hold the smallest instant, in the year 1677.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Option<i64>", into = "Option<i64>")]
pub(super) struct OptionalTime(Option<NonZeroI64>);

impl OptionalTime {
    pub(super) const NEVER: Self = Self(None);

    pub(super) fn of(at: Timestamp) -> Self {
        Self(NonZeroI64::new(at.0 ^ i64::MIN))
    }

    pub(super) fn get(self) -> Option<Timestamp> {
        self.0.map(|n| Timestamp(n.get() ^ i64::MIN))
    }

    pub(super) fn is_never(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn earliest(self, other: Self) -> Self {
        earliest(self.get(), other.get()).map_or(Self::NEVER, Self::of)
    }

    pub(super) fn newest(self, other: Self) -> Self {
        self.get().max(other.get()).map_or(Self::NEVER, Self::of)
    }
}

impl Default for OptionalTime {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<Option<i64>> for OptionalTime {
    fn from(at: Option<i64>) -> Self {
        at.map_or(Self::NEVER, |n| Self::of(Timestamp(n)))
    }
}

impl From<OptionalTime> for Option<i64> {
    fn from(at: OptionalTime) -> Self {
        at.get().map(|t| t.0)
    }
}

/// The smallest [`VLANS`] ids, sorted, each in 12 bits. Unused places hold 0, which is not a valid id.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<u16>", into = "Vec<u16>")]
pub(super) struct VlanSet([[u8; 3]; VLANS / 2]);

/// The largest id (IEEE 802.1Q).
const LARGEST: u16 = 0xfff;

impl VlanSet {
    pub(super) fn ids(&self) -> impl Iterator<Item = u16> {
        let pair = |[a, b, c]: [u8; 3]| {
            let (a, b, c) = (u16::from(a), u16::from(b), u16::from(c));
            [a << 4 | b >> 4, b << 8 & LARGEST | c]
        };
        self.0.into_iter().flat_map(pair).take_while(|id| *id != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [[0; 3]; VLANS / 2]
    }

    /// Adds an id; others than those from 1 to 4095 are none. Returns whether the set changed.
    pub(super) fn add(&mut self, id: u16) -> bool {
        if id == 0 || id > LARGEST || self.ids().any(|known| known == id) {
            return false;
        }
        let before = *self;
        let mut ids: Vec<u16> = self.ids().chain([id]).collect();
        ids.sort_unstable();
        ids.resize(VLANS, 0);
        for (pair, slot) in ids.chunks_exact(2).zip(&mut self.0) {
            if let [a, b] = pair {
                let [high, low] = a.to_be_bytes();
                let [top, last] = b.to_be_bytes();
                *slot = [high << 4 | low >> 4, low << 4 | top, last];
            }
        }
        before != *self
    }
}

impl From<Vec<u16>> for VlanSet {
    fn from(ids: Vec<u16>) -> Self {
        let mut out = Self::default();
        for id in ids {
            out.add(id);
        }
        out
    }
}

impl From<VlanSet> for Vec<u16> {
    fn from(set: VlanSet) -> Self {
        set.ids().collect()
    }
}
