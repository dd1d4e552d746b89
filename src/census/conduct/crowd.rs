//! Crowds: how many distinct things a station did something to in a short time, without a list of all of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::deed::DeedKind;
use crate::census::time::{MINUTE, Timestamp};

/// The span of a window in nanoseconds. Windows lie on the clock, and rules look at two neighbours together, so that a burst
/// across their edge is one burst.
pub const CROWD_WINDOW: i64 = 5 * MINUTE;
/// The windows of which members are kept, the newest included: 10 hours and 40 minutes.
const KEPT: i64 = 128;
/// The most members that are kept.
pub(super) const MEMBERS: usize = 128;
/// The most things of a reached crowd that are kept to be shown.
const SAMPLE: usize = 8;
/// Windows of a day.
const DAY_WINDOWS: i64 = 24 * 60 / 5;

/// One thing of a crowd.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Thing {
    #[serde(rename = "i")]
    Ip(IpAddr),
    #[serde(rename = "p")]
    Port(u16),
    #[serde(rename = "n")]
    Number(u64),
    #[serde(rename = "t")]
    Text(SmolStr),
}

impl Thing {
    /// A hash that is the same on every sensor. Who aims at it changes how much of his own crowd is kept, nothing else.
    fn hash(&self) -> u64 {
        let mut state = Sha256::new();
        match self {
            Self::Ip(IpAddr::V4(ip)) => state.update(ip.octets()),
            Self::Ip(IpAddr::V6(ip)) => state.update(ip.octets()),
            Self::Port(port) => state.update(port.to_be_bytes()),
            Self::Number(n) => state.update(n.to_be_bytes()),
            Self::Text(text) => state.update(text.as_bytes()),
        }
        state.finalize().first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Port(port) => port.fmt(f),
            Self::Number(n) => n.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A thing and the windows in which it was met: bit `i` stands for the window `i` before the crowd's newest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Member {
    #[serde(rename = "t")]
    thing: Thing,
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    windows: u128,
    #[serde(skip)]
    hash: u64,
}

impl Member {
    /// Members are sorted by this.
    fn rank(&self) -> (u64, &Thing) {
        (self.hash, &self.thing)
    }
}

/// When a crowd reached the number that its kind asks for, in two neighbouring windows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reached {
    /// The first and the newest window.
    #[serde(rename = "a")]
    first: i64,
    #[serde(rename = "z")]
    last: i64,
    /// The UTC days on which it did: bit `i` stands for the day `i` before that of the newest window.
    #[serde(rename = "d")]
    days: u32,
}

impl Reached {
    fn at(window: i64) -> Self {
        Self { first: window, last: window, days: 1 }
    }

    fn join(self, other: Self) -> Self {
        let last = self.last.max(other.last);
        let days = |r: Self| {
            let back = day(last) - day(r.last);
            u32::try_from(back).ok().and_then(|n| r.days.checked_shl(n)).unwrap_or(0)
        };
        Self { first: self.first.min(other.first), last, days: days(self) | days(other) }
    }

    /// What was known of it in the window `last`.
    fn until(self, last: i64) -> Option<Self> {
        if self.first > last {
            return None;
        }
        let days = if self.last > last { self.days_before(last) | 1 } else { self.days };
        Some(Self { last: self.last.min(last), days, ..self })
    }

    /// With windows after `last` taken as `last`.
    fn clamp(self, last: i64) -> Self {
        if self.first >= last {
            Self::at(last)
        } else if self.last > last {
            Self { last, days: self.days_before(last) | 1, ..self }
        } else {
            self
        }
    }

    /// The days up to that of an earlier window.
    fn days_before(self, last: i64) -> u32 {
        let back = u32::try_from(day(self.last) - day(last)).unwrap_or(u32::MAX);
        self.days.checked_shr(back).unwrap_or(0)
    }

    /// The start of the first of the two windows in which it first happened.
    pub const fn first(self) -> Timestamp {
        Timestamp(self.first.saturating_sub(1).saturating_mul(CROWD_WINDOW))
    }

    /// The end of the newest window in which it happened.
    pub const fn last(self) -> Timestamp {
        Timestamp(self.last.saturating_add(1).saturating_mul(CROWD_WINDOW).saturating_sub(1))
    }

