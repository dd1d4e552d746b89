//! Bindings (I3 to I7): which couplings are local to a card, which are behind a router, and which are virtual.

use std::collections::BTreeMap;
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use serde::{Deserialize, Serialize};

use super::address::{Prefix, is_link_local, is_private, is_public};
use super::coupling::{Coupling, CouplingKey};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::on_link::OnLink;
use super::policy::Policy;
use super::sign::Sign;
use super::time::{MINUTE, Timestamp};
use super::trust::{self, Caution, Grounds};
use super::windows::same_minute;

/// How many MACs with one public address each make a /24 (IPv6: /64) one of hosts on the link (I4).
const NEIGHBOURS: usize = 3;

/// How an address is bound to a MAC (I4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Binding {
    /// The card, or its DHCP server, stated the pair on the link.
    Proven,
    /// Only IP headers show the pair, and nothing contradicts it.
    Inferred,
    /// The address is behind the card, which forwards.
    Routed,
    /// The MAC is that of a virtual router (I7).
    Virtual,
    /// The address is the broadcast address of a sent or configured prefix (I15c).
    Broadcast,
}

impl Binding {
    /// Whether the coupling belongs to a device.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Proven | Self::Inferred)
    }
}

/// Why a MAC forwards (I6): the first reason that applies, in this order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Forwards {
    /// A DHCP router option names this address of it.
    RouterOption(IpAddr),
    /// It speaks a routing or first-hop redundancy protocol, or sends router advertisements with a lifetime.
    Protocol,
    /// It carries tunnelled packets from the address (I13).
    Carries(IpAddr),
    /// It sends from a public address that is not on-link, with a lowered TTL or from another one within a minute.
    Public(IpAddr),
    /// It sends from an address that another MAC proved.
    ProvenElsewhere(IpAddr),
    /// It sends from an off-link address, and only with TTLs that a router lowered.
    OffLink(IpAddr),
}

/// The couplings of a zone that pass I1 to I3 with their bindings, and the MACs that forward.
#[derive(Debug)]
pub(super) struct Bindings<'a> {
    /// Sorted by key.
    pub(super) couplings: Vec<Bound<'a>>,
    /// The MACs that forward, each with its first reason.
    pub(super) forwarding: BTreeMap<MacAddr, Forwards>,
    /// When each of them first showed that it forwards.
    pub(super) forwarding_since: BTreeMap<MacAddr, Timestamp>,
    /// The MACs of which too few facts say that they forward (I15b).
    pub(super) doubted: BTreeMap<MacAddr, (Forwards, Timestamp)>,
    pub(super) on_link: OnLink,
    /// MACs that hold a lease and never sent a frame (I8g).
    pub(super) silent: HashSet<MacAddr>,
    /// Couplings that a card used and does not own, because others proved the address: each with one of them.
    pub(super) lost: Vec<(CouplingKey, MacAddr)>,
}

/// A coupling with its binding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) key: CouplingKey,
    pub(super) facts: &'a Coupling,
    pub(super) binding: Binding,
    /// Whether one minute and one kind of frames show it, long before or after what else shows its card: it may be forged, and
    /// owns nothing (I15b).
    pub(super) passing: bool,
}

impl Bound<'_> {
    fn has(&self, sign: Sign) -> bool {
        self.facts.signs.has(sign)
    }

    /// Whether its MAC sent a packet from it with a TTL that packets start with, if that MAC does not forward.
    fn is_near(&self, is_short: bool) -> bool {
        self.facts.shows(Sign::Near, is_short) || self.has(Sign::Sixty) && self.facts.shows_use(is_short)
    }

    /// Whether a router has lowered the TTLs of all its packets.
    fn is_far(&self, is_short: bool) -> bool {
        self.facts.shows(Sign::Far, is_short) && !self.is_near(is_short)
    }

    /// Whether both have the same MAC and the same family of addresses.
    fn is_beside(&self, other: &Self) -> bool {
        (self.key.mac, self.key.ip.is_ipv4()) == (other.key.mac, other.key.ip.is_ipv4())
    }
}

