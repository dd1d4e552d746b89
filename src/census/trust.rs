//! Which facts suffice for a conclusion that moves the count (I15b): anybody can forge one frame.

use super::classification::Classifier;
use super::coupling::Coupling;
use super::evidence::{Evidence, Family, Field};
use super::mac::MacAddr;
use super::policy::Policy;
use super::sign::{Sign, Signs};
use super::stretches::Clock;
use super::time::{MINUTE, Timestamp};
use super::windows::{Windows, same_minute};

/// What a zone asks of facts before they join cards.
pub(super) struct Caution<'c> {
    /// Whether one fact suffices.
    pub(super) is_short: bool,
    /// For so long, what is new of a card is not late.
    pub(super) grace: i64,
    pub(super) classifier: &'c dyn Classifier,
}

impl<'c> Caution<'c> {
    pub(super) fn new(clock: &Clock, policy: &Policy, classifier: &'c dyn Classifier) -> Self {
        Self { is_short: is_short(clock, policy), grace: policy.quarantine_grace, classifier }
    }

    /// Whether a card's words count.
    pub(super) fn trusts<'f>(&self, e: &Evidence, couplings: impl IntoIterator<Item = &'f Coupling>) -> bool {
        self.is_short || e.windows.is_repeated() || is_leased(e.field, e.at, couplings)
    }

    /// Whether a coupling's proof counts.
    pub(super) fn confirms(&self, c: &Coupling) -> bool {
        self.is_short || is_confirmed(c)
    }

    /// Whether something is new of a card that has been known for long, so that a person should look at it (I15d).
    pub(super) fn is_late(&self, at: Timestamp, known: Timestamp) -> bool {
        !self.is_short && at.since(known) >= self.grace
    }

    /// Whether two cards may be of one maker. A random MAC has none.
    pub(super) fn may_be_one_make(&self, a: MacAddr, b: MacAddr) -> bool {
        let same_prefix = || a.0.first_chunk::<3>() == b.0.first_chunk::<3>();
        let maker = |mac| self.classifier.maker(mac);
        a.is_locally_administered()
            || b.is_locally_administered()
            || same_prefix()
            || maker(a).zip(maker(b)).is_some_and(|(a, b)| a == b)
    }
}

/// Whether the zone was heard for less than the grace, so that one fact suffices.
pub(super) fn is_short(clock: &Clock, policy: &Policy) -> bool {
    clock.believed().is_none_or(|(first, last)| last.since(first) < policy.quarantine_grace)
}

/// Whether words of a DHCP client came with the ACK that answers them, within a minute: two independent kinds of facts.
pub(super) fn is_leased<'c>(
    field: Field,
    at: Timestamp,
    couplings: impl IntoIterator<Item = &'c Coupling>,
) -> bool {
    let answered = |given: Timestamp| (0..MINUTE).contains(&given.since(at));
    field.family() == Family::Dhcp
        && couplings.into_iter().any(|c| [c.lease_began(), c.leased_at()].into_iter().flatten().any(answered))
}

/// Whether a coupling's proof is more than one frame: it was proven in two minutes, or packets were seen from a leased
/// address, or from a proven one in two minutes. An ACK that its client sends itself is one frame.
pub(super) fn is_confirmed(c: &Coupling) -> bool {
    let packets = Sign::UNICAST.with(Sign::LinkScope);
    c.is_proven_twice()
        || c.signs.any(packets)
            && (c.signs.has(Sign::DhcpAck) && c.first_seen != c.last_seen || c.is_seen_twice())
        || c.signs.has(Sign::Announced) && c.is_seen_twice()
}

/// The facts for a conclusion: when the first was heard, whether another one was heard in another minute, and their kinds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grounds {
    pub(super) first: Timestamp,
    /// The first time of the kind that came last.
    last: Timestamp,
    repeated: bool,
    kinds: u8,
}

impl Grounds {
    /// Facts of one kind, which is a bit.
    pub(super) const fn new(first: Timestamp, repeated: bool, kinds: u8) -> Self {
        Self { first, last: first, repeated, kinds }
    }

    /// Facts that were heard in `windows` from `first` on.
    pub(super) const fn heard((first, windows): (Timestamp, Windows), kinds: u8) -> Self {
        Self::new(first, windows.is_repeated(), kinds)
    }

    /// That packets of others were passed on, as a coupling shows. Its times are theirs only if it shows nothing else.
    pub(super) fn of(c: &Coupling, kinds: u8) -> Self {
        let passed = Sign::UNICAST.with(Sign::Sourced).with(Sign::Ttl128).union(Sign::BY_OTHERS);
        let other = c.signs.difference(passed);
        let carried = other == Signs::from(Sign::Carried) && !c.signs.any(Sign::UNICAST);
        Self::new(c.first_seen, (other.is_empty() || carried) && c.is_seen_twice(), kinds)
    }

    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        let repeated = self.repeated || other.repeated || !same_minute(self.first, other.first);
        let (first, last) = (self.first.min(other.first), self.last.max(other.last));
        Self { first, last, repeated, kinds: self.kinds | other.kinds }
    }

    /// Whether they are facts of two minutes, or of two independent kinds: one frame may show several kinds.
    pub(super) fn suffice(self) -> bool {
        self.repeated || self.kinds.count_ones() > 1 && self.first != self.last
    }
}

/// Whether a coupling is known by nothing but ARP, neighbour discovery and packets that nobody answers, or by nothing but a
/// lease (I15a).
pub(super) fn is_unconfirmed(c: &Coupling) -> bool {
    let packets = Sign::UNICAST.with(Sign::LinkScope).with(Sign::Sourced);
    let pairs = Signs::from(Sign::ArpAsked)
        .with(Sign::ArpAnswered)
        .with(Sign::ArpAnnounced)
        .with(Sign::NeighborDiscovery);
    let weak = pairs.union(packets).union(Sign::BY_OTHERS).with(Sign::Ttl128);
    let answered = c.signs.any(packets) && c.signs.has(Sign::Addressed);
    let is_lone = c.signs.difference(Sign::BY_OTHERS) == Signs::from(Sign::DhcpAck);
    let lone_lease = c.signs.has(Sign::DhcpAck) && (is_lone || c.first_seen == c.last_seen);
    (c.signs.difference(weak).is_empty() && !answered) || lone_lease
}
