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

/// The smallest [`VLANS`] ids, sorted. Unused places hold 0, which is not a valid id.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<u16>", into = "Vec<u16>")]
pub(super) struct VlanSet([u16; VLANS]);

impl VlanSet {
    pub(super) fn ids(&self) -> &[u16] {
        let end = self.0.iter().position(|id| *id == 0).unwrap_or(VLANS);
        self.0.get(..end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    pub(super) fn add(&mut self, id: u16) -> bool {
        let before = *self;
        if id != 0 && !self.ids().contains(&id) {
            let place = self.ids().partition_point(|known| *known < id);
            if let Some(tail) = self.0.get_mut(place..).filter(|tail| !tail.is_empty()) {
                tail.rotate_right(1);
                if let Some(slot) = tail.first_mut() {
                    *slot = id;
                }
            }
        }
        before != *self
    }

    pub(super) fn normalise(&mut self) {
        *self = Self::from(self.ids().to_vec());
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
        set.ids().to_vec()
    }
}
