//! The segment: what frames show about a zone as a whole (I5): on-link prefixes, routers and the time of its frames.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::address::Prefix;
use super::stretches::Stretches;
use super::taught::{self, Taught, learn};
use super::time::{Timestamp, earliest};

/// The most prefixes of each kind, and the most routers, of a zone.
pub(super) const LEARNED: usize = 4_096;
/// The most half ARP exchanges of a zone.
const PENDING: usize = 65_536;
/// The shortest prefix that is learned from an ARP exchange (I5).
pub(super) const EXCHANGE_LENGTH: u8 = 20;

/// Facts about a zone as a whole. Merging is a join.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// The earliest frame of the zone, of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_frame: Option<Timestamp>,
    /// The newest frame of the zone, of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_frame: Option<Timestamp>,
    /// When the zone had frames (I11, I16).
    #[serde(default, skip_serializing_if = "Stretches::is_empty")]
    pub stretches: Stretches,
    /// Prefixes from DHCP ACKs and from router advertisements with the on-link flag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "taught")]
    pub sent: BTreeMap<Prefix, Taught>,
    /// The smallest common prefixes of ARP exchanges; none covers another.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exchanged: BTreeSet<Prefix>,
    /// Addresses from DHCP router options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "taught")]
    pub routers: BTreeMap<IpAddr, Taught>,
    /// Half ARP exchanges by (lower address, higher address). Bits: 1 the lower asked, 2 the higher asked, 4 the lower
    /// answered, 8 the higher answered. Dropped once an exchanged prefix covers both addresses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    pending: BTreeMap<(Ipv4Addr, Ipv4Addr), u8>,
}

impl Segment {
    /// Records frames of any kind from `first` to `last`, between which there was no gap of an hour.
    pub fn span(&mut self, first: Timestamp, last: Timestamp) -> bool {
        self.first_frame = earliest(self.first_frame, Some(first));
        self.last_frame = self.last_frame.max(Some(last));
        self.stretches.add(first, last)
    }

    /// Records a prefix whose mask was sent, unless the set is full. Returns whether anything changed.
    pub fn learn_sent(&mut self, prefix: Prefix, taught: &Taught) -> bool {
        learn(&mut self.sent, prefix, taught)
    }

    /// Records the address of a router option, unless the set is full. Returns whether anything changed.
    pub fn learn_router(&mut self, ip: IpAddr, taught: &Taught) -> bool {
        learn(&mut self.routers, ip, taught)
    }

    /// Records one half of an ARP exchange: `sender` asked for `target`, or answered it. Both halves together teach a
    /// prefix. Returns whether anything changed.
    pub fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool) -> bool {
        let pair = (sender.min(target), sender.max(target));
        let half = match (answer, sender == pair.0) {
            (false, true) => 1,
            (false, false) => 2,
            (true, true) => 4,
            (true, false) => 8,
        };
        self.halves(pair, half)
    }

    /// The prefix that an exchange between two addresses teaches; `None` if they are too far apart (I5).
    pub fn teachable(a: Ipv4Addr, b: Ipv4Addr) -> Option<Prefix> {
        Prefix::common(a.into(), b.into()).filter(|p| a != b && p.length() >= EXCHANGE_LENGTH)
    }

    /// Whether an exchanged prefix covers `prefix`.
    fn is_exchanged(&self, prefix: &Prefix) -> bool {
        (EXCHANGE_LENGTH..=prefix.length())
            .filter_map(|length| Prefix::of(prefix.address(), length))
            .any(|wider| self.exchanged.contains(&wider))
    }

    fn halves(&mut self, pair: (Ipv4Addr, Ipv4Addr), halves: u8) -> bool {
        let Some(prefix) = Self::teachable(pair.0, pair.1).filter(|p| !self.is_exchanged(p)) else {
            return false;
        };
        let before = self.pending.get(&pair).copied();
        let known = before.unwrap_or(0) | halves;
        if known & 0b1001 == 0b1001 || known & 0b0110 == 0b0110 {
            if self.exchanged.len() >= LEARNED {
                return false;
            }
            self.exchanged.retain(|p| !prefix.covers(p));
            self.exchanged.insert(prefix);
            self.drop_pending(&prefix);
            return true;
        }
        if before == Some(known) || before.is_none() && self.pending.len() >= PENDING {
            return false;
        }
        self.pending.insert(pair, known);
        true
    }

    /// Drops the half exchanges of two hosts of `prefix`. Looks at no others, because there may be many.
    fn drop_pending(&mut self, prefix: &Prefix) {
        let IpAddr::V4(first) = prefix.address() else { return };
        let rest = u32::MAX.checked_shr(prefix.length().into()).unwrap_or(0);
        let last = Ipv4Addr::from_bits(first.to_bits() | rest);
        let lower = self.pending.range((first, Ipv4Addr::UNSPECIFIED)..=(last, Ipv4Addr::BROADCAST));
        let covered: Vec<_> =
            lower.map(|(pair, _)| *pair).filter(|(_, b)| prefix.contains((*b).into())).collect();
        for pair in covered {
            self.pending.remove(&pair);
        }
    }

    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.first_frame, self.last_frame);
        self.first_frame = earliest(self.first_frame, other.first_frame);
        self.last_frame = self.last_frame.max(other.last_frame);
        let mut changed = before != (self.first_frame, self.last_frame);
        changed |= self.stretches.merge(&other.stretches);
        for (prefix, taught) in &other.sent {
            changed |= self.learn_sent(*prefix, taught);
        }
        for (ip, taught) in &other.routers {
            changed |= self.learn_router(*ip, taught);
        }
        for prefix in &other.exchanged {
            if self.exchanged.len() < LEARNED && !self.is_exchanged(prefix) {
                self.exchanged.retain(|p| !prefix.covers(p));
                self.exchanged.insert(*prefix);
                self.drop_pending(prefix);
                changed = true;
            }
        }
        for (pair, halves) in &other.pending {
            changed |= self.halves(*pair, *halves);
        }
        changed
    }

    /// The facts from frames before `as_of`; none if the first frame came later. Prefixes and routers have no time, so
    /// all of them stay.
    #[must_use]
    pub fn until(&self, as_of: Timestamp) -> Self {
        if self.first_frame.is_some_and(|first| first >= as_of) {
            return Self::default();
        }
        Self {
            last_frame: self.last_frame.map(|last| last.min(as_of.plus(-1))),
            stretches: self.stretches.until(as_of),
            ..self.clone()
        }
    }

    /// The earliest instant about which `self` says more than `before`, except for its newest frame; `None` if it says
    /// nothing more. New prefixes and routers count from `seen`.
    pub fn news(&self, before: &Self, seen: Option<Timestamp>) -> Option<Timestamp> {
        let first = self.first_frame.filter(|_| self.first_frame != before.first_frame);
        let learned = (&self.sent, &self.exchanged, &self.routers, &self.pending)
            != (&before.sent, &before.exchanged, &before.routers, &before.pending);
        earliest(first, seen.filter(|_| learned))
    }

    /// Whether a bound was reached, so that prefixes or routers may be missing.
    pub fn is_full(&self) -> bool {
        self.stretches.is_full()
            || self.sent.len() >= LEARNED
            || self.exchanged.len() >= LEARNED
            || self.routers.len() >= LEARNED
            || self.pending.len() >= PENDING
    }
}

