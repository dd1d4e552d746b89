//! Conduct: what stations did, beside what they are. Alerts and recommendations rest on it; the count does not.
//!
//! A deed is proved by one frame of its doer. No connection is followed and no payload is kept. What becomes an alert only by
//! its number is a crowd of distinct things ([`Crowd`]). Merging is a join, so copies of frames, workers, sensors and late
//! uploads change nothing.

mod crowd;
mod deed;
#[cfg(test)]
mod laws;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::crowd::{CROWD_WINDOW, Crowd, Reached, Thing};
pub use self::deed::{Deed, DeedKey, DeedKind, LABEL_BYTES};
use super::clamp::Clamp;
use super::time::Timestamp;

/// The most deeds of a zone on a sensor.
pub const DEEDS: usize = 65_536;
/// The most deeds of a zone in the plan service, over all sensors.
pub const DEEDS_OF_ZONE: usize = 4 * DEEDS;
/// The most deeds of one station. How many of them may be of one kind, [`DeedKind::most`] says.
pub const DEEDS_OF_ONE: usize = 1_024;

/// The deeds of a zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conduct(pub BTreeMap<DeedKey, Deed>);

impl Conduct {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (key, deed) in &other.0 {
            changed |= self.merge_deed(key, deed);
        }
        changed
    }

    /// Joins one deed; returns whether anything changed.
    pub fn merge_deed(&mut self, key: &DeedKey, deed: &Deed) -> bool {
        match self.0.get_mut(key) {
            Some(known) => known.merge(deed, key.kind),
            None => {
                self.0.insert(key.clone(), deed.clone());
                true
            }
        }
    }

    /// The deeds of a kind.
    pub fn of(&self, kind: DeedKind) -> impl Iterator<Item = (&DeedKey, &Deed)> {
        self.0.iter().filter(move |(key, _)| key.kind == kind)
    }

    #[must_use]
    pub(super) fn until(&self, as_of: Timestamp) -> Self {
        Self(self.0.iter().filter_map(|(key, deed)| Some((key.clone(), deed.until(as_of)?))).collect())
    }

    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        self.0.iter_mut().for_each(|(key, deed)| deed.clamp(clamp, key.kind));
    }

    /// Restores the invariants of facts from outside, and drops what cannot exist.
    pub(super) fn normalise(&mut self) {
        self.0.retain(|key, deed| {
            deed.normalise(key.kind);
            key.doer.mac.is_station() && key.label.len() <= LABEL_BYTES && deed.first <= deed.last
        });
    }
}

/// As a list of pairs, because JSON keys must be strings.
impl Serialize for Conduct {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Conduct {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self(Vec::<(DeedKey, Deed)>::deserialize(input)?.into_iter().collect()))
    }
}
