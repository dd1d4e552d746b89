//! The segment: what frames show about a zone as a whole (I5): on-link prefixes, routers and the time of its frames.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::address::Prefix;
use super::clamp::Clamp;
use super::exchange::{Exchange, Pending};
use super::stretches::Stretches;
use super::taught::{self, Taught, learn};
use super::time::{Timestamp, earliest};

/// The most prefixes of each kind, and the most routers, of a zone.
pub(super) const LEARNED: usize = 4_096;

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
    /// Half ARP exchanges. Dropped once an exchanged prefix covers both hosts.
    #[serde(default, skip_serializing_if = "Pending::is_empty")]
    pending: Pending,
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
        Exchange::heard(sender, target, answer).is_some_and(|half| self.record_exchange(half))
    }

    /// Records what two hosts exchanged. Returns whether anything changed.
    pub fn record_exchange(&mut self, mut exchange: Exchange) -> bool {
        let prefix = exchange.prefix();
        if self.is_exchanged(&prefix) {
            return false;
        }
        self.pending.complete(&mut exchange);
        if exchange.is_whole() { self.learn_exchanged(prefix) } else { self.pending.keep(&exchange) }
    }

    /// Whether an exchanged prefix covers `prefix`. As none covers another, only the last that starts before it can.
    fn is_exchanged(&self, prefix: &Prefix) -> bool {
        self.exchanged.range(..=*prefix).next_back().is_some_and(|wider| wider.covers(prefix))
    }

    /// Adds a prefix that no other covers, in place of those that it covers, unless the set is full.
    fn learn_exchanged(&mut self, prefix: Prefix) -> bool {
        if self.exchanged.len() >= LEARNED {
            return false;
        }
        let covered: Vec<_> =
            self.exchanged.range(prefix..).take_while(|p| prefix.covers(p)).copied().collect();
        for narrower in covered {
            self.exchanged.remove(&narrower);
        }
        self.exchanged.insert(prefix);
        self.pending.drop_within(&prefix);
        true
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
            changed |= !self.is_exchanged(prefix) && self.learn_exchanged(*prefix);
        }
        for exchange in other.pending.iter() {
            changed |= self.record_exchange(exchange);
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

    /// As [`Self::until`], without what was learned at no known time.
    #[must_use]
    pub(super) fn at_least_until(&self, as_of: Timestamp) -> Self {
        let Self { first_frame, last_frame, stretches, .. } = self.until(as_of);
        Self { first_frame, last_frame, stretches, ..Self::default() }
    }

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        for at in [&mut self.first_frame, &mut self.last_frame] {
            *at = at.map(|t| clamp.at(t));
        }
        self.stretches.clamp(clamp);
        for taught in self.sent.values_mut().chain(self.routers.values_mut()) {
            taught.clamp(clamp);
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
            || self.pending.is_full()
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
        let mut left = Segment::default();
        left.exchange(v4("9.255.255.1"), v4("9.255.255.2"), false);
        left.exchange(v4("10.0.0.3"), v4("10.0.1.3"), false);
        assert_eq!(s.pending, left.pending);
    }

    #[test]
    fn hosts_too_far_apart_teach_nothing() {
        let mut s = Segment::default();
        s.exchange(v4("10.0.0.5"), v4("10.77.0.5"), false);
        s.exchange(v4("10.77.0.5"), v4("10.0.0.5"), true);
        assert!(s.exchanged.is_empty() && s.pending.is_empty());
    }
}