impl<'a> Bindings<'a> {
    /// Derives the bindings of a zone. A function of the merged facts alone.
    ///
    /// First come the couplings that prove themselves, whatever else is known. Then come the MACs that forward, as the
    /// other couplings show by comparison with the proven ones. The rest is judged last.
    ///
    /// In a zone that `is_short`, one fact suffices for what moves the count (I15b).
    pub(super) fn derive(zone: &'a Zone, policy: &Policy, is_short: bool) -> Self {
        let mut couplings: Vec<Bound<'a>> = zone
            .couplings
            .iter()
            .filter(|(_, facts)| !facts.signs.is_only_by_others())
            .map(|(key, facts)| Bound { key: *key, facts, binding: by_itself(*key, facts), passing: false })
            .collect();
        if !is_short {
            mark_passing(&mut couplings, policy.quarantine_grace);
        }
        let mut proofs = Proofs::new(zone, &couplings, policy, is_short);
        let on_link = OnLink::new(&zone.segment, policy, is_short, |prefix| proofs.cards_in(prefix));
        mark_broadcasts(&mut couplings, &on_link);
        for c in &mut couplings {
            // What was long known by other frames is not on the link because one frame says so (I15b).
            if c.binding == Binding::Proven && !is_short && c.facts.is_proven_apart(policy.quarantine_grace) {
                let is_here = on_link.contained(c.key.ip, c.facts.first_seen);
                c.binding = if is_here { Binding::Proven } else { Binding::Inferred };
            }
            if c.binding == Binding::Inferred && c.has(Sign::Announced) && on_link.contains(c.key.ip) {
                c.binding = Binding::Proven;
            }
        }
        proofs.learn(&couplings);

        let mut forwarding = Forwarding { grounds: BTreeMap::new(), is_short };
        for (mac, station) in zone.stations.iter().filter(|(mac, _)| !mac.is_virtual_router()) {
            for heard in station.speaks_routing() {
                forwarding.note(*mac, Forwards::Protocol, Grounds::heard(heard, SPEAKS));
            }
        }
        let owned = couplings.iter().filter(|c| c.binding == Binding::Proven);
        for c in owned.filter(|c| is_short || trust::is_confirmed(c.facts)) {
            if let Some(taught) = zone.segment.routers.get(&c.key.ip) {
                let (named, windows) = taught.heard();
                let claimed = c.facts.proof().map_or(named, |proof| named.max(proof.at));
                let grounds = Grounds::heard((claimed, windows), NAMED);
                forwarding.note(c.key.mac, Forwards::RouterOption(c.key.ip), grounds);
            }
        }
        forwarding.compare(&couplings, &on_link, &proofs);
        if prove_public_announcements(&mut couplings, &forwarding) {
            proofs.learn(&couplings);
            forwarding.compare(&couplings, &on_link, &proofs);
        }
        let mut lost = Vec::new();
        let local = judge_inferred(&couplings, &on_link, &proofs, &forwarding, &mut lost);
        for (c, local) in couplings.iter_mut().zip(local) {
            if c.binding == Binding::Inferred && !local {
                c.binding = Binding::Routed;
            }
        }
        let (sure, doubted): (BTreeMap<_, _>, BTreeMap<_, _>) = forwarding
            .grounds
            .iter()
            .map(|(mac, known)| (*mac, *known))
            .partition(|(mac, _)| forwarding.has(*mac));
        Self {
            couplings,
            forwarding: sure.iter().map(|(mac, (why, _))| (*mac, *why)).collect(),
            forwarding_since: sure.iter().map(|(mac, (_, facts))| (*mac, facts.first)).collect(),
            doubted: doubted.into_iter().map(|(mac, (why, facts))| (mac, (why, facts.first))).collect(),
            on_link,
            silent: proofs.silent,
            lost,
        }
    }

