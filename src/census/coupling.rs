//! The coupling (I1): one MAC with one IP address, and what frames showed of it.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::clamp::Clamp;
use super::compact::{OptionalTime, VlanSet};
use super::evidence_set::EvidenceSet;
use super::mac::MacAddr;
use super::repeat::Repeat;
use super::sign::{Sign, Signs};
use super::time::{DAY, MINUTE, Timestamp};
use super::windows::Windows;

/// A coupling remembers for this many days before the day of its newest frame whether it was seen. More than the 30 days
/// of X-IDLE.
pub const DAYS: u32 = 32;

/// Identifies a coupling within its zone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CouplingKey {
    pub mac: MacAddr,
    pub ip: IpAddr,
}

/// Hashes two or three words, where the derived implementation hashes many bytes: this runs once per frame.
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

/// The first proof of a coupling (I4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proof {
    pub at: Timestamp,
    /// The smaller sign if two proved at the same instant.
    pub sign: Sign,
}

/// The facts of a coupling. The merge of each field is commutative, associative and idempotent. Small, because a sensor
/// holds a million couplings.
///
/// A MAC that only described the host with an address is not a sender (I2), so its row is not a coupling. It keeps what was
/// said until the census knows whose words they are. Its times are those of the descriptions; once the MAC sends from the
/// address itself, only its own frames give the times.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Coupling {
    #[serde(rename = "a")]
    pub first_seen: Timestamp,
    #[serde(rename = "z")]
    pub last_seen: Timestamp,
    #[serde(rename = "p", default, skip_serializing_if = "OptionalTime::is_never")]
    pub(super) proven_at: OptionalTime,
    #[serde(rename = "n", default, skip_serializing_if = "OptionalTime::is_never")]
    announced_at: OptionalTime,
    #[serde(rename = "l", default, skip_serializing_if = "OptionalTime::is_never")]
    leased_at: OptionalTime,
    #[serde(rename = "s")]
    pub signs: Signs,
    /// The sign at `proven_at`; empty without a proof.
    #[serde(rename = "q", default, skip_serializing_if = "Signs::is_empty")]
    proven_by: Signs,
    /// The UTC days on which it was seen: bit `i` stands for the day `i + 1` days before that of `last_seen`.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    days: u32,
    /// The windows in which it was proven, from `proven_at` on. Facts of older versions lack them.
    #[serde(rename = "pw", default = "twice")]
    pub(super) proven_in: Windows,
    /// The minutes with the signs that one forged packet could show (I15b): [`Sign::Near`], [`Sign::Far`],
    /// [`Sign::Ttl128`].
    #[serde(rename = "ni", default, skip_serializing_if = "Repeat::is_never")]
    pub(super) near_in: Repeat,
    #[serde(rename = "fi", default, skip_serializing_if = "Repeat::is_never")]
    pub(super) far_in: Repeat,
    #[serde(rename = "ti", default, skip_serializing_if = "Repeat::is_never")]
    pub(super) ttl128_in: Repeat,
    /// The minutes with any of [`Sign::OWN_USE`]. Facts of older versions lack them: see [`Self::used`].
    #[serde(rename = "oi", default, skip_serializing_if = "Repeat::is_never")]
    pub(super) used_in: Repeat,
    /// The minutes with any of [`Sign::ANSWERS`]. Facts of older versions lack them: see [`Self::answered`].
    #[serde(rename = "ai", default, skip_serializing_if = "Repeat::is_never")]
    pub(super) answered_in: Repeat,
    #[serde(rename = "w", default, skip_serializing_if = "VlanSet::is_empty")]
    vlans: VlanSet,
    /// What frames from the address said.
    #[serde(rename = "e", default, skip_serializing_if = "EvidenceSet::is_empty")]
    pub evidence: EvidenceSet,
}

/// The signs whose minutes are kept.
const TIMED: Signs = Sign::UNICAST.with(Sign::Ttl128).union(Sign::OWN_USE).union(Sign::ANSWERS);

const fn twice() -> Windows {
    Windows::TWICE
}