    /// On how many of the newest 32 days it happened.
    pub const fn days(self) -> u32 {
        self.days.count_ones()
    }
}

const fn day(window: i64) -> i64 {
    window.div_euclid(DAY_WINDOWS)
}

const fn window(at: Timestamp) -> i64 {
    at.0.div_euclid(CROWD_WINDOW)
}

/// Whether both instants lie in one window.
pub(super) const fn is_same_window(a: Timestamp, b: Timestamp) -> bool {
    window(a) == window(b)
}

/// The distinct things of a deed. As long as nothing is older than `KEPT` windows and there are at most `MEMBERS` things
/// outside of full windows, it is a function of the set of (thing, window): merging is a join.
///
/// A window is full once it holds as many things as the kind asks for. Its members are forgotten, apart from a sample.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Crowd {
    /// The newest window.
    #[serde(rename = "n")]
    newest: i64,
    /// Sorted by hash, then thing.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<Member>,
    /// The full windows, as in a member.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    full: u128,
    /// Of the members of full windows, those with the smallest hashes, without their windows.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    sample: Vec<Member>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    reached: Option<Reached>,
    /// When it had many things, or was steady, although no two windows had what is asked for. `None` once two had, because who
    /// is fast is not slow.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    spread: Option<Reached>,
    /// Whether members were dropped at the bound: what it says is a lower bound.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    bounded: bool,
}

const fn is_zero(n: &u128) -> bool {
    *n == 0
}

impl Crowd {
    /// One thing at an instant.
    pub(super) fn of(thing: Thing, at: Timestamp, kind: DeedKind) -> Self {
        let hash = thing.hash();
        let members = vec![Member { thing, windows: 1, hash }];
        let mut crowd = Self { newest: window(at), members, ..Self::default() };
        crowd.settle(kind);
        crowd
    }

    /// When it reached what its kind asks for.
    pub const fn reached(&self) -> Option<Reached> {
        self.reached
    }

    /// When it had what its kind asks for over hours, if it did not reach what it asks for in two windows.
    pub const fn spread(&self) -> Option<Reached> {
        self.spread
    }

    /// Some of its things, those of full windows first.
    pub fn sample(&self) -> impl Iterator<Item = &Thing> {
        let known = |m: &&Member| self.sample.iter().all(|s| s.thing != m.thing);
        self.sample.iter().chain(self.members.iter().filter(known)).map(|m| &m.thing).take(SAMPLE)
    }

    /// The things that are kept.
    pub fn things(&self) -> impl Iterator<Item = &Thing> {
        self.members.iter().map(|m| &m.thing)
    }

    /// Whether things were dropped at the bound.
    pub const fn is_bounded(&self) -> bool {
        self.bounded
    }

    pub(super) fn len(&self) -> usize {
        self.members.len() + self.sample.len()
    }

    /// Joins `other`; returns whether anything changed. Both are of deeds of this kind.
    pub(super) fn merge(&mut self, other: &Self, kind: DeedKind) -> bool {
        let before = self.clone();
        let newest = self.newest.max(other.newest);
        let theirs = shift(newest, other.newest);
        self.move_to(newest);
        for member in &other.members {
            let windows = theirs(member.windows);
            self.meet(member.hash, &member.thing, windows);
        }
        self.full |= theirs(other.full);
        for member in &other.sample {
            self.show(member.hash, &member.thing);
        }
        self.reached = match (self.reached, other.reached) {
            (Some(a), Some(b)) => Some(a.join(b)),
            (a, b) => a.or(b),
        };
        self.spread = match (self.spread, other.spread) {
            (Some(a), Some(b)) => Some(a.join(b)),
            (a, b) => a.or(b),
        };
        self.bounded |= other.bounded;
        self.settle(kind);
        *self != before
    }

