//! What more than one minute shows of a coupling (I15b): anybody can forge one frame.

use super::coupling::Coupling;
use super::repeat::Repeat;
use super::sign::{Sign, Signs};
use super::time::MINUTE;
use super::windows::same_minute;

impl Coupling {
    /// Whether it was proven in two clock minutes (I15b).
    pub(super) fn is_proven_twice(&self) -> bool {
        !self.proven_at.is_never() && self.proven_in.is_repeated()
    }

    /// Whether it was seen in two clock minutes (I15b).
    pub(super) fn is_seen_twice(&self) -> bool {
        !same_minute(self.first_seen, self.last_seen)
    }

    /// Whether frames of two independent kinds show it (I15b), which one frame is not: its ARP or neighbour discovery, its
    /// packets, a lease.
    pub(super) fn is_of_two_kinds(&self) -> bool {
        let resolution = Sign::ARP.with(Sign::NeighborDiscovery);
        let packets = Sign::OWN_USE.difference(resolution);
        let kinds = [resolution, packets, Sign::DhcpAck.into()];
        self.first_seen != self.last_seen
            && kinds.into_iter().filter(|kind| self.signs.any(*kind)).count() > 1
    }

    /// Whether it was seen in two clock minutes, or by two kinds of frames.
    pub(super) fn is_firm(&self) -> bool {
        self.is_seen_twice() || self.is_of_two_kinds()
    }

    /// Whether it shows one of [`Sign::Near`], [`Sign::Far`] and [`Sign::Ttl128`] firmly: in two clock minutes, or as long
    /// as all that is known of it is from one minute. One frame says nothing against what a coupling showed before (I15b),
    /// unless the zone `is_short`.
    pub(super) fn shows(&self, sign: Sign, is_short: bool) -> bool {
        let repeat = match sign {
            Sign::Near => self.near_in,
            Sign::Far => self.far_in,
            Sign::Ttl128 => self.ttl128_in,
            _ => Repeat::NEVER,
        };
        self.signs.has(sign) && (is_short || repeat.is_repeated() || !self.is_seen_twice())
    }

    /// Whether it shows firmly, as [`Self::shows`] says it, that the MAC uses the address itself (I8d).
    pub(super) fn shows_use(&self, is_short: bool) -> bool {
        let asked = self.signs.has(Sign::ArpAsked);
        let two_kinds = asked && self.signs.any(Sign::OWN_USE.without(Sign::ArpAsked));
        let is_firm = is_short || two_kinds || self.used().is_repeated() || !self.is_seen_twice();
        self.signs.any(Sign::OWN_USE) && is_firm
    }

    /// Whether it shows firmly, as [`Self::shows`] says it, that the MAC answers for the address or announces it.
    pub(super) fn shows_answers(&self, is_short: bool) -> bool {
        let is_firm = is_short || self.answered().is_repeated() || !self.is_seen_twice();
        self.signs.any(Sign::ANSWERS) && is_firm
    }

    /// Whether it was proven in one minute, long before or after its packets.
    pub(super) fn is_proven_apart(&self, grace: i64) -> bool {
        let Some(at) = self.proven_at.get().filter(|_| !self.proven_in.is_repeated()) else { return false };
        let sent_later = || [self.near_in, self.far_in].iter().all(|sent| sent.is_since(at.plus(grace)));
        at.since(self.first_seen) >= grace
            || self.signs.any(Sign::UNICAST) && self.is_seen_twice() && sent_later()
    }

    /// Whether a lease, and not only answers, shows that the MAC uses the address (I8d): it came first, and it was renewed or
    /// the answers came soon after it. Without a `grace`, one ACK suffices.
    pub(super) fn is_tenant(&self, grace: Option<i64>) -> bool {
        let Some(began) = self.lease_began() else { return false };
        let Some(grace) = grace else { return true };
        let renewed = self.leased_at() != Some(began);
        let first = began.since(self.first_seen) < MINUTE;
        first && (renewed || !self.answered().is_since(began.plus(grace)))
    }

    /// Whether its MAC says nothing by it: nothing but a lease shows it, or beside that one minute, long after the lease
    /// (I8g, I15b). Without a `grace`, one frame suffices to be heard.
    pub(super) fn is_mute(&self, grace: Option<i64>) -> bool {
        let Some(began) = self.lease_began() else { return false };
        let own = self.signs.difference(Sign::BY_OTHERS) != Signs::from(Sign::DhcpAck);
        let strays = |grace| {
            let late = self.first_seen == began && self.last_seen.since(began) >= grace;
            let is_late = |minutes: Repeat| minutes.is_one_since(began.plus(grace));
            late && [self.used(), self.answered(), self.far_in].into_iter().all(is_late)
        };
        !own || grace.is_some_and(strays)
    }

    /// The minutes with any of [`Sign::OWN_USE`]. If older versions kept none, as if there were two.
    pub(super) fn used(&self) -> Repeat {
        let is_old = self.used_in.is_never() && self.signs.any(Sign::OWN_USE);
        if is_old { Repeat::OF_OLD } else { self.used_in }
    }

