//! The coupling (I1): one MAC with one IP address, and the facts that frames gave of it.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroI64;

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceSet;
use super::mac::MacAddr;
use super::time::{DAY, Timestamp};

/// VLAN ids that one coupling keeps: the smallest ones.
pub const VLANS: usize = 8;
/// Days before that of its newest frame of which a coupling keeps whether it was seen: more than the 30 of X-IDLE.
pub const DAYS: u32 = 32;

/// What identifies a coupling within its zone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CouplingKey {
    /// The card's address.
    pub mac: MacAddr,
    /// The address it uses.
    pub ip: IpAddr,
}

/// Two or three words instead of the derived implementation's many bytes: this runs once a frame.
impl Hash for CouplingKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.mac.0;
        let mac = u64::from_be_bytes([0, u8::from(self.ip.is_ipv6()), a, b, c, d, e, f]);
        match self.ip {
            IpAddr::V4(ip) => state.write_u128(u128::from(mac) << 32 | u128::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                state.write_u64(mac);
                state.write_u128(ip.to_bits());
            }
        }
    }
}

/// One way in which a coupling showed itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u16)]
pub enum Sign {
    /// It asked or announced by ARP (sender pair equal to the Ethernet source).
    ArpAsked = 1,
    /// It answered an ARP request.
    ArpAnswered = 1 << 1,
    /// NS, NA or RA with hop limit 255, unfragmented.
    NeighborDiscovery = 1 << 2,
    /// A DHCP ACK on the client's own link.
    DhcpAck = 1 << 3,
    /// A management address in its own LLDP frame.
    LldpManagement = 1 << 4,
    /// An address in its own CDP frame.
    CdpManagement = 1 << 5,
    /// A link-scope announcement: mDNS, LLMNR, NBNS, SSDP, WSD. Proves an on-link address only.
    Announced = 1 << 6,
    /// The source of an IP packet.
    Sourced = 1 << 7,
    /// The source of a unicast packet with an initial TTL (I6).
    Near = 1 << 8,
    /// The source of a unicast packet with another TTL.
    Far = 1 << 9,
    /// The source of a tunnelled packet without an Ethernet header of its own (I13).
    Carried = 1 << 10,
}

impl Sign {
    /// The signs that prove a coupling wherever its address lies (I4).
    pub const PROOFS: Signs = Signs(
        Self::ArpAsked as u16
            | Self::ArpAnswered as u16
            | Self::NeighborDiscovery as u16
            | Self::DhcpAck as u16
            | Self::LldpManagement as u16
            | Self::CdpManagement as u16,
    );

    /// Every sign, in order.
    pub const ALL: [Self; 11] = [
        Self::ArpAsked,
        Self::ArpAnswered,
        Self::NeighborDiscovery,
        Self::DhcpAck,
        Self::LldpManagement,
        Self::CdpManagement,
        Self::Announced,
        Self::Sourced,
        Self::Near,
        Self::Far,
        Self::Carried,
    ];

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ArpAsked => "asked or announced itself by ARP",
            Self::ArpAnswered => "answered for the address by ARP",
            Self::NeighborDiscovery => "spoke IPv6 neighbour discovery with hop limit 255",
            Self::DhcpAck => "was given the address by a DHCP server",
            Self::LldpManagement => "named the address as its management address by LLDP",
            Self::CdpManagement => "named the address as its own by CDP",
            Self::Announced => "announced itself on the link (mDNS, LLMNR, NetBIOS, SSDP or WS-Discovery)",
            Self::Sourced => "sent IP packets from the address",
            Self::Near => "sent unicast packets with a TTL that packets start with",
            Self::Far => "sent unicast packets with a TTL that a router has lowered",
            Self::Carried => "carried packets of the address in a tunnel",
        }
    }
}

/// A set of [`Sign`]s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Signs(pub u16);

impl Signs {
    /// The set with `sign` in it.
    #[must_use]
    pub const fn with(self, sign: Sign) -> Self {
        Self(self.0 | sign as u16)
    }

    /// The set without `sign`.
    #[must_use]
    pub const fn without(self, sign: Sign) -> Self {
        Self(self.0 & !(sign as u16))
    }

    /// Whether `sign` is in the set.
    pub const fn has(self, sign: Sign) -> bool {
        self.0 & sign as u16 != 0
    }

    /// The set without the signs of `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the sets share a sign.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no sign is in the set.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The union.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signs in the set.
    pub fn iter(self) -> impl Iterator<Item = Sign> {
        Sign::ALL.into_iter().filter(move |s| self.has(*s))
    }
}

