//! What others teach about a segment: masks and routers (I5, I6), with when and by whom.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clamp::Clamp;
use super::mac::MacAddr;
use super::segment::LEARNED;
use super::time::Timestamp;
use super::windows::Windows;

/// The most MACs that are remembered as teachers of one thing; the smallest stay.
const TEACHERS: usize = 4;

/// The time of facts of older versions, which have none.
const NO_TIME: Timestamp = Timestamp(i64::MAX);

/// When something was taught, and by which MACs. Merging is a join.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Taught {
    #[serde(rename = "t")]
    first: Timestamp,
    #[serde(rename = "w")]
    windows: Windows,
    /// Sorted.
    #[serde(rename = "by", default)]
    by: Vec<MacAddr>,
}

impl Taught {
    /// Taught by one frame.
    pub fn new(at: Timestamp, by: MacAddr) -> Self {
        Self { first: at, windows: Windows::ONCE, by: vec![by] }
    }

    /// As facts of older versions have it, without time and teacher.
    fn unknown() -> Self {
        Self { first: NO_TIME, windows: Windows::TWICE, by: Vec::new() }
    }

    pub(super) fn heard(&self) -> (Timestamp, Windows) {
        (self.first, self.windows)
    }

    /// Whether it was taught in two minutes (I15b).
    pub(super) fn is_repeated(&self) -> bool {
        self.windows.is_repeated()
    }

    /// Whether it was taught by a MAC that did not teach `other`, in more windows or, if in as many, earlier.
    pub(super) fn is_older_source(&self, other: &Self) -> bool {
        let age = |t: &Self| (t.windows.count(), Reverse(t.first));
        age(self) > age(other) && self.by.iter().any(|mac| !other.by.contains(mac))
    }

    /// Takes times later than the latest instant as that instant. Facts of older versions have no time.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        if self.first != NO_TIME {
            self.windows = self.windows.clamp(self.first, clamp.latest());
            self.first = clamp.at(self.first);
        }
    }

    /// Joins `other`; returns whether anything changed.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let before = (self.heard(), self.by.clone());
        (self.first, self.windows) = Windows::join(self.heard(), other.heard());
        for mac in &other.by {
            if let Err(place) = self.by.binary_search(mac) {
                self.by.insert(place, *mac);
            }
        }
        self.by.truncate(TEACHERS);
        before != (self.heard(), self.by.clone())
    }
}

/// Learns something, unless the map is full and it is new. Returns whether anything changed.
pub(super) fn learn<K: Ord>(all: &mut BTreeMap<K, Taught>, what: K, taught: &Taught) -> bool {
    let has_room = all.len() < LEARNED;
    match all.get_mut(&what) {
        Some(known) => known.merge(taught),
        None if has_room => {
            all.insert(what, taught.clone());
            true
        }
        None => false,
    }
}

/// An entry of a list: with its teachers, or alone, as older versions wrote it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<K> {
    Taught(K, Taught),
    Alone(K),
}

pub(super) fn serialize<K: Serialize, S: Serializer>(
    all: &BTreeMap<K, Taught>,
    out: S,
) -> Result<S::Ok, S::Error> {
    out.collect_seq(all)
}

pub(super) fn deserialize<'de, K, D>(input: D) -> Result<BTreeMap<K, Taught>, D::Error>
where
    K: Deserialize<'de> + Ord,
    D: Deserializer<'de>,
{
    let mut all = BTreeMap::new();
    for entry in Vec::<Entry<K>>::deserialize(input)? {
        let (what, mut taught) = match entry {
            Entry::Taught(what, taught) => (what, taught),
            Entry::Alone(what) => (what, Taught::unknown()),
        };
        taught.by.sort_unstable();
        taught.by.dedup();
        learn(&mut all, what, &taught);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Prefix, Segment};

    fn mac(n: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, n])
    }

    #[test]
    fn the_smallest_teachers_stay_whatever_the_order() {
        let all: Vec<Taught> = (0..9).map(|n| Taught::new(Timestamp(n.into()), mac(n))).collect();
        let join = |order: &mut dyn Iterator<Item = &Taught>| {
            let mut out = order.next().unwrap().clone();
            order.for_each(|t| {
                out.merge(t);
            });
            out
        };
        let joined = join(&mut all.iter());
        assert_eq!(joined, join(&mut all.iter().rev()));
        assert_eq!(joined.by.as_slice(), [mac(0), mac(1), mac(2), mac(3)]);
    }

    #[test]
    fn facts_of_older_versions_are_read_as_repeated() {
        let old = r#"{"sent":["10.0.0.0/24"],"routers":["10.0.0.1"]}"#;
        let read: Segment = serde_json::from_str(old).unwrap();
        let prefix: Prefix = "10.0.0.0/24".parse().unwrap();
        assert!(read.sent[&prefix].is_repeated());
        assert!(read.routers.values().all(Taught::is_repeated));
        let mut new = Segment::default();
        new.learn_sent(prefix, &Taught::new(Timestamp(5), mac(1)));
        let again: Segment = serde_json::from_str(&serde_json::to_string(&new).unwrap()).unwrap();
        assert_eq!(again, new);
    }
}