    /// The couplings that a card lost to another one which proved the address late, while the card used it: each with the
    /// other card and the instant of its proof (I15d).
    pub(super) fn taken<'t>(
        &'t self,
        caution: &'t Caution<'_>,
    ) -> impl Iterator<Item = (CouplingKey, MacAddr, Timestamp)> + 't {
        let facts = |key: &CouplingKey| Some(self.couplings.get(self.place_of(key)?)?.facts);
        self.lost.iter().filter_map(move |(key, by)| {
            let used = facts(key)?;
            let at = facts(&CouplingKey { mac: *by, ip: key.ip })?.proof()?.at;
            let in_use = at.since(used.last_seen) < caution.grace;
            (in_use && caution.is_late(at, used.first_seen)).then_some((*key, *by, at))
        })
    }

    fn place_of(&self, key: &CouplingKey) -> Option<usize> {
        self.couplings.binary_search_by(|c| c.key.cmp(key)).ok()
    }

    /// The place of a coupling that belongs to a device.
    pub(super) fn place(&self, key: &CouplingKey) -> Option<u32> {
        let place = self.place_of(key)?;
        self.couplings.get(place).filter(|c| c.binding.is_local())?;
        u32::try_from(place).ok()
    }

    /// The first frame of a card's couplings that belong to devices. What anybody stated of the card once makes it known
    /// only if nothing else does (I15b), or if it `is_client` of a bridge.
    pub(super) fn first_of(&self, mac: MacAddr, is_client: bool) -> Option<Timestamp> {
        let local = self.of(mac).filter(|c| c.binding.is_local());
        let by_others = |c: &Bound<'_>| !is_client && c.facts.is_stated_once();
        local.map(|c| (by_others(c), c.facts.first_seen)).min().map(|(_, first)| first)
    }

    /// The first frame of any of a card's couplings.
    pub(super) fn known_since(&self, mac: MacAddr) -> Option<Timestamp> {
        self.of(mac).map(|c| c.facts.first_seen).min()
    }

    /// The couplings of a card.
    fn of(&self, mac: MacAddr) -> impl Iterator<Item = &Bound<'a>> {
        let start = self.couplings.partition_point(|c| c.key.mac < mac);
        self.couplings.iter().skip(start).take_while(move |c| c.key.mac == mac)
    }

    /// The couplings that belong to devices: proven or inferred.
    pub(super) fn local(&self) -> impl Iterator<Item = &Bound<'a>> {
        self.couplings.iter().filter(|c| c.binding.is_local())
    }
}

/// The binding by the coupling's own facts alone.
fn by_itself(key: CouplingKey, facts: &Coupling) -> Binding {
    if key.mac.is_virtual_router() {
        Binding::Virtual
    } else if facts.signs.any(Sign::PROOFS) {
        Binding::Proven
    } else {
        Binding::Inferred
    }
}