impl Coupling {
    /// A coupling that one frame at `at` showed, with `signs`.
    pub fn new(at: Timestamp, signs: Signs) -> Self {
        let mut new = Self {
            first_seen: at,
            last_seen: at,
            proven_at: OptionalTime::NEVER,
            announced_at: OptionalTime::NEVER,
            leased_at: OptionalTime::NEVER,
            signs: Signs::default(),
            proven_by: Signs::default(),
            days: 0,
            proven_in: Windows::ONCE,
            near_in: Repeat::NEVER,
            far_in: Repeat::NEVER,
            ttl128_in: Repeat::NEVER,
            used_in: Repeat::NEVER,
            answered_in: Repeat::NEVER,
            vlans: VlanSet::default(),
            evidence: EvidenceSet::default(),
        };
        new.sight(at, at, signs);
        new
    }

    /// The earliest frame with one of [`Sign::PROOFS`].
    pub fn proof(&self) -> Option<Proof> {
        self.proven_at.get().zip(self.proven_by.iter().next()).map(|(at, sign)| Proof { at, sign })
    }

    /// The earliest link-scope announcement, which proves an on-link address (I4).
    pub fn announced_at(&self) -> Option<Timestamp> {
        self.announced_at.get()
    }

    /// The newest DHCP ACK for it (I8b).
    pub(super) fn leased_at(&self) -> Option<Timestamp> {
        self.leased_at.get()
    }

    /// When its lease began: its first proof if that is an ACK, else the newest ACK (I8b, I8c).
    pub(super) fn lease_began(&self) -> Option<Timestamp> {
        let newest = self.leased_at()?;
        Some(self.proof().filter(|proof| proof.sign == Sign::DhcpAck).map_or(newest, |proof| proof.at))
    }

    /// The VLAN ids of its inner and outer tags, sorted; at most `VLANS`.
    pub fn vlans(&self) -> Vec<u16> {
        self.vlans.ids().collect()
    }

    /// Records frames from `first` to `last`, each with all of `signs`, in one window of ten minutes. Returns whether
    /// anything but `last_seen` and the days changed.
    pub fn sight(&mut self, first: Timestamp, last: Timestamp, signs: Signs) -> bool {
        let before = self.shown();
        match (self.signs.is_only_by_others(), signs.is_only_by_others()) {
            (true, false) => {
                (self.first_seen, self.last_seen, self.days) = (first, last, days_before(last, first, 0));
            }
            (false, true) if !self.signs.is_empty() => {}
            _ => {
                self.first_seen = self.first_seen.min(first);
                self.seen(last, days_before(last, first, 0));
            }
        }
        self.used_in = if signs.any(Sign::OWN_USE) { self.used() } else { self.used_in };
        self.answered_in = if signs.any(Sign::ANSWERS) { self.answered() } else { self.answered_in };
        self.signs = self.signs.union(signs);
        if let Some(sign) = signs.intersection(Sign::PROOFS).iter().next() {
            self.prove(first, sign, Windows::ONCE);
            self.prove(last, sign, Windows::ONCE);
        }
        if signs.any(TIMED) {
            let seen = Repeat::once(first).join(Repeat::once(last));
            for (shown, repeat) in self.repeats() {
                if signs.any(shown) {
                    *repeat = repeat.join(seen);
                }
            }
        }
        if signs.has(Sign::Announced) {
            self.announced_at = self.announced_at.earliest(OptionalTime::of(first));
        }
        if signs.has(Sign::DhcpAck) {
            self.leased_at = self.leased_at.newest(OptionalTime::of(last));
        }
        before != self.shown()
    }

    fn repeats(&mut self) -> [(Signs, &mut Repeat); 5] {
        [
            (Sign::Near.into(), &mut self.near_in),
            (Sign::Far.into(), &mut self.far_in),
            (Sign::Ttl128.into(), &mut self.ttl128_in),
            (Sign::OWN_USE, &mut self.used_in),
            (Sign::ANSWERS, &mut self.answered_in),
        ]
    }