    /// Adds one thing; returns whether anything changed. As [`Self::merge`] of one thing, at a fraction of its cost.
    pub(super) fn add(&mut self, thing: &Thing, at: Timestamp, kind: DeedKind) -> bool {
        let enough = kind.enough();
        let at = window(at);
        if at > self.newest {
            self.move_to(at);
        }
        let Some(bit) =
            u32::try_from(self.newest.saturating_sub(at)).ok().and_then(|n| 1_u128.checked_shl(n))
        else {
            return false;
        };
        let hash = thing.hash();
        if self.full & bit != 0 {
            return self.show(hash, thing);
        }
        if !self.meet(hash, thing, bit) {
            return false;
        }
        let holds =
            |pair: u128| self.members.iter().filter(|m| m.windows & pair != 0).nth(enough - 1).is_some();
        if self.full & (bit << 1 | bit >> 1) != 0 || holds(bit | bit << 1) || holds(bit | bit >> 1) {
            self.settle(kind);
        }
        self.bound();
        self.spread_out(kind);
        true
    }

    /// Adds windows of a member; returns whether anything changed.
    fn meet(&mut self, hash: u64, thing: &Thing, windows: u128) -> bool {
        match self.members.binary_search_by(|m| m.rank().cmp(&(hash, thing))) {
            Ok(place) => self.members.get_mut(place).is_some_and(|known| {
                let before = known.windows;
                known.windows |= windows;
                known.windows != before
            }),
            Err(place) => {
                self.members.insert(place, Member { thing: thing.clone(), windows, hash });
                true
            }
        }
    }

    fn move_to(&mut self, newest: i64) {
        let ours = shift(newest, self.newest);
        self.members.iter_mut().for_each(|m| m.windows = ours(m.windows));
        self.full = ours(self.full);
        self.newest = newest;
    }

    /// Keeps a thing in the sample if its hash is among the smallest; returns whether anything changed.
    fn show(&mut self, hash: u64, thing: &Thing) -> bool {
        match self.sample.binary_search_by(|m| m.rank().cmp(&(hash, thing))) {
            Err(place) if place < SAMPLE => {
                self.sample.insert(place, Member { thing: thing.clone(), windows: 0, hash });
                self.sample.truncate(SAMPLE);
                true
            }
            _ => false,
        }
    }

    /// Finds the full windows and those in which it reached what is asked for, and restores the bounds.
    fn settle(&mut self, kind: DeedKind) {
        let enough = kind.enough();
        let all = self.members.iter().fold(0, |all, m| all | m.windows);
        let mut found = 0_u128;
        let mut rest = all;
        while rest != 0 && self.members.len() >= enough {
            let bit = 1_u128 << rest.trailing_zeros();
            rest &= !bit;
            if self.members.iter().filter(|m| m.windows & bit != 0).nth(enough - 1).is_some() {
                found |= bit;
            }
        }
        self.full |= found;
        // Each window with its neighbour before it.
        let mut reached = self.full | self.full >> 1;
        let mut rest = all & !reached;
        while rest != 0 && self.members.len() >= enough {
            let bit = 1_u128 << rest.trailing_zeros();
            rest &= !bit;
            let pair = bit | bit << 1;
            if self.members.iter().filter(|m| m.windows & pair != 0).nth(enough - 1).is_some() {
                reached |= bit;
            }
        }
        // A full window tells of itself; that its neighbour after it does too would depend on what is not kept.
        let reached = reached & (all | self.full);
        let mut rest = reached;
        while rest != 0 {
            let back = rest.trailing_zeros();
            rest &= !(1 << back);
            let at = Reached::at(self.newest - i64::from(back));
            self.reached = Some(self.reached.map_or(at, |known| known.join(at)));
        }
        if self.full != 0 {
            let full = self.full;
            let members = std::mem::take(&mut self.members);
            for member in members.iter().filter(|m| m.windows & full != 0).take(SAMPLE) {
                self.show(member.hash, &member.thing);
            }
            self.members = members;
            self.members.iter_mut().for_each(|m| m.windows &= !full);
        }
        self.members.retain(|m| m.windows != 0);
        self.bound();
        self.spread_out(kind);
    }

