//! The local couplings of a zone, card by card, and the joins of one card's addresses (I8b, I8d, I8i).

use foldhash::HashSet;

use super::address::is_link_local;
use super::binding::{Binding, Bound};
use super::coupling::Coupling;
use super::evidence::{Evidence, Field};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::on_link::OnLink;
use super::sign::Sign;
use super::station::Station;
use super::stretches::Clock;
use super::time::Timestamp;
use super::trust::Caution;

/// The local couplings, card by card.
pub(super) struct Cards<'b, 'a> {
    couplings: &'b [Bound<'a>],
    /// Their places, sorted by key.
    pub(super) local: Vec<u32>,
}

/// Addresses of a card that belong to the device of another of its addresses.
pub(super) struct Belonging {
    pub(super) owner: u32,
    pub(super) others: Vec<u32>,
}

impl<'b, 'a> Cards<'b, 'a> {
    pub(super) fn new(couplings: &'b [Bound<'a>]) -> Self {
        let local = (0u32..).zip(couplings).filter(|(_, c)| c.binding.is_local()).map(|(i, _)| i).collect();
        Self { couplings, local }
    }

    /// The same without the couplings at `places`.
    pub(super) fn without(&self, places: &HashSet<u32>) -> Self {
        let local = self.local.iter().filter(|i| !places.contains(i)).copied().collect();
        Self { couplings: self.couplings, local }
    }

    pub(super) fn get(&self, place: u32) -> Option<&'b Bound<'a>> {
        self.couplings.get(place as usize)
    }

    fn mac(&self, place: u32) -> Option<MacAddr> {
        self.get(place).map(|c| c.key.mac)
    }

    /// The local couplings with their places.
    pub(super) fn bound(&self) -> impl Iterator<Item = (u32, &'b Bound<'a>)> {
        self.local.iter().filter_map(|i| Some((*i, self.get(*i)?)))
    }

    /// The cards, each with its couplings.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MacAddr, &[u32])> {
        let cards = self.local.chunk_by(|a, b| self.mac(*a) == self.mac(*b));
        cards.filter_map(|members| Some((self.mac(*members.first()?)?, members)))
    }

    /// The couplings of one card.
    pub(super) fn of(&self, mac: MacAddr) -> &[u32] {
        let start = self.local.partition_point(|i| self.mac(*i) < Some(mac));
        let end = self.local.partition_point(|i| self.mac(*i) <= Some(mac));
        self.local.get(start..end).unwrap_or_default()
    }

    /// The couplings of some cards.
    pub(super) fn of_all<'m>(&self, macs: impl Iterator<Item = &'m MacAddr>) -> Vec<u32> {
        macs.flat_map(|mac| self.of(*mac)).copied().collect()
    }

    /// The facts of one card's couplings.
    pub(super) fn facts(&self, mac: MacAddr) -> impl Iterator<Item = &'b Bound<'a>> {
        self.of(mac).iter().filter_map(|i| self.get(*i))
    }

    /// What a card says: below IP, and from its own addresses.
    pub(super) fn words<'z>(&self, zone: &'z Zone, mac: MacAddr) -> impl Iterator<Item = &'z Evidence>
    where
        'a: 'z,
    {
        let own = self.facts(mac).flat_map(|c| &c.facts.evidence);
        own.chain(zone.stations.get(&mac).into_iter().flat_map(|s| &s.evidence))
    }

    /// The first and the last frame of one card's couplings, but for those that may be forged.
    pub(super) fn span(&self, mac: MacAddr, clock: &Clock) -> Option<(Timestamp, Timestamp)> {
        let lasting = || self.facts(mac).filter(|c| !c.passing);
        let first = lasting().map(|c| c.facts.first_seen).min()?;
        let last = lasting().map(|c| c.facts.last_seen).max()?;
        Some((clock.at(first), clock.at(last)))
    }

    /// I8(b): the couplings that one MAC has moved from, each with its successor, the newest lease. Left behind are older
    /// leases and self-assigned addresses that were silent since it was given, and the addresses that were silent before
    /// the MAC, having asked as a host that has no address, took its first lease.
    pub(super) fn lease_moves(
        &self,
        members: &[u32],
        station: Option<&Station>,
        clock: &Clock,
    ) -> Vec<(u32, u32)> {
        let v4 =
            || members.iter().filter_map(|i| Some((*i, self.get(*i)?))).filter(|(_, c)| c.key.ip.is_ipv4());
        let leased = |(i, c): (u32, &Bound<'_>)| Some((c.facts.leased_at()?, c.key, i));
        let newest = v4().filter_map(leased).max();
        // A lease that one minute shows may be forged: it succeeds none that was heard since.
        let lasting = v4().filter(|(_, c)| !c.passing).filter_map(leased).max();
        let is_heard =
            |&(_, _, i): &(_, _, u32)| self.get(i).map(|c| c.facts.last_seen) > newest.map(|n| n.0);
        let Some((lease, _, successor)) = lasting.filter(is_heard).or(newest) else { return Vec::new() };
        let booted = station
            .and_then(|s| s.evidence.iter().filter(|e| e.field == Field::DhcpBoot).map(|e| e.at).min());
        let given = v4().filter_map(|(_, c)| c.facts.lease_began());
        let first_lease = booted.and_then(|at| given.filter(|given| *given >= at).min());
        let left = |c: &Bound<'_>| {
            if c.facts.leased_at().is_some() || is_link_local(c.key.ip) {
                c.facts.last_seen <= lease
            } else {
                first_lease.is_some_and(|first| clock.at(c.facts.last_seen) < clock.at(first))
            }
        };
        v4().filter(|(i, c)| *i != successor && left(c)).map(|(i, _)| (i, successor)).collect()
    }

    /// The first of some couplings of a card that is not passing: its device owns the others.
    pub(super) fn lasting(&self, members: &[u32]) -> Option<u32> {
        members.iter().copied().find(|i| self.get(*i).is_some_and(|c| !c.passing))
    }

    /// I8(a): the coupling to whose device the IPv6 addresses of a card belong, which has these.
    pub(super) fn owner_of_ipv6(&self, members: &[u32]) -> Option<u32> {
        let lasting = self.lasting(members).filter(|i| self.get(*i).is_some_and(|c| c.key.ip.is_ipv4()));
        lasting.or_else(|| members.first().copied())
    }

    /// I8(d): the addresses that the MAC only answers for or announces by ARP, and the lowest IPv4 address that it uses
    /// itself.
    pub(super) fn proxied(&self, members: &[u32], caution: &Caution<'_>) -> Option<Belonging> {
        let only_answered = |i: &u32| self.get(*i).is_some_and(|c| is_only_answered(c.facts, caution));
        let (others, own): (Vec<u32>, Vec<u32>) = members.iter().partition(|i| only_answered(i));
        // If it has no other, that belongs to its MAC all the same: a join within one MAC needs no second fact (I15b).
        let owner = self.lasting(&own).or_else(|| own.first().copied());
        let owner = owner.filter(|i| self.get(*i).is_some_and(|c| c.key.ip.is_ipv4()))?;
        (!others.is_empty()).then_some(Belonging { owner, others })
    }

    /// I8(i): the inferred IPv4 addresses outside every known prefix, of a MAC that does not forward, and the lowest IPv4
    /// address that it has proven.
    pub(super) fn stray(
        &self,
        members: &[u32],
        on_link: &OnLink,
        caution: &Caution<'_>,
    ) -> Option<Belonging> {
        let v4 = |i: &u32| self.get(*i).filter(|c| c.key.ip.is_ipv4());
        let proven = |i: &&u32| {
            let own = |c: &Bound<'_>| c.binding == Binding::Proven && !is_only_answered(c.facts, caution);
            v4(i).is_some_and(|c| own(c) && !c.passing)
        };
        let owner = *members.iter().find(proven)?;
        let outside = |c: &Bound<'_>| !on_link.contained(c.key.ip, c.facts.first_seen);
        let stray = |i: &&u32| v4(i).is_some_and(|c| c.binding == Binding::Inferred && outside(c));
        let others: Vec<u32> = members.iter().filter(stray).copied().collect();
        (!others.is_empty()).then_some(Belonging { owner, others })
    }
}

/// Whether a MAC only answers for an address or announces it, and never uses it as a source itself (I8d). Packets whose TTL
/// a router has lowered are passed on, and what a message states about an address that was answered for before does not use it.
fn is_only_answered(c: &Coupling, caution: &Caution<'_>) -> bool {
    let is_short = caution.is_short;
    // Facts of older versions say no more.
    let sourced = c.signs.has(Sign::Sourced) && !c.signs.any(Sign::UNICAST.with(Sign::LinkScope));
    let leased = c.is_tenant((!is_short).then_some(caution.grace));
    let named = leased || c.signs.any(Sign::MANAGEMENT) && (is_short || !c.is_seen_twice());
    c.signs.any(Sign::ANSWERS) && !c.shows_use(is_short) && !named && !sourced
}