impl From<Sign> for Signs {
    fn from(sign: Sign) -> Self {
        Self(sign as u16)
    }
}

/// What proved a coupling first (I4): the earliest frame, and the sign that it bore.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The frame's time.
    pub at: Timestamp,
    /// How it proves; of two signs at one instant the smaller.
    pub sign: Sign,
}

/// The facts of a coupling. Every field has a merge that is commutative, associative and idempotent. Small, as a
/// sensor holds a million of them: instants that may be missing take 8 bytes, VLAN ids stand inline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Coupling {
    /// The earliest frame.
    #[serde(rename = "a")]
    pub first_seen: Timestamp,
    /// The newest frame.
    #[serde(rename = "z")]
    pub last_seen: Timestamp,
    #[serde(rename = "p", default, skip_serializing_if = "At::is_never")]
    proven_at: At,
    #[serde(rename = "n", default, skip_serializing_if = "At::is_never")]
    announced_at: At,
    #[serde(rename = "l", default, skip_serializing_if = "At::is_never")]
    leased_at: At,
    /// How it showed itself.
    #[serde(rename = "s")]
    pub signs: Signs,
    /// The sign of `proven_at`; empty where nothing proves.
    #[serde(rename = "q", default, skip_serializing_if = "Signs::is_empty")]
    proven_by: Signs,
    /// On which UTC days it was seen: bit `i` stands for the day that lies `i + 1` days before that of `last_seen`.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    days: u32,
    #[serde(rename = "w", default, skip_serializing_if = "VlanSet::is_empty")]
    vlans: VlanSet,
    /// What was said from the address.
    #[serde(rename = "e", default, skip_serializing_if = "EvidenceSet::is_empty")]
    pub evidence: EvidenceSet,
}

impl Coupling {
    /// A coupling that one frame at `at` showed by `signs`.
    pub fn new(at: Timestamp, signs: Signs) -> Self {
        let mut new = Self {
            first_seen: at,
            last_seen: at,
            proven_at: At::NEVER,
            announced_at: At::NEVER,
            leased_at: At::NEVER,
            signs: Signs::default(),
            proven_by: Signs::default(),
            days: 0,
            vlans: VlanSet::default(),
            evidence: EvidenceSet::default(),
        };
        new.sight(at, at, signs);
        new
    }

    /// The earliest frame that bore one of [`Sign::PROOFS`].
    pub fn proof(&self) -> Option<Proof> {
        self.proven_at.get().zip(self.proven_by.iter().next()).map(|(at, sign)| Proof { at, sign })
    }

    /// The earliest link-scope announcement, which proves an on-link address (I4).
    pub fn announced_at(&self) -> Option<Timestamp> {
        self.announced_at.get()
    }

    /// The newest DHCP ACK for it (I8b).
    pub fn leased_at(&self) -> Option<Timestamp> {
        self.leased_at.get()
    }

    /// VLAN ids it was seen in: at most [`VLANS`], sorted. Inner and outer tags alike.
    pub fn vlans(&self) -> &[u16] {
        self.vlans.ids()
    }

    /// Records that frames between `first` and `last`, each of which bore all of `signs`, showed the coupling.
    /// Returns whether anything but `last_seen` changed.
    pub fn sight(&mut self, first: Timestamp, last: Timestamp, signs: Signs) -> bool {
        let before = self.shown();
        self.first_seen = self.first_seen.min(first);
        self.seen(last, days_before(last, first, 0));
        self.signs = self.signs.union(signs);
        if let Some(sign) = signs.intersection(Sign::PROOFS).iter().next() {
            self.prove(first, sign);
        }
        if signs.has(Sign::Announced) {
            self.announced_at = self.announced_at.earliest(At::of(first));
        }
        if signs.has(Sign::DhcpAck) {
            self.leased_at = self.leased_at.newest(At::of(last));
        }
        before != self.shown()
    }

    /// Joins that its newest frame came at `at`, after those of `days` before.
    fn seen(&mut self, at: Timestamp, days: u32) {
        let newest = self.last_seen.max(at);
        self.days = days_before(newest, self.last_seen, self.days) | days_before(newest, at, days);
        self.last_seen = newest;
    }