    /// Notes whether it has many things over all windows that are kept.
    fn spread_out(&mut self, kind: DeedKind) {
        let many = kind.many();
        if self.reached.is_some() {
            self.spread = None;
            return;
        }
        if kind.steady() > 0 {
            self.steady(kind.steady());
        }
        if many == 0 || self.members.len() < many {
            return;
        }
        let members = || self.members.iter().map(|m| m.windows).filter(|windows| *windows != 0);
        // Reached with the last of so many that came, counted by the first window of each.
        let mut firsts: Vec<u32> = members().map(|windows| windows.ilog2()).collect();
        firsts.sort_unstable_by(|a, b| b.cmp(a));
        let newest = members().map(u128::trailing_zeros).min();
        let (Some(first), Some(last)) = (firsts.get(many - 1).copied(), newest) else { return };
        let at = |back: u32| Reached::at(self.newest - i64::from(back));
        let now = at(first).join(at(last));
        self.spread = Some(self.spread.map_or(now, |known| known.join(now)));
    }

    /// Notes the spans of windows of which it was met in so many. All spans that are kept count, so that the order in which
    /// windows come does not matter.
    fn steady(&mut self, enough: u32) {
        const SPAN: u32 = 72;
        let met = self.members.iter().fold(0, |all, m| all | m.windows);
        for back in (0..u128::BITS).filter(|back| met >> back & 1 == 1) {
            if (met >> back & ((1 << SPAN) - 1)).count_ones() >= enough {
                let at = Reached::at(self.newest - i64::from(back));
                self.spread = Some(self.spread.map_or(at, |known| known.join(at)));
            }
        }
    }

    /// Drops members beyond the bound: those that were not met for longest, and of them those with the largest hashes. So a
    /// burst is found however many things were met before.
    fn bound(&mut self) {
        while self.members.len() > MEMBERS {
            let oldest = (0..).zip(&self.members).max_by_key(|(_, m)| (m.windows.trailing_zeros(), m.hash));
            let Some(place) = oldest.map(|(place, _): (usize, _)| place) else { return };
            self.members.remove(place);
            self.bounded = true;
        }
    }

    /// Restores what is not sent, and the order.
    pub(super) fn normalise(&mut self, kind: DeedKind) {
        for member in &mut self.members {
            member.hash = member.thing.hash();
        }
        self.members.sort_by(|a, b| a.rank().cmp(&b.rank()));
        self.members.dedup_by(|b, a| {
            let same = a.thing == b.thing;
            a.windows |= if same { b.windows } else { 0 };
            same
        });
        for member in std::mem::take(&mut self.sample) {
            self.show(member.thing.hash(), &member.thing);
        }
        self.settle(kind);
    }

    /// What was known before `as_of`, by windows.
    #[must_use]
    pub(super) fn until(mut self, as_of: Timestamp) -> Self {
        let last = window(as_of.plus(-1));
        if self.newest > last {
            let gone = u32::try_from(self.newest - last).ok().filter(|n| i64::from(*n) < KEPT);
            let keep = |bits: u128| gone.map_or(0, |n| bits >> n);
            self.members.iter_mut().for_each(|m| m.windows = keep(m.windows));
            self.members.retain(|m| m.windows != 0);
            self.full = keep(self.full);
            self.newest = last;
        }
        self.reached = self.reached.and_then(|r| r.until(last));
        self.spread = self.spread.and_then(|r| r.until(last));
        self
    }

    /// Takes windows after that of `latest` as its window.
    pub(super) fn clamp(&mut self, latest: Timestamp, kind: DeedKind) {
        let last = window(latest);
        if self.newest <= last {
            return;
        }
        let over = self.newest - last;
        let fold = |bits: u128| match u32::try_from(over) {
            Ok(n) if over < KEPT => bits >> n | u128::from(bits & ((1 << n) - 1) != 0),
            _ => u128::from(bits != 0),
        };
        self.members.iter_mut().for_each(|m| m.windows = fold(m.windows));
        self.full = fold(self.full);
        self.newest = last;
        self.reached = self.reached.map(|r| r.clamp(last));
        self.spread = self.spread.map(|r| r.clamp(last));
        self.settle(kind);
    }
}

/// Moves bits that are relative to the window `from` so that they are relative to `to`, which is not earlier.
fn shift(to: i64, from: i64) -> impl Fn(u128) -> u128 {
    let by = u32::try_from(to.saturating_sub(from)).ok().filter(|n| i64::from(*n) < KEPT);
    move |bits| by.map_or(0, |by| bits << by)
}