    /// The minutes with any of [`Sign::ANSWERS`], as [`Self::used`] has them.
    pub(super) fn answered(&self) -> Repeat {
        let is_old = self.answered_in.is_never() && self.signs.any(Sign::ANSWERS);
        if is_old { Repeat::OF_OLD } else { self.answered_in }
    }

    /// Whether one minute shows it, by nothing but what anybody may state of a card: a lease or a management address.
    pub(super) fn is_stated_once(&self) -> bool {
        let stated = Sign::MANAGEMENT.with(Sign::DhcpAck).union(Sign::BY_OTHERS);
        self.signs.difference(stated).is_empty() && !self.is_seen_twice()
    }

    /// Whether it shows packets of others and nothing else: a router had lowered their TTLs in two clock minutes. By itself,
    /// such a coupling makes its MAC one that forwards (I6, I15b), whenever its newest frame came.
    pub(super) fn is_passed_on(&self) -> bool {
        let passed = Signs::from(Sign::Far).with(Sign::Sourced).with(Sign::Ttl128).union(Sign::BY_OTHERS);
        self.signs.has(Sign::Far) && self.far_in.is_repeated() && self.signs.difference(passed).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Timestamp;

    fn seen(frames: &[(i64, Sign)]) -> Coupling {
        let at = |minute: i64| Timestamp(minute * MINUTE);
        let each = frames.iter().map(|(minute, sign)| Coupling::new(at(*minute), (*sign).into()));
        each.reduce(|mut all, one| {
            all.merge(&one);
            all
        })
        .unwrap()
    }

    #[test]
    fn i15b_one_minute_of_use_says_nothing_against_long_answering_and_two_do() {
        let answers = [(0, Sign::ArpAnswered), (9, Sign::ArpAnswered)];
        for used in [Sign::ArpAsked, Sign::LinkScope, Sign::Announced, Sign::NeighborDiscovery, Sign::Near] {
            let once = seen(&[&answers[..], &[(5, used)]].concat());
            assert!(!once.shows_use(false) && once.shows_use(true), "{used:?}");
            assert!(seen(&[&answers[..], &[(5, used), (6, Sign::LinkScope)]].concat()).shows_use(false));
            assert!(seen(&[(5, used)]).shows_use(false), "all that is known of it");
        }
        assert!(!seen(&[(0, Sign::ArpAnswered), (5, Sign::DhcpAck), (6, Sign::DhcpAck)]).shows_use(false));
    }

    #[test]
    fn i15b_two_kinds_of_frames_show_a_coupling_and_one_frame_of_two_kinds_does_not() {
        let at = |second: i64, signs: Signs| Coupling::new(Timestamp(second * 1_000_000_000), signs);
        let both = |a: Signs, b: Signs| {
            let mut one = at(1, a);
            one.merge(&at(3, b));
            one
        };
        let (asked, near, lease) = (Sign::ArpAsked.into(), Sign::Near.into(), Sign::DhcpAck.into());
        for (a, b) in [(asked, near), (near, lease), (lease, asked)] {
            assert!(both(a, b).is_of_two_kinds() && both(a, b).is_firm());
            assert!(!at(1, a.union(b)).is_of_two_kinds(), "an ACK that its client sends itself, say");
            assert!(!both(a, a).is_firm(), "one kind in one minute");
        }
        assert!(!both(asked, Sign::ArpAnswered.into()).is_of_two_kinds());
    }

    #[test]
    fn i15b_one_answer_gives_no_voice_to_a_client_that_renews_its_lease_and_two_do() {
        let leased = [(0, Sign::DhcpAck), (60, Sign::DhcpAck), (120, Sign::DhcpAck)];
        let with = |answers: &[(i64, Sign)]| seen(&[&leased[..], answers].concat());
        assert!(with(&[]).is_mute(Some(10 * MINUTE)));
        for answered in [Sign::ArpAnswered, Sign::ArpAnnounced] {
            assert!(with(&[(90, answered)]).is_mute(Some(10 * MINUTE)));
            assert!(!with(&[(90, answered), (91, answered)]).is_mute(Some(10 * MINUTE)));
            assert!(!with(&[(1, answered)]).is_mute(Some(10 * MINUTE)), "as soon as it had the lease");
        }
    }

    #[test]
    fn facts_of_older_versions_read_as_before_and_stay_so_when_newer_ones_join_them() {
        let old = |frames: &[(i64, Sign)]| {
            let mut told = serde_json::to_value(seen(frames)).unwrap();
            told.as_object_mut().unwrap().remove("oi");
            serde_json::from_value::<Coupling>(told).unwrap()
        };
        let asked = [(0, Sign::ArpAnswered), (3, Sign::ArpAsked), (9, Sign::ArpAnswered)];
        assert!(!seen(&asked).shows_use(false) && old(&asked).shows_use(false));
        let new = seen(&[(20, Sign::ArpAsked)]);
        let (mut one, mut other) = (old(&asked), new.clone());
        assert!(one.merge(&new) && other.merge(&old(&asked)));
        assert_eq!(one, other);
        assert!(one.shows_use(false) && !one.merge(&new) && !one.merge(&old(&asked)));
        let mut answered = old(&asked[..1]);
        answered.merge(&new);
        assert!(!answered.shows_use(false), "it had not used the address");
    }
}
