//! Freshness: which sightings of known couplings and stations wait, so that not every frame of every device goes to the plan
//! service (`upload.freshness`).
//!
//! A sighting waits until the one that was sent last is older than the freshness, by the zone's frames, but not beyond the
//! UTC day. It does not wait if a conclusion could depend on it: by the coupling's own facts, or because something new of
//! another coupling is compared with it (`Kin`). So the plan service concludes what the sensor does, after every upload,
//! but for how long ago something was seen last.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::census::{Coupling, CouplingKey, Event, EvidenceSet, MacAddr, Station, Tie, Timestamp, ties_of};

/// How long sightings wait.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// In nanoseconds. 0: they do not.
    span: i64,
    /// See [`Policy::quarantine_confirm_after`](crate::census::Policy::quarantine_confirm_after).
    confirm_after: i64,
}

impl Freshness {
    pub fn new(span: Duration, confirm_after: Duration) -> Self {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        Self { span: nanos(span), confirm_after: nanos(confirm_after) }
    }

    /// Whether sightings wait at all.
    pub(super) const fn waits(self) -> bool {
        self.span > 0
    }

    /// The oldest sighting that may have been sent last while another waits.
    pub(super) const fn since(self, newest: Timestamp) -> Timestamp {
        newest.plus(self.span.saturating_neg())
    }
}

/// When a row was seen last, as the newest delta with it says: in whole seconds since 1970, rounded down. 0 before there is
/// one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sent(u32);

impl Sent {
    pub(super) fn of(last_seen: Timestamp) -> Self {
        Self(u32::try_from(last_seen.0.div_euclid(1_000_000_000)).unwrap_or_default())
    }

    fn at(self) -> Timestamp {
        Timestamp::from_secs(self.0.into())
    }
}

/// Which sightings wait.
#[derive(Debug)]
pub(super) struct Due {
    freshness: Freshness,
    newest: Timestamp,
    kin: Kin,
}

impl Due {
    /// `newest`: the zone's newest frame.
    pub(super) fn new(freshness: Freshness, newest: Timestamp, kin: Kin) -> Self {
        Self { freshness, newest, kin }
    }

    fn is_fresh(&self, sent: Sent) -> bool {
        let sent = sent.at();
        self.newest.since(sent) <= self.freshness.span && self.newest.day() == sent.day()
    }

    /// Whether a sighting of a coupling waits.
    pub(super) fn holds(&self, key: CouplingKey, facts: &Coupling, sent: Sent) -> bool {
        self.is_fresh(sent)
            && !facts.is_told_by_sighting(key, sent.at(), self.freshness.confirm_after)
            && !self.kin.has(key)
    }

    /// Whether a sighting of a station waits.
    pub(super) fn holds_station(&self, facts: &Station, sent: Sent) -> bool {
        self.is_fresh(sent) && !facts.is_told_by_sighting(sent.at())
    }
}

/// Couplings whose sightings are compared with something that is new of other couplings, as digests: a collision sends more.
///
/// First tell it of every coupling, then of the evidence of every coupling and station, and then again. The first round
/// learns the words of the cards with events, the second finds the cards with the same words.
#[derive(Debug, Default)]
pub(super) struct Kin {
    hasher: RandomState,
    since: Timestamp,
    /// Addresses and cards whose sightings do not wait.
    found: HashSet<u64, RandomState>,
    /// The addresses that a coupling used since then.
    used: Vec<u64>,
    /// Cards with events, whose words are compared.
    eventful: HashSet<MacAddr, RandomState>,
    /// Their words, and the cards themselves, which others may name.
    words: HashSet<u64, RandomState>,
}

impl Kin {
    /// Of events since that instant.
    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, ..Self::default() }
    }

    /// Notes the events of a coupling.
    pub(super) fn note(&mut self, key: CouplingKey, facts: &Coupling) {
        if facts.last_seen < self.since {
            return;
        }
        let ip = self.digest(key.ip);
        self.used.push(ip);
        for event in facts.events_since(self.since) {
            match event {
                Event::Began => {
                    if key.mac.is_locally_administered() {
                        self.eventful.insert(key.mac);
                    }
                }
                Event::Leased => {
                    self.found.insert(self.digest(key.mac));
                }
                Event::LeaseBegan => {
                    self.eventful.insert(key.mac);
                }
            }
        }
    }

    /// Ends the notes. Of an address that several cards use, it matters who used it when. Returns whether words must be
    /// compared.
    pub(super) fn noted(&mut self) -> bool {
        self.used.sort_unstable();
        let shared = self.used.windows(2).filter(|pair| matches!(pair, [a, b] if a == b));
        self.found.extend(shared.filter_map(|pair| pair.first()));
        self.used = Vec::new();
        self.words = self.eventful.iter().map(|mac| self.digest(*mac)).collect();
        !self.eventful.is_empty()
    }

    /// Learns the words of a card with events.
    pub(super) fn learn(&mut self, mac: MacAddr, evidence: &EvidenceSet) {
        if !evidence.is_empty() && self.eventful.contains(&mac) {
            let digests: Vec<u64> = ties_of(evidence).map(|tie| self.digest(tie)).collect();
            self.words.extend(digests);
        }
    }

    /// Finds a card with such words.
    pub(super) fn find(&mut self, mac: MacAddr, evidence: &EvidenceSet) {
        if ties_of(evidence).any(|tie| self.words.contains(&self.digest(tie))) {
            self.found.insert(self.digest(mac));
        }
    }

    fn has(&self, key: CouplingKey) -> bool {
        let card = self.digest(key.mac);
        self.found.contains(&card) || self.words.contains(&card) || self.found.contains(&self.digest(key.ip))
    }

    fn digest(&self, of: impl Digested) -> u64 {
        of.digest(&self.hasher)
    }
}

/// What has a digest: each kind has its own.
trait Digested {
    fn digest(self, hasher: &RandomState) -> u64;
}

impl Digested for IpAddr {
    fn digest(self, hasher: &RandomState) -> u64 {
        hasher.hash_one((0_u8, self))
    }
}

impl Digested for MacAddr {
    fn digest(self, hasher: &RandomState) -> u64 {
        hasher.hash_one((1_u8, self.0))
    }
}

impl Digested for Tie {
    fn digest(self, hasher: &RandomState) -> u64 {
        match self {
            Self::Word(word) => hasher.hash_one((2_u8, word)),
            Self::Card(mac) => mac.digest(hasher),
        }
    }
}