/// Marks the couplings that one minute and one kind of frames show, long after the first of their cards' other couplings or
/// long before it.
fn mark_passing(couplings: &mut [Bound<'_>], grace: i64) {
    for card in couplings.chunk_by_mut(|a, b| a.key.mac == b.key.mac) {
        let lasting = card.iter().filter(|c| c.facts.is_firm());
        let Some(first) = lasting.map(|c| c.facts.first_seen).min() else { continue };
        for c in card {
            c.passing = !c.facts.is_firm() && c.facts.first_seen.since(first).saturating_abs() >= grace;
        }
    }
}

/// I15(c): couplings with the broadcast address of a sent or configured prefix belong to no device, unless one MAC both
/// proves the address and sends unicast packets from it, or sends them in two minutes.
fn mark_broadcasts(couplings: &mut [Bound<'_>], on_link: &OnLink) {
    let is_used = |c: &Bound<'_>| {
        let minute = |t: Timestamp| t.0.div_euclid(MINUTE);
        c.facts.signs.any(Sign::UNICAST)
            && (c.facts.signs.any(Sign::PROOFS) || minute(c.facts.first_seen) != minute(c.facts.last_seen))
    };
    let broadcast = |c: &&Bound<'_>| matches!(c.key.ip, IpAddr::V4(ip) if on_link.is_broadcast(ip));
    let used: HashSet<IpAddr> =
        couplings.iter().filter(broadcast).filter(|c| is_used(c)).map(|c| c.key.ip).collect();
    for c in couplings.iter_mut().filter(|c| c.binding != Binding::Virtual) {
        if broadcast(&&*c) && !used.contains(&c.key.ip) {
            c.binding = Binding::Broadcast;
        }
    }
}

/// Which MACs proved which addresses.
struct Proofs {
    /// Those that more than one frame shows (I15b), sorted.
    pairs: Vec<(IpAddr, MacAddr)>,
    is_short: bool,
    /// For so long, what is new of a card is not late.
    grace: i64,
    /// MACs that hold a lease and never sent a frame (I8g).
    silent: HashSet<MacAddr>,
}

impl Proofs {
    fn new(zone: &Zone, couplings: &[Bound<'_>], policy: &Policy, is_short: bool) -> Self {
        let mut silent = HashSet::new();
        for card in couplings.chunk_by(|a, b| a.key.mac == b.key.mac) {
            let grace = (!is_short).then_some(policy.quarantine_grace);
            let leased_only = |c: &Bound<'_>| c.facts.is_mute(grace);
            let Some((mac, lease)) = card.iter().find(|c| leased_only(c)).map(|c| (c.key.mac, c.facts))
            else {
                continue;
            };
            // One frame in its name, long after its lease, gives no voice to it.
            let began = lease.lease_began().unwrap_or(lease.first_seen);
            let strays = |first: Timestamp, last: Timestamp| {
                !is_short && same_minute(first, last) && first.since(began) >= policy.quarantine_grace
            };
            let station = zone.stations.get(&mac);
            let is_mute = station.is_none_or(|s| strays(s.first_seen, s.last_seen));
            let own = |c: &Bound<'_>| !leased_only(c) && !strays(c.facts.first_seen, c.facts.last_seen);
            if is_mute && !card.iter().any(own) {
                silent.insert(mac);
            }
        }
        let grace = policy.quarantine_grace;
        let mut proofs = Self { pairs: Vec::new(), is_short, grace, silent };
        proofs.learn(couplings);
        proofs
    }

    /// Takes the proven couplings.
    fn learn(&mut self, couplings: &[Bound<'_>]) {
        let is_firm =
            |c: &&Bound<'_>| c.binding == Binding::Proven && (self.is_short || trust::is_confirmed(c.facts));
        let proven = couplings.iter().filter(is_firm);
        self.pairs = proven.map(|c| (c.key.ip, c.key.mac)).collect();
        self.pairs.sort_unstable();
    }

    fn of(&self, ip: IpAddr) -> impl Iterator<Item = MacAddr> {
        let start = self.pairs.partition_point(|(known, _)| *known < ip);
        self.pairs.iter().skip(start).take_while(move |(known, _)| *known == ip).map(|(_, mac)| *mac)
    }

    /// Another MAC than `mac` that proves the address, which is not only its holder's lease (I8g).
    fn elsewhere(&self, ip: IpAddr, mac: MacAddr) -> Option<MacAddr> {
        self.of(ip).find(|other| *other != mac && !self.silent.contains(other))
    }

    /// The number of MACs that prove addresses in the prefix, up to two.
    fn cards_in(&self, prefix: &Prefix) -> usize {
        let start = self.pairs.partition_point(|(ip, _)| *ip < prefix.address());
        let mut inside = self.pairs.iter().skip(start).take_while(|(ip, _)| prefix.contains(*ip));
        let Some((_, first)) = inside.next() else { return 0 };
        1 + usize::from(inside.any(|(_, mac)| mac != first))
    }
}

/// Kinds of facts that a MAC forwards: it speaks for itself, others name it, it passes packets on.
const SPEAKS: u8 = 1;
const NAMED: u8 = 2;
const PASSES: u8 = 4;

/// The MACs that forward (I6), each with its first reason and what it rests on.
struct Forwarding {
    grounds: BTreeMap<MacAddr, (Forwards, Grounds)>,
    is_short: bool,
}

impl Forwarding {
    fn note(&mut self, mac: MacAddr, why: Forwards, facts: Grounds) {
        let known = self.grounds.entry(mac).or_insert((why, facts));
        *known = (known.0.min(why), known.1.and(facts));
    }

    fn has(&self, mac: MacAddr) -> bool {
        self.grounds.get(&mac).is_some_and(|(_, facts)| self.is_short || facts.suffice())
    }

    /// Notes the MACs that send from addresses which they have not proven and which cannot be theirs.
    fn compare(&mut self, couplings: &[Bound<'_>], on_link: &OnLink, proofs: &Proofs) {
        for card in couplings.chunk_by(Bound::is_beside) {
            let is_short = self.is_short;
            let passes = passes_many(card, is_short);
            let unproven = || card.iter().filter(|c| c.binding == Binding::Inferred);
            let mut foreign = Vec::new();
            for c in unproven() {
                let CouplingKey { mac, ip } = c.key;
                let off_link = !on_link.contains(ip) || passes && is_passed(c, is_short);
                let seen = Grounds::of(c.facts, PASSES);
                if c.has(Sign::Carried) {
                    self.note(mac, Forwards::Carries(ip), seen);
                } else if off_link && is_public(ip) {
                    if c.is_far(is_short) {
                        self.note(mac, Forwards::Public(ip), seen);
                    }
                    if c.facts.signs.any(Sign::UNICAST) && !c.facts.is_passed_on() {
                        // A host has several IPv6 addresses of its own in one /64 (RFC 8981).
                        let host = Prefix::block(ip, 32, 64);
                        foreign.extend([(c.facts.first_seen, host, ip), (c.facts.last_seen, host, ip)]);
                    }
                }
                if proofs.elsewhere(ip, mac).is_some() {
                    self.note(mac, Forwards::ProvenElsewhere(ip), seen);
                } else if off_link && !is_public(ip) && c.is_far(is_short) {
                    self.note(mac, Forwards::OffLink(ip), seen);
                }
            }
            // Two public addresses within a minute.
            foreign.sort_unstable();
            let close = |pair: &&[(Timestamp, Prefix, IpAddr)]| matches!(pair, [a, b] if a.1 != b.1 && b.0.since(a.0) < MINUTE);
            let pairs = || foreign.windows(2).filter(close);
            if let (Some(c), Some([a, b]), Some([.., last])) =
                (card.first(), pairs().next(), pairs().next_back())
            {
                let facts = Grounds::new(a.0, !same_minute(a.0, last.0), PASSES);
                self.note(c.key.mac, Forwards::Public(a.2.min(b.2)), facts);
            }
        }
    }
}

/// I4: an announcement from a public address proves it, if the MAC does not forward and no other address of the family is
/// its own. Returns whether it proved any.
fn prove_public_announcements(couplings: &mut [Bound<'_>], forwarding: &Forwarding) -> bool {
    let mut any = false;
    for card in couplings.chunk_by_mut(|a, b| a.is_beside(b)) {
        let announced =
            |c: &Bound<'_>| c.binding == Binding::Inferred && c.has(Sign::Announced) && is_public(c.key.ip);
        let is_own = |c: &&Bound<'_>| {
            announced(c) || c.binding == Binding::Proven && !(c.key.ip.is_ipv6() && is_link_local(c.key.ip))
        };
        // What one minute shows takes nothing from what lasts.
        let lasts = card.iter().filter(is_own).any(|c| !c.passing);
        if card.iter().filter(is_own).filter(|c| !(lasts && c.passing)).count() == 1
            && let Some(c) = card.iter_mut().find(|c| announced(c) && !(lasts && c.passing))
            && !forwarding.has(c.key.mac)
        {
            c.binding = Binding::Proven;
            any = true;
        }
    }
    any
}

/// I4: which of the couplings that only IP headers show belong to their MACs.
fn judge_inferred(
    couplings: &[Bound<'_>],
    on_link: &OnLink,
    proofs: &Proofs,
    forwarding: &Forwarding,
    lost: &mut Vec<(CouplingKey, MacAddr)>,
) -> Vec<bool> {
    let mut local = vec![false; couplings.len()];
    // By /24 or /64: the MACs with one public address there, and the places of these couplings.
    let mut lone: HashMap<Prefix, Vec<usize>> = HashMap::new();
    let mut start = 0;
    for card in couplings.chunk_by(Bound::is_beside) {
        let places = start..start + card.len();
        start = places.end;
        let forwards = card.first().is_some_and(|c| forwarding.has(c.key.mac));
        let own = if forwards { own_of_router(card, proofs) } else { None };
        // What one minute shows takes no address away, and makes no neighbourhood.
        let lasts = |c: &&Bound<'_>| proofs.is_short || c.facts.is_seen_twice();
        let alone = only_of(card.iter().filter(lasts), proofs);
        let is_short = proofs.is_short;
        let passes = passes_many(card, is_short);
        for (place, c) in places.zip(card).filter(|(_, c)| c.binding == Binding::Inferred) {
            let ip = c.key.ip;
            let is_own = if forwards {
                own == Some(ip)
            } else if let Some(other) = proofs.elsewhere(ip, c.key.mac) {
                lost.extend(c.is_near(is_short).then_some((c.key, other)));
                false
            } else if on_link.contains(ip) {
                !(passes && is_passed(c, is_short))
            } else if is_public(ip) {
                if alone == Some(c.key) && c.is_near(is_short) {
                    lone.entry(neighbourhood(ip)).or_default().push(place);
                }
                false
            } else {
                c.is_near(is_short)
                    || !c.facts.signs.any(Sign::UNICAST)
                    || c.has(Sign::LinkScope) && !c.is_far(is_short)
            };
            if let Some(slot) = local.get_mut(place) {
                *slot = is_own;
            }
        }
    }
    for (prefix, places) in lone {
        if places.len() >= NEIGHBOURS || proofs.cards_in(&prefix) > 0 {
            for place in places {
                if let Some(slot) = local.get_mut(place) {
                    *slot = true;
                }
            }
        }
    }
    local
}

/// A card's only address of a family but for link-local ones. What it takes up long afterwards takes nothing from it (I15d).
fn only_of<'c>(card: impl Iterator<Item = &'c Bound<'c>> + Clone, proofs: &Proofs) -> Option<CouplingKey> {
    let own = card.filter(|c| !is_link_local(c.key.ip)).map(|c| (c.facts.first_seen, c.key));
    let first = own.clone().min()?;
    let is_late = |at: Timestamp| !proofs.is_short && at.since(first.0) >= proofs.grace;
    own.filter(|other| *other != first).all(|(at, _)| is_late(at)).then_some(first.1)
}

/// The one private address that a forwarding MAC owns without a proof (I4): it has proven no address of the family, it sent
/// from exactly one private address with an initial TTL, and no other MAC proves that. `card` has one MAC's addresses of
/// one family.
fn own_of_router(card: &[Bound<'_>], proofs: &Proofs) -> Option<IpAddr> {
    let mut lasting = card.iter().filter(|c| proofs.is_short || c.facts.is_firm() && !c.passing);
    if lasting.any(|c| c.binding == Binding::Proven && !(c.key.ip.is_ipv6() && is_link_local(c.key.ip))) {
        return None;
    }
    let mut near = card.iter().filter(|c| {
        let lasts = proofs.is_short || c.facts.is_seen_twice();
        // A packet in a tunnel takes no address from a router that uses it (I15b).
        let is_carried = c.has(Sign::Carried) && (proofs.is_short || !c.facts.near_in.is_repeated());
        let own = is_private(c.key.ip) && c.facts.shows(Sign::Near, proofs.is_short) && !is_carried;
        c.binding == Binding::Inferred && own && lasts
    });
    let (only, more) = (near.next()?, near.next());
    (more.is_none() && proofs.elsewhere(only.key.ip, only.key.mac).is_none()).then_some(only.key.ip)
}

/// So many addresses of one family, seen only with lowered TTLs, are those of hosts behind a MAC, whatever prefix is taught.
const PASSED: usize = 3;

fn is_passed(c: &Bound<'_>, is_short: bool) -> bool {
    c.binding == Binding::Inferred && c.is_far(is_short)
}

/// Whether a card's packets of one family are those of many others: no forged mask or exchange makes them its own.
fn passes_many(card: &[Bound<'_>], is_short: bool) -> bool {
    card.iter().filter(|c| is_passed(c, is_short)).count() >= PASSED
}

/// The /24 or /64 of an address.
fn neighbourhood(ip: IpAddr) -> Prefix {
    Prefix::block(ip, 24, 64)
}