    /// The UTC days on which it was seen, of the 30 that end with that of `at`: bit `i` stands for the day `i` days before.
    pub fn days_until(&self, at: Timestamp) -> u32 {
        let back = at.0.div_euclid(DAY) - self.last_seen.0.div_euclid(DAY);
        match u32::try_from(back) {
            Ok(back) if back < 30 => {
                let seen = 1 | u64::from(self.days) << 1;
                u32::try_from((seen << back) & ((1 << 30) - 1)).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Records a frame at `at`, and frames on the `days` before it.
    fn seen(&mut self, at: Timestamp, days: u32) {
        let newest = self.last_seen.max(at);
        self.days = days_before(newest, self.last_seen, self.days) | days_before(newest, at, days);
        self.last_seen = newest;
    }

    /// Records a proof. The earliest stays; at the same instant, the one with the smaller sign.
    fn prove(&mut self, at: Timestamp, sign: Sign, windows: Windows) {
        let known = self.proof();
        if known.is_none_or(|known| (at, sign) < (known.at, known.sign)) {
            self.proven_by = sign.into();
        }
        let (at, windows) = match known {
            Some(known) => Windows::join((known.at, self.proven_in), (at, windows)),
            None => (at, windows),
        };
        (self.proven_at, self.proven_in) = (OptionalTime::of(at), windows);
    }

    fn shown(&self) -> impl PartialEq + use<> {
        let proof = (self.proven_at, self.proven_by, self.proven_in);
        (self.first_seen, self.signs, proof, self.repeated(), self.announced_at, self.leased_at)
    }

    const fn repeated(&self) -> [Repeat; 5] {
        [self.near_in, self.far_in, self.ttl128_in, self.used_in, self.answered_in]
    }

    /// Records a VLAN id; returns whether the set changed.
    pub fn tag(&mut self, vlan: u16) -> bool {
        self.vlans.add(vlan)
    }

    /// Joins the facts of `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.last_seen, self.days, self.shown());
        match (self.signs.is_only_by_others(), other.signs.is_only_by_others()) {
            (true, false) => {
                (self.first_seen, self.last_seen, self.days) =
                    (other.first_seen, other.last_seen, other.days);
            }
            (false, true) => {}
            _ => {
                self.first_seen = self.first_seen.min(other.first_seen);
                self.seen(other.last_seen, other.days);
            }
        }
        if !(self.used_in.is_never() && other.used_in.is_never()) {
            self.used_in = self.used().join(other.used());
        }
        if !(self.answered_in.is_never() && other.answered_in.is_never()) {
            self.answered_in = self.answered().join(other.answered());
        }
        self.signs = self.signs.union(other.signs);
        if let Some(proof) = other.proof() {
            self.prove(proof.at, proof.sign, other.proven_in);
        }
        self.near_in = self.near_in.join(other.near_in);
        self.far_in = self.far_in.join(other.far_in);
        self.ttl128_in = self.ttl128_in.join(other.ttl128_in);
        self.announced_at = self.announced_at.earliest(other.announced_at);
        self.leased_at = self.leased_at.newest(other.leased_at);
        let mut changed = before != (self.last_seen, self.days, self.shown());
        for vlan in other.vlans.ids() {
            changed |= self.tag(vlan);
        }
        self.evidence.merge(&other.evidence) || changed
    }

    /// The coupling without evidence and VLAN ids: what a delta carries if it was only seen again.
    #[must_use]
    pub fn without_evidence(&self) -> Self {
        Self { evidence: EvidenceSet::default(), vlans: VlanSet::default(), ..self.clone() }
    }

    /// The facts as of frames before `as_of`, as far as they are still known; `None` if all frames came later.
    /// [`Inventory::until`](super::Inventory::until) says what is exact. `known` is the newest frame before `as_of` as an
    /// earlier snapshot recorded it; it is used unless the coupling was seen on a later day before `as_of`.
    #[must_use]
    pub fn until(&self, as_of: Timestamp, known: Option<Timestamp>) -> Option<Self> {
        if self.first_seen >= as_of {
            return None;
        }
        let mut out = self.clone();
        out.last_seen = self.newest_before(as_of, known);
        let back = self.last_seen.day().saturating_sub(out.last_seen.day());
        out.days = u32::try_from(back).ok().and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        let is_later = |at: OptionalTime| at.get().is_some_and(|at| at >= as_of);
        if is_later(self.proven_at) {
            // The earliest proof came later, so all proofs and all leases did.
            out.signs = out.signs.difference(Sign::PROOFS);
            (out.proven_at, out.proven_by, out.leased_at) =
                (OptionalTime::NEVER, Signs::default(), OptionalTime::NEVER);
            out.proven_in = Windows::ONCE;
        } else if let Some(first) = self.proven_at.get() {
            out.proven_in = self.proven_in.until(first, as_of);
        }
        if is_later(out.leased_at) {
            out.leased_at = OptionalTime::of(out.last_seen);
        }
        // Signs whose first minute is kept and came later were not there yet.
        let mut later = Signs::default();
        for (shown, repeat) in out.repeats() {
            if !repeat.is_never() && repeat.is_since(as_of.plus(MINUTE)) {
                *repeat = Repeat::NEVER;
                later = later.union(shown);
            }
        }
        out.signs = out.signs.difference(later);
        if is_later(self.announced_at) {
            out.signs = out.signs.without(Sign::Announced);
            out.announced_at = OptionalTime::NEVER;
        }
        out.evidence.retain_before(as_of);
        Some(out)
    }

    /// As [`Self::until`], with the least that can have been known: signs only if they are dated, or among `kept`, and the
    /// newest frame at the earliest instant at which it can have come.
    #[must_use]
    pub(super) fn at_least_until(
        &self,
        as_of: Timestamp,
        kept: Signs,
        known: Option<Timestamp>,
    ) -> Option<Self> {
        let mut out = self.until(as_of, known)?;
        if self.last_seen < as_of {
            return Some(out);
        }
        out.last_seen = self.surely_seen_before(as_of, known);
        out.days = 0;
        if !out.signs.is_only_by_others() {
            let kept = out.signs.intersection(kept.with(Sign::Announced));
            let dated = out.proven_by.union(kept);
            // It sent something, of whatever kind.
            out.signs = if dated.is_empty() { Sign::Sourced.into() } else { dated };
        }
        out.proven_in = Windows::ONCE;
        let by_lease = out.proof().filter(|proof| proof.sign == Sign::DhcpAck);
        out.leased_at = by_lease.map_or(OptionalTime::NEVER, |proof| OptionalTime::of(proof.at));
        let signs = out.signs;
        for (shown, repeat) in out.repeats() {
            if !signs.any(shown) {
                *repeat = Repeat::NEVER;
            }
        }
        Some(out)
    }

    /// An instant before `as_of` from which on it was surely seen at least once, as late as can be said: that of a frame, or
    /// the start of a day that ended before `as_of`.
    pub fn surely_seen_before(&self, as_of: Timestamp, known: Option<Timestamp>) -> Timestamp {
        if self.last_seen < as_of {
            return self.last_seen;
        }
        let whole = as_of.day().saturating_sub(1);
        let back = u32::try_from(self.last_seen.day().saturating_sub(whole)).unwrap_or(u32::MAX);
        // After the shift, bit 0 is the last whole day before `as_of`.
        let seen = back.checked_sub(1).and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        let by_day = (seen != 0)
            .then(|| Timestamp(whole.saturating_sub(i64::from(seen.trailing_zeros())).saturating_mul(DAY)));
        let known = known.filter(|at| *at < as_of);
        self.first_seen.max(by_day.unwrap_or(Timestamp::MIN)).max(known.unwrap_or(Timestamp::MIN))
    }

    /// The newest frame before `as_of`. If later frames came, the latest instant at which it can have come, because of
    /// earlier frames only the day is kept.
    fn newest_before(&self, as_of: Timestamp, known: Option<Timestamp>) -> Timestamp {
        if self.last_seen < as_of {
            return self.last_seen;
        }
        let end = as_of.plus(-1);
        let back = u32::try_from(self.last_seen.day().saturating_sub(end.day())).unwrap_or(u32::MAX);
        // After the shift, bit 0 is the day of `end`.
        let seen = back.checked_sub(1).and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        let latest = match back {
            0 => end,
            1..=DAYS => {
                // Without a bit, the coupling was silent on all days that are kept.
                let silent = seen.trailing_zeros().min(DAYS + 1 - back);
                let day_after = end.day().saturating_sub(i64::from(silent)).saturating_add(1);
                Timestamp(day_after.saturating_mul(DAY)).plus(-1).min(end)
            }
            _ => end,
        };
        let seen_later = |at: Timestamp| (back == 0 || seen != 0) && latest.day() > at.day();
        known.filter(|at| *at < as_of && !seen_later(*at)).unwrap_or(latest).max(self.first_seen)
    }

    /// The earliest instant about which `self` says more than `before`, from which it was merged; `None` if it says
    /// nothing more. A new day counts from its start. Signs have no time of their own and count from `seen`, the newest
    /// frame of what was merged.
    pub fn news(&self, before: Option<&Self>, seen: Timestamp) -> Option<Timestamp> {
        let Some(before) = before else { return Some(self.first_seen) };
        if before.signs.is_only_by_others() && !self.signs.is_only_by_others() {
            return Some(self.first_seen);
        }
        let days = self.days & !days_before(self.last_seen, before.last_seen, before.days);
        let new_day = || {
            let back = i64::from(u32::BITS - days.leading_zeros());
            Timestamp(self.last_seen.day().saturating_sub(back).saturating_mul(DAY))
        };
        let changed = |now: OptionalTime, then: OptionalTime| now.get().filter(|_| now != then);
        [
            (self.first_seen < before.first_seen).then_some(self.first_seen),
            (self.last_seen > before.last_seen).then_some(self.last_seen),
            (days != 0).then(new_day),
            changed(self.proven_at, before.proven_at),
            self.proven_at.get().and_then(|first| self.proven_in.news(before.proven_in, first)),
            changed(self.announced_at, before.announced_at),
            changed(self.leased_at, before.leased_at),
            (self.signs != before.signs || self.repeated() != before.repeated()).then_some(seen),
            self.evidence.news(&before.evidence),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Without the days, which the count does not use.
    #[cfg(test)]
    pub(super) fn without_days(self) -> Self {
        Self { days: 0, ..self }
    }

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        let latest = clamp.latest();
        self.first_seen = clamp.at(self.first_seen);
        let back = self.last_seen.day().saturating_sub(latest.day());
        self.last_seen = clamp.at(self.last_seen);
        if back > 0 {
            self.days = u32::try_from(back).ok().and_then(|n| self.days.checked_shr(n)).unwrap_or(0);
        }
        if let Some(first) = self.proven_at.get() {
            self.proven_in = self.proven_in.clamp(first, latest);
        }
        for at in [&mut self.proven_at, &mut self.announced_at, &mut self.leased_at] {
            *at = at.get().map_or(OptionalTime::NEVER, |t| OptionalTime::of(clamp.at(t)));
        }
        for (_, repeat) in self.repeats() {
            *repeat = repeat.clamp(latest);
        }
        self.evidence.clamp(clamp);
    }

    /// Restores the invariants of facts from outside.
    pub fn normalise(&mut self) {
        match self.proof().filter(|p| Sign::PROOFS.has(p.sign)) {
            Some(proof) => self.proven_by = proof.sign.into(),
            None => (self.proven_at, self.proven_by) = (OptionalTime::NEVER, Signs::default()),
        }
        self.evidence.normalise();
    }
}

/// The days of a coupling that was seen at `at` and on the `days` before it, relative to the day of `newest`.
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
        assert!(size_of::<Coupling>() <= 96, "{}", size_of::<Coupling>());
    }
}
