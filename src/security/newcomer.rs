//! Devices that are new in a zone that was quiet before.

use super::alert::Proof;
use super::derive::{Found, View};
use super::posture::Shown;
use super::ruleset::Ruleset;
use crate::census::time::{DAY, HOUR};
use crate::census::{CouplingKey, Device, Timestamp};

/// The devices that came in one hour.
struct Batch<'d, 'a> {
    first: Timestamp,
    /// Each with its place, the first first.
    devices: Vec<(usize, &'d Device<'a>)>,
}

/// Adds what is found in a zone.
pub(super) fn find(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for batch in batches(view) {
        let Some((place, device)) = batch.devices.first() else { continue };
        let Some(doer) = earliest(device) else { continue };
        let n = batch.devices.len();
        let days = view.number("A-NEW", "quiet_days");
        let proof = Proof {
            sentence: format!("{n} came within an hour, after {days} days without a new device"),
            first: batch.first,
            last: batch.devices.iter().map(|(_, d)| d.first_seen).max().unwrap_or(batch.first),
            sample: batch.devices.iter().take(8).map(|(_, d)| d.ip.to_string()).collect(),
        };
        out.push(Found {
            rule: "A-NEW",
            device: *place,
            doer,
            object: String::new(),
            sentence: "It is new in a quiet zone".to_owned(),
            proof,
            severity: None,
        });
    }
}

/// The devices that came when no other had come for the days of the rule.
fn batches<'d, 'a>(view: &View<'d, 'a>) -> Vec<Batch<'d, 'a>> {
    let quiet = view.number("A-NEW", "quiet_days").saturating_mul(DAY);
    let Some(begin) = view.zone.segment.first_frame else { return Vec::new() };
    let mut new: Vec<_> = view
        .devices
        .iter()
        .enumerate()
        // A random MAC may be a known device.
        .filter(|(_, d)| d.verdict.is_counted() && !d.random_mac)
        .collect();
    new.sort_by_key(|(place, d)| (d.first_seen, *place));
    let mut batches: Vec<Batch<'d, 'a>> = Vec::new();
    let mut newest = begin;
    for (place, device) in new {
        match batches.last_mut() {
            Some(batch) if device.first_seen.since(batch.first) <= HOUR => {
                batch.devices.push((place, device))
            }
            _ if device.first_seen.since(newest) >= quiet => {
                batches.push(Batch { first: device.first_seen, devices: vec![(place, device)] });
            }
            _ => {}
        }
        newest = device.first_seen;
    }
    batches
}

fn earliest(device: &Device<'_>) -> Option<CouplingKey> {
    device.couplings.iter().map(|m| (m.facts.first_seen, m.key)).min().map(|(_, key)| key)
}

/// The devices that were new days ago: somebody decided about them since, or nobody did.
pub(super) fn review<'v>(
    view: &View<'v, '_>,
    rules: &Ruleset,
    as_of: Timestamp,
    show: &mut impl FnMut(Option<usize>, &'v str, Shown),
) {
    let wait = rules.number("R-UNAUTH", "days").saturating_mul(DAY);
    for batch in batches(view).iter().filter(|batch| as_of.since(batch.first) >= wait) {
        for (place, device) in &batch.devices {
            let (name, sentence) = match device.decided {
                Some(_) => ("reviewed", "somebody decided about it"),
                None => ("newcomer", "it was new in a quiet zone, and nobody decided about it"),
            };
            let (first, last) = (device.first_seen, device.last_seen);
            show(Some(*place), name, Shown { first, last, days: 1, sentence: sentence.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::census::{
        Category, Classification, Classifier, ClassifierInput, Coupling, CouplingKey, Decisions, Inventory,
        MacAddr, Policy, Sign, Survey, Timestamp, Unclassified, Zone,
    };
    use crate::security::{FeedHolders, Ruleset, Security, derive};

    /// Everything is a camera.
    struct Cameras;

    impl Classifier for Cameras {
        fn classify(&self, input: &ClassifierInput<'_>) -> Classification {
            Classification { category: Category::Iot, kind: "camera".into(), ..Unclassified.classify(input) }
        }
    }

    /// What is told of devices that came on these days and hours, 40 days after the first.
    fn told(came: &[(i64, i64)]) -> Security {
        let mut zone = Zone::default();
        for (n, (day, hour)) in (1..).zip(came) {
            let key = CouplingKey { mac: MacAddr([0, 0x40, 0x8c, 1, 0, n]), ip: [10, 0, 0, n].into() };
            let first = day * 86_400 + hour * 3_600;
            for at in [first, first + 100, 40 * 86_400 - 60] {
                let at = Timestamp::from_secs(at);
                zone.merge_coupling(key, &Coupling::new(at, Sign::ArpAnswered.into()));
                zone.segment.span(at, at);
            }
        }
        let inventory = Inventory::of("default", zone);
        let (policy, decisions) = (Policy::default(), Decisions::default());
        let survey =
            Survey::new(&inventory, &policy, &decisions, &Cameras, Timestamp::from_secs(40 * 86_400));
        derive(
            &survey,
            &inventory,
            decisions.names(),
            &Ruleset::builtin().unwrap(),
            0,
            true,
            &FeedHolders::new(),
        )
    }

    fn newcomers(came: &[(i64, i64)]) -> Vec<String> {
        told(came).alerts.iter().filter(|a| a.rule == "A-NEW").map(|a| a.device.ip.to_string()).collect()
    }

    #[test]
    fn who_comes_after_two_quiet_weeks_is_new_with_those_of_its_hour() {
        assert_eq!(newcomers(&[(0, 0), (1, 0), (20, 0)]), ["10.0.0.3"]);
        assert_eq!(newcomers(&[(0, 0), (20, 0), (20, 1), (20, 5)]), ["10.0.0.2"]);
        assert_eq!(newcomers(&[(0, 0), (10, 0), (20, 0)]), [""; 0], "somebody came ten days before");
        assert_eq!(newcomers(&[(0, 0), (20, 0), (35, 0)]).len(), 2);
    }

    #[test]
    fn newcomers_are_reviewed_after_a_week() {
        let unhealthy = |came: &[(i64, i64)]| {
            let of_rule = told(came).recommendations.into_iter().filter(|r| r.rule == "R-UNAUTH");
            of_rule.map(|r| r.unhealthy.len()).sum::<usize>()
        };
        assert_eq!(unhealthy(&[(0, 0), (20, 0), (20, 1)]), 2);
        assert_eq!(unhealthy(&[(0, 0), (38, 0)]), 0, "two days ago");
    }
}