    /// Of two first proofs the earlier one stays, at one instant that of the smaller sign.
    fn prove(&mut self, at: Timestamp, sign: Sign) {
        let earlier = match self.proof() {
            Some(known) => (at, sign) < (known.at, known.sign),
            None => true,
        };
        if earlier {
            (self.proven_at, self.proven_by) = (At::of(at), sign.into());
        }
    }

    fn shown(&self) -> (Timestamp, Signs, At, Signs, At, At) {
        (self.first_seen, self.signs, self.proven_at, self.proven_by, self.announced_at, self.leased_at)
    }

    /// Records a VLAN id; returns whether the set changed.
    pub fn tag(&mut self, vlan: u16) -> bool {
        self.vlans.add(vlan)
    }

    /// Joins the facts of `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.last_seen, self.days, self.shown());
        self.first_seen = self.first_seen.min(other.first_seen);
        self.seen(other.last_seen, other.days);
        self.signs = self.signs.union(other.signs);
        if let Some(proof) = other.proof() {
            self.prove(proof.at, proof.sign);
        }
        self.announced_at = self.announced_at.earliest(other.announced_at);
        self.leased_at = self.leased_at.newest(other.leased_at);
        let mut changed = before != (self.last_seen, self.days, self.shown());
        for vlan in other.vlans() {
            changed |= self.tag(*vlan);
        }
        self.evidence.merge(&other.evidence) || changed
    }

    /// The same without its evidence: what a delta carries of a coupling that was only seen again.
    #[must_use]
    pub fn without_evidence(&self) -> Self {
        Self { evidence: EvidenceSet::default(), vlans: VlanSet::default(), ..self.clone() }
    }

    /// What frames before `as_of` gave, as far as the facts still tell; `None` where there was none. See
    /// [`Inventory::until`](super::Inventory::until) for what is exact and what is not. `known` is what the newest
    /// frame before `as_of` was when somebody looked earlier: it holds where no later day showed the coupling.
    #[must_use]
    pub fn until(&self, as_of: Timestamp, known: Option<Timestamp>) -> Option<Self> {
        if self.first_seen >= as_of {
            return None;
        }
        let mut out = self.clone();
        out.last_seen = self.newest_before(as_of, known);
        let back = self.last_seen.day().saturating_sub(out.last_seen.day());
        out.days = u32::try_from(back).ok().and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        let is_later = |at: At| at.get().is_some_and(|at| at >= as_of);
        if is_later(self.proven_at) {
            // The earliest proof lies later, so every sign that proves came later, and every lease.
            out.signs = out.signs.difference(Sign::PROOFS);
            (out.proven_at, out.proven_by, out.leased_at) = (At::NEVER, Signs::default(), At::NEVER);
        }
        if is_later(out.leased_at) {
            out.leased_at = At::of(out.last_seen);
        }
        if is_later(self.announced_at) {
            out.signs = out.signs.without(Sign::Announced);
            out.announced_at = At::NEVER;
        }
        out.evidence.retain_before(as_of);
        Some(out)
    }

    /// The newest frame before `as_of`, or the latest instant at which it may have come: the facts keep the newest of
    /// all frames, and of earlier ones the day.
    fn newest_before(&self, as_of: Timestamp, known: Option<Timestamp>) -> Timestamp {
        if self.last_seen < as_of {
            return self.last_seen;
        }
        let end = as_of.plus(-1);
        let back = u32::try_from(self.last_seen.day().saturating_sub(end.day())).unwrap_or(u32::MAX);
        // Bit 0 of what is left is the day of `end`.
        let seen = back.checked_sub(1).and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        let latest = match back {
            0 => end,
            1..=DAYS => {
                // Where no bit is left, the window was silent from its first day on.
                let silent = seen.trailing_zeros().min(DAYS + 1 - back);
                let day_after = end.day().saturating_sub(i64::from(silent)).saturating_add(1);
                Timestamp(day_after.saturating_mul(DAY)).plus(-1).min(end)
            }
            _ => end,
        };
        let seen_later = |at: Timestamp| (back == 0 || seen != 0) && latest.day() > at.day();
        known.filter(|at| *at < as_of && !seen_later(*at)).unwrap_or(latest).max(self.first_seen)
    }

    /// The earliest instant of which this says more than `before` did, which it was joined from; `None` where it says
    /// no more. A day is dated to its start, and what has no time of its own, such as a sign, to `seen`, the newest
    /// frame of what was joined.
    pub fn news(&self, before: Option<&Self>, seen: Timestamp) -> Option<Timestamp> {
        let Some(before) = before else { return Some(self.first_seen) };
        let days = self.days & !days_before(self.last_seen, before.last_seen, before.days);
        let new_day = || {
            let back = i64::from(u32::BITS - days.leading_zeros());
            Timestamp(self.last_seen.day().saturating_sub(back).saturating_mul(DAY))
        };
        let changed = |now: At, then: At| now.get().filter(|_| now != then);
        [
            (self.first_seen < before.first_seen).then_some(self.first_seen),
            (self.last_seen > before.last_seen).then_some(self.last_seen),
            (days != 0).then(new_day),
            changed(self.proven_at, before.proven_at),
            changed(self.announced_at, before.announced_at),
            changed(self.leased_at, before.leased_at),
            (self.signs != before.signs).then_some(seen),
            self.evidence.news(&before.evidence),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The same without the days, for laws about what the count sees.
    #[cfg(test)]
    pub(super) fn without_days(self) -> Self {
        Self { days: 0, ..self }
    }

    /// Restores the invariants that facts from outside may lack.
    pub fn normalise(&mut self) {
        match self.proof().filter(|p| Sign::PROOFS.has(p.sign)) {
            Some(proof) => self.proven_by = proof.sign.into(),
            None => (self.proven_at, self.proven_by) = (At::NEVER, Signs::default()),
        }
        self.vlans.normalise();
        self.evidence.normalise();
    }
}

/// An instant that may be missing, in 8 bytes: every instant but the smallest, which is 2,262 years away.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Option<i64>", into = "Option<i64>")]
struct At(Option<NonZeroI64>);

impl At {
    const NEVER: Self = Self(None);

    fn of(at: Timestamp) -> Self {
        Self(NonZeroI64::new(at.0 ^ i64::MIN))
    }

    fn get(self) -> Option<Timestamp> {
        self.0.map(|n| Timestamp(n.get() ^ i64::MIN))
    }

    fn is_never(&self) -> bool {
        self.0.is_none()
    }

    fn earliest(self, other: Self) -> Self {
        earliest(self.get(), other.get()).map_or(Self::NEVER, Self::of)
    }

    fn newest(self, other: Self) -> Self {
        self.get().max(other.get()).map_or(Self::NEVER, Self::of)
    }
}

impl Default for At {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<Option<i64>> for At {
    fn from(at: Option<i64>) -> Self {
        at.map_or(Self::NEVER, |n| Self::of(Timestamp(n)))
    }
}

impl From<At> for Option<i64> {
    fn from(at: At) -> Self {
        at.get().map(|t| t.0)
    }
}

/// At most [`VLANS`] ids, sorted, the smallest ones; unused places are 0, which is no id.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<u16>", into = "Vec<u16>")]
struct VlanSet([u16; VLANS]);

impl VlanSet {
    fn ids(&self) -> &[u16] {
        let end = self.0.iter().position(|id| *id == 0).unwrap_or(VLANS);
        self.0.get(..end).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    fn add(&mut self, id: u16) -> bool {
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

    fn normalise(&mut self) {
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

/// The days before that of `newest` on which a coupling was seen that was seen at `at` and on `days` before that.
fn days_before(newest: Timestamp, at: Timestamp, days: u32) -> u32 {
    match u32::try_from(newest.day().saturating_sub(at.day())) {
        Ok(0) => days,
        Ok(back @ 1..=DAYS) => (1 << (back - 1)) | days.checked_shl(back).unwrap_or(0),
        _ => 0,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// The earlier of two instants that may be missing.
pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_proof_is_kept_with_its_sign_whatever_the_order() {
        let mut a = Coupling::new(Timestamp(9), Sign::ArpAnswered.into());
        let b = Coupling::new(Timestamp(4), Signs::default().with(Sign::Sourced).with(Sign::DhcpAck));
        let mut c = b.clone();
        assert!(a.merge(&b) && c.merge(&Coupling::new(Timestamp(9), Sign::ArpAnswered.into())));
        assert_eq!(a, c);
        assert_eq!(a.proof(), Some(Proof { at: Timestamp(4), sign: Sign::DhcpAck }));
        assert_eq!(a.leased_at(), Some(Timestamp(4)));
    }

    #[test]
    fn an_announcement_is_no_proof_of_its_own() {
        let c = Coupling::new(Timestamp(0), Sign::Announced.into());
        assert_eq!((c.proof(), c.announced_at()), (None, Some(Timestamp(0))));
    }

    #[test]
    fn the_smallest_vlan_ids_stay() {
        let mut c = Coupling::new(Timestamp(0), Signs::default());
        assert!([40, 30, 20, 10, 15, 25, 35, 45].into_iter().all(|id| c.tag(id)));
        assert!(!c.tag(50) && !c.tag(10) && !c.tag(0));
        assert!(c.tag(5));
        assert_eq!(c.vlans(), [5, 10, 15, 20, 25, 30, 35, 40]);
    }

    #[test]
    fn days_are_kept_whatever_the_order() {
        let on = |days: &[i64]| {
            let mut c: Option<Coupling> = None;
            for d in days {
                let new = Coupling::new(Timestamp(d * DAY + d), Sign::Sourced.into());
                match &mut c {
                    Some(c) => drop(c.merge(&new)),
                    None => c = Some(new),
                }
            }
            c.unwrap()
        };
        assert_eq!(on(&[1, 20, 33, 34]), on(&[34, 1, 33, 20, 1]));
        assert_eq!(on(&[1, 20, 33, 34]).days, 1 | 1 << 13);
        assert_eq!(on(&[2, 34]).days, 1 << 31);
        let mut spanned = on(&[34]);
        spanned.sight(Timestamp(33 * DAY), Timestamp(33 * DAY + 5), Sign::Sourced.into());
        assert_eq!(spanned.days, 1);
    }

    #[test]
    fn a_coupling_that_came_back_was_last_seen_on_the_day_that_showed_it() {
        let end_of = |day: i64| Timestamp((day + 1) * DAY - 1);
        let mut c = Coupling::new(Timestamp(3 * DAY + 7), Sign::Sourced.into());
        for d in [10, 40] {
            c.sight(Timestamp(d * DAY + 9), Timestamp(d * DAY + 9), Sign::Sourced.into());
        }
        let seen = |as_of: i64, known| c.until(Timestamp(as_of), known).map(|c| c.last_seen);
        assert_eq!(seen(3 * DAY + 7, None), None);
        assert_eq!(seen(41 * DAY, None), Some(Timestamp(40 * DAY + 9)));
        assert_eq!(seen(40 * DAY, None), Some(end_of(10)), "silent from day 11 to 39");
        assert_eq!(seen(10 * DAY + 5, None), Some(Timestamp(10 * DAY + 4)), "within the day");
        assert_eq!(seen(10 * DAY, None), Some(end_of(7)), "before the days that are kept");
        assert_eq!(seen(8 * DAY, None), Some(end_of(7)), "nothing is kept of that day");
        // What was known earlier holds until a later day shows the coupling.
        let known = Some(Timestamp(10 * DAY + 9));
        assert_eq!(seen(40 * DAY, known), known);
        assert_eq!(seen(40 * DAY, Some(Timestamp(5 * DAY))), Some(end_of(10)));
        assert_eq!(seen(8 * DAY, Some(Timestamp(3 * DAY + 8))), Some(Timestamp(3 * DAY + 8)));
    }

    #[test]
    fn news_reach_back_to_the_earliest_instant_that_they_tell_of() {
        let at = |d: i64| Timestamp(d * DAY + 1);
        let before = Coupling::new(at(9), Sign::Sourced.into());
        let news = |delta: &Coupling| {
            let mut merged = before.clone();
            merged.merge(delta);
            merged.news(Some(&before), delta.last_seen)
        };
        assert_eq!(before.news(None, at(9)), Some(at(9)));
        assert_eq!(news(&before), None);
        assert_eq!(news(&Coupling::new(at(12), Sign::Sourced.into())), Some(at(12)));
        assert_eq!(news(&Coupling::new(at(4), Sign::Sourced.into())), Some(Timestamp(4 * DAY)), "its day");
        assert_eq!(news(&Coupling::new(at(9), Sign::ArpAsked.into())), Some(at(9)));
        let mut said = before.clone();
        said.evidence.add(super::super::Field::HttpServer, "x", at(7));
        assert_eq!(news(&said), Some(at(7)));
        // A day between, that only a late delta knows of.
        let mut late = Coupling::new(at(9), Sign::Sourced.into());
        late.sight(at(11), at(11), Sign::Sourced.into());
        late.sight(at(12), at(12), Sign::Sourced.into());
        assert_eq!(news(&late), Some(Timestamp(11 * DAY)));
    }

    #[test]
    fn a_coupling_stays_small() {
        assert!(size_of::<Coupling>() <= 72, "{}", size_of::<Coupling>());
    }
}