/// Serialises half exchanges as a list, because JSON keys must be strings.
mod pairs {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use serde::{Deserialize, Deserializer, Serializer};

    type Pairs = BTreeMap<(Ipv4Addr, Ipv4Addr), u8>;

    pub(super) fn serialize<S: Serializer>(pairs: &Pairs, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(pairs.iter().map(|((a, b), halves)| (a, b, halves)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Pairs, D::Error> {
        let list = Vec::<(Ipv4Addr, Ipv4Addr, u8)>::deserialize(input)?;
        Ok(list.into_iter().map(|(a, b, halves)| ((a.min(b), a.max(b)), halves)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_request_with_its_answer_teaches_the_smallest_common_prefix() {
        let mut s = Segment::default();
        s.exchange(v4("10.21.8.5"), v4("10.21.8.9"), false);
        assert!(s.exchanged.is_empty());
        s.exchange(v4("10.21.8.9"), v4("10.21.8.5"), true);
        assert_eq!(s.exchanged.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.21.8.0/28"]);
        assert!(s.pending.is_empty());
    }

    #[test]
    fn two_requests_or_two_answers_are_not_an_exchange() {
        let mut s = Segment::default();
        s.exchange(v4("10.0.0.5"), v4("10.0.0.9"), false);
        s.exchange(v4("10.0.0.9"), v4("10.0.0.5"), false);
        s.exchange(v4("10.0.1.5"), v4("10.0.1.9"), true);
        s.exchange(v4("10.0.1.9"), v4("10.0.1.5"), true);
        assert!(s.exchanged.is_empty());
    }

    #[test]
    fn a_learned_prefix_drops_the_half_exchanges_that_it_covers_and_no_others() {
        let mut s = Segment::default();
        for (a, b) in [
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.5", "10.0.0.9"),
            ("10.0.0.3", "10.0.1.3"),
            ("9.255.255.1", "9.255.255.2"),
        ] {
            s.exchange(v4(a), v4(b), false);
        }
        s.exchange(v4("10.0.0.4"), v4("10.0.0.10"), false);
        s.exchange(v4("10.0.0.10"), v4("10.0.0.4"), true);
        let left: Vec<String> = s.pending.keys().map(|(a, b)| format!("{a} {b}")).collect();
        assert_eq!(left, ["9.255.255.1 9.255.255.2", "10.0.0.3 10.0.1.3"]);
    }

    #[test]
    fn hosts_too_far_apart_teach_nothing() {
        let mut s = Segment::default();
        s.exchange(v4("10.0.0.5"), v4("10.77.0.5"), false);
        s.exchange(v4("10.77.0.5"), v4("10.0.0.5"), true);
        assert!(s.exchanged.is_empty() && s.pending.is_empty());
    }
}
