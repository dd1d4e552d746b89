//! Facts from a clock that is ahead: times later than an instant are taken as that instant.
//!
//! The facts are those that a sensor would have gathered if each frame later than the instant had come at the instant. Two
//! things are not known of frames that are taken down: which of several proofs has the smaller sign, and the days before the
//! 32 that a coupling keeps.

use super::time::Timestamp;

/// Takes times down to an instant, and remembers the newest that it met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clamp {
    latest: Timestamp,
    newest: Timestamp,
}

impl Clamp {
    pub(super) const fn to(latest: Timestamp) -> Self {
        Self { latest, newest: Timestamp(i64::MIN) }
    }

    /// The instant as which `at` counts.
    pub(super) fn at(&mut self, at: Timestamp) -> Timestamp {
        self.newest = self.newest.max(at);
        at.min(self.latest)
    }

    pub(super) const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The newest time, if it was taken down.
    pub(super) fn beyond(&self) -> Option<Timestamp> {
        (self.newest > self.latest).then_some(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::census::time::MINUTE;
    use crate::census::{
        Coupling, CouplingKey, Field, MacAddr, Prefix, Sign, Signs, Station, Taught, Timestamp, Zone,
    };

    /// What a sensor gathers of one frame at each of these minutes.
    fn seen(minutes: &[(i64, u8)], latest: Option<i64>) -> Zone {
        let mut zone = Zone::default();
        for (minute, kind) in minutes {
            let at = Timestamp(latest.map_or(*minute, |latest| *minute.min(&latest)) * MINUTE);
            let sign =
                [Sign::ArpAsked, Sign::Sourced, Sign::Announced, Sign::Near, Sign::Ttl128, Sign::Described]
                    [usize::from(*kind % 6)];
            let mac = MacAddr([2, 0, 0, 0, 0, kind % 2]);
            let mut coupling = Coupling::new(at, Signs::from(sign));
            coupling.evidence.add(Field::HttpServer, if kind % 2 == 0 { "a" } else { "b" }, at);
            zone.merge_coupling(CouplingKey { mac, ip: [10, 0, 0, 1].into() }, &coupling);
            let mut station = Station::new(at);
            station.evidence.add(Field::LldpSysName, "s", at);
            zone.merge_station(mac, &station);
            zone.segment.span(at, at);
            let prefix = Prefix::of([10, 0, 0, 0].into(), 24).unwrap();
            zone.segment.learn_sent(prefix, &Taught::new(at, mac));
        }
        zone
    }

    proptest! {
        #[test]
        fn facts_that_are_taken_down_are_those_of_frames_at_the_latest_instant(
            minutes in prop::collection::vec((0_i64..40_000, 0_u8..12), 1..12), latest in 0_i64..40_000,
        ) {
            let mut ahead = seen(&minutes, None);
            let newest = minutes.iter().map(|(minute, _)| *minute).max().unwrap();
            let beyond = ahead.clamp(Timestamp(latest * MINUTE));
            prop_assert_eq!(&ahead, &seen(&minutes, Some(latest)));
            prop_assert_eq!(beyond, (newest > latest).then_some(Timestamp(newest * MINUTE)));
            let again = ahead.clone();
            prop_assert_eq!(ahead.clamp(Timestamp(latest * MINUTE)), None);
            prop_assert_eq!(ahead, again);
        }

        #[test]
        fn taking_down_goes_through_a_merge(
            a in prop::collection::vec((0_i64..40_000, 0_u8..12), 1..8),
            b in prop::collection::vec((0_i64..40_000, 0_u8..12), 1..8),
            latest in 0_i64..40_000,
        ) {
            let latest = Timestamp(latest * MINUTE);
            let (mut one, mut other) = (seen(&a, None), seen(&b, None));
            let mut merged = one.clone();
            merged.merge(&other);
            merged.clamp(latest);
            one.clamp(latest);
            other.clamp(latest);
            one.merge(&other);
            prop_assert_eq!(one, merged);
        }
    }
}
