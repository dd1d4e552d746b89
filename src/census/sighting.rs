//! Sightings: that something which is known was seen again, and nothing else.
//!
//! The newest frame of a coupling moves with every frame, but few conclusions depend on it, and most of these compare it with
//! instants that change seldom. A sensor may therefore hold back a sighting for a while. Here it says which ones it may not
//! hold back, because a conclusion could be another one: from the coupling's own facts, and from those of others. Whether a
//! device is idle (X-IDLE) is not among them: that is a matter of how long a sighting is held back.

use super::address::is_public;
use super::coupling::{Coupling, CouplingKey};
use super::evidence::{Evidence, Field};
use super::evidence_set::EvidenceSet;
use super::mac::MacAddr;
use super::sign::Sign;
use super::station::Station;
use super::time::Timestamp;
use super::windows::same_minute;

/// Something new of a coupling, with which sightings of others are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The coupling is new: cards with its name are compared with it (I12).
    Began,
    /// The card was given a lease: its other addresses are compared with that (I8b).
    Leased,
    /// A lease began: it is compared with those of cards with the same words (I8c).
    LeaseBegan,
}

impl Coupling {
    /// Whether a conclusion may depend on whether its newest frame is the present one, or the one at `sent`. Compares it with
    /// its own facts only. `confirm_after`: see [`Policy::quarantine_confirm_after`](super::Policy::quarantine_confirm_after).
    pub fn is_told_by_sighting(&self, key: CouplingKey, sent: Timestamp, confirm_after: i64) -> bool {
        let (first, last) = (self.first_seen, self.last_seen);
        // Seen in two minutes (I15b).
        let repeated = same_minute(first, sent) && !same_minute(first, last);
        // Confirmed (I11).
        let confirmed = sent.since(first) < confirm_after && last.since(first) >= confirm_after;
        repeated || confirmed || self.may_make_router(key)
    }

    /// Whether its newest frame may be one of two from public addresses within a minute, which make its MAC one that
    /// forwards (I6).
    fn may_make_router(&self, key: CouplingKey) -> bool {
        let is_strange = is_public(key.ip) && !self.signs.any(Sign::PROOFS) && self.signs.any(Sign::UNICAST);
        is_strange && !self.signs.has(Sign::Carried) && !self.is_passed_on()
    }

    /// The events of the coupling since an instant.
    pub fn events_since(&self, since: Timestamp) -> impl Iterator<Item = Event> {
        let leased = self.leased_at().filter(|at| *at >= since).map(|_| Event::Leased);
        let began = self.lease_began().filter(|at| *at >= since).map(|_| Event::LeaseBegan);
        (self.first_seen >= since).then_some(Event::Began).into_iter().chain(leased).chain(began)
    }
}

impl Station {
    /// As [`Coupling::is_told_by_sighting`].
    pub fn is_told_by_sighting(&self, sent: Timestamp) -> bool {
        same_minute(self.first_seen, sent) && !same_minute(self.first_seen, self.last_seen)
    }

    /// The station without evidence: what a delta carries if it was only seen again.
    #[must_use]
    pub fn without_evidence(&self) -> Self {
        Self { evidence: EvidenceSet::default(), ..self.clone() }
    }
}

/// A word by which cards may be one device (I8c, I12).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tie {
    /// Another card says it, too. In lower case.
    Word(String),
    /// It names this card.
    Card(MacAddr),
}

/// The words in evidence by which cards may be one device.
pub fn ties(evidence: &EvidenceSet) -> impl Iterator<Item = Tie> {
    let ties = |e: &&Evidence| {
        matches!(
            e.field,
            Field::LldpChassisId
                | Field::CdpDeviceId
                | Field::SnmpEngineId
                | Field::EnipSerial
                | Field::DhcpClientId
                | Field::DhcpDuid
                | Field::DhcpHostname
                | Field::MdnsHostname
        )
    };
    let tie = |e: &Evidence| match super::ties::named_chassis(e) {
        Some(mac) => Tie::Card(mac),
        None => Tie::Word(e.value.to_ascii_lowercase()),
    };
    evidence.iter().filter(ties).map(tie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Signs;
    use crate::census::time::{MINUTE, SECOND};

    fn key(ip: [u8; 4]) -> CouplingKey {
        CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: ip.into() }
    }

    #[test]
    fn a_sighting_in_a_second_minute_and_one_that_confirms_are_told_and_others_are_not() {
        let (home, at) = (key([10, 0, 0, 1]), |seconds: i64| Timestamp(seconds * SECOND));
        let tells = |sent: i64, last: i64| {
            let mut c = Coupling::new(at(5), Sign::ArpAsked.into());
            c.sight(at(last), at(last), Sign::ArpAsked.into());
            c.is_told_by_sighting(home, at(sent), 10 * MINUTE)
        };
        assert!(!tells(5, 50) && tells(50, 61) && !tells(61, 170));
        assert!(!tells(500, 604) && tells(604, 605) && !tells(606, 700));
        let mut station = Station::new(at(5));
        station.sight(at(70));
        assert!(station.is_told_by_sighting(at(50)) && !station.is_told_by_sighting(at(61)));
    }

    #[test]
    fn a_public_address_is_told_exactly_until_it_makes_its_mac_forward_by_itself() {
        let (far, at) = (key([8, 8, 8, 8]), |minute: i64| Timestamp(minute * MINUTE));
        let tells = |signs: Signs, minutes: &[i64], key| {
            let mut c = Coupling::new(at(0), signs);
            for minute in minutes {
                c.sight(at(*minute), at(*minute), signs);
            }
            c.is_told_by_sighting(key, at(20), 10 * MINUTE)
        };
        let passed = Signs::from(Sign::Sourced).with(Sign::Far);
        assert!(tells(Signs::from(Sign::Sourced).with(Sign::Near), &[21], far));
        assert!(tells(passed, &[], far) && !tells(passed, &[21], far));
        assert!(tells(passed.with(Sign::LinkScope), &[21], far));
        assert!(!tells(passed.with(Sign::Near), &[21], key([10, 9, 9, 9])));
        assert!(!tells(Sign::Sourced.into(), &[21], far));
    }

    #[test]
    fn a_lease_and_a_new_coupling_are_events_as_long_as_they_are_new() {
        let mut c = Coupling::new(Timestamp(5), Sign::DhcpAck.into());
        c.sight(Timestamp(9), Timestamp(9), Sign::DhcpAck.into());
        let events = |since| c.events_since(Timestamp(since)).collect::<Vec<_>>();
        assert_eq!(events(5), [Event::Began, Event::Leased, Event::LeaseBegan]);
        assert_eq!(events(6), [Event::Leased]);
        assert!(events(10).is_empty());
    }
}
