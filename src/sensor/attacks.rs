//! Alerts and recommendations of real frames, and that they are a function of the set of frames: their order, copies of them,
//! workers and sensors change nothing.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::pipeline::table::Table;
use super::pipeline::worker::Worker;
use crate::capture::file;
use crate::census::{Decisions, Inventory, Policy, Survey, Timestamp};
use crate::classify::Rules;
use crate::dissect::{Frame, LinkType};
use crate::security::{FeedHolders, Ruleset, Security, derive};

type Frames = Vec<(Timestamp, Vec<u8>)>;

/// The frames of a capture that `tests/sensor/attacks/make.py` wrote.
fn capture(name: &str) -> Frames {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/sensor/attacks/{name}.pcap.gz"));
    let mut frames = Vec::new();
    file::read(&path, &mut |f: &Frame<'_>| frames.push((f.at, f.data.to_vec()))).unwrap();
    frames
}

/// What follows from frames that as many sensors took turns with.
fn security<'f>(frames: impl Iterator<Item = &'f (Timestamp, Vec<u8>)> + Clone, sensors: usize) -> Security {
    let mut inventory = Inventory::default();
    for sensor in 0..sensors {
        let table = Table::new(10_000);
        let mut worker = Worker::new(&table);
        for (at, data) in frames.clone().skip(sensor).step_by(sensors) {
            let length = u32::try_from(data.len()).unwrap();
            worker.frame(&Frame { at: *at, link: LinkType::Ethernet, data, length });
        }
        assert_eq!(worker.finish().0.panics, 0);
        inventory.merge_zone("default", &table.into_zone());
    }
    static RULES: LazyLock<(Rules, Ruleset)> =
        LazyLock::new(|| (Rules::builtin().unwrap(), Ruleset::builtin().unwrap()));
    let (policy, decisions) = (Policy::default(), Decisions::default());
    let as_of = frames.map(|(at, _)| *at).max().unwrap();
    let survey = Survey::new(&inventory, &policy, &decisions, &RULES.0, as_of);
    derive(&survey, &inventory, decisions.names(), &RULES.1, 0, true, &FeedHolders::new())
}

/// The alerts, each as its severity, rule and address, sorted.
fn alerts(name: &str) -> Vec<String> {
    let frames = capture(name);
    let told = security(frames.iter(), 1).alerts;
    let of = |a: &crate::security::Alert| format!("{} {} {}", a.severity.key(), a.rule, a.device.ip);
    let mut out: Vec<String> = told.iter().map(of).collect();
    out.sort();
    out
}

/// The recommendations, each as its rule and the addresses that are unhealthy and healthy.
fn recommendations(name: &str) -> Vec<String> {
    let frames = capture(name);
    let addresses = |all: &mut dyn Iterator<Item = std::net::IpAddr>| {
        all.map(|ip| ip.to_string()).collect::<Vec<_>>().join(",")
    };
    let told = security(frames.iter(), 1).recommendations;
    told.iter()
        .map(|r| {
            let unhealthy = addresses(&mut r.unhealthy.iter().map(|u| u.device.ip));
            format!("{} {unhealthy} {}", r.rule, addresses(&mut r.healthy.iter().map(|d| d.ip)))
        })
        .collect()
}

const NONE: [&str; 0] = [];

#[test]
fn a_thousand_connections_to_one_port_of_one_host_are_a_flood_and_to_many_hosts_are_not() {
    assert_eq!(alerts("flood"), ["high A-DOS 10.0.0.66"]);
    assert_eq!(alerts("browsing"), NONE);
}

#[test]
fn a_card_that_is_a_laptop_and_a_thing_on_three_days_is_cloned() {
    assert_eq!(alerts("clone"), ["medium A-CLONE 10.0.0.30"]);
}

#[test]
fn who_announces_the_gateways_address_beside_it_took_it() {
    assert_eq!(alerts("gateway"), ["medium A-GW 10.0.0.66"]);
}

#[test]
fn forty_addresses_in_seven_hours_are_a_slow_scan() {
    assert_eq!(alerts("slow_scan"), ["medium A-SLOW 10.0.0.66"]);
}

#[test]
fn names_that_do_not_exist_are_told_of_who_asked() {
    assert_eq!(alerts("generated_names"), ["low A-DGA 10.0.0.50"]);
}

#[test]
fn closed_ports_and_refused_passwords_are_told_as_before() {
    assert_eq!(alerts("closed_ports"), ["high A-SCAN-P 10.0.0.66"]);
    assert_eq!(alerts("guessing"), ["high A-BRUTE 10.0.0.10", "high A-BRUTE-OK 10.0.0.10"]);
}

#[test]
fn certificates_that_ended_are_told_and_others_are_healthy() {
    let told = recommendations("certificates");
    assert!(told.contains(&"R-CERT 10.0.0.10 10.0.0.11".to_owned()), "{told:?}");
}

const CAPTURES: [&str; 8] =
    ["flood", "clone", "gateway", "slow_scan", "closed_ports", "guessing", "generated_names", "certificates"];

/// An ordinary run tries 24 shuffles. `NETCENSUS_SHUFFLES` asks for more.
fn shuffles() -> ProptestConfig {
    let asked = std::env::var("NETCENSUS_SHUFFLES").ok().and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(24))
}

proptest! {
    #![proptest_config(shuffles())]

    #[test]
    fn findings_are_a_function_of_the_set_of_frames(
        place in 0..CAPTURES.len(), order in any::<u64>(), copies in 0..3_usize, sensors in 1..5_usize,
    ) {
        let frames = capture(CAPTURES[place]);
        let whole = security(frames.iter(), 1);
        let mut changed: Frames = frames.iter().chain(frames.iter().cycle().take(frames.len() * copies)).cloned().collect();
        let mut state = order | 1;
        for n in (1..changed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            changed.swap(n, (state >> 33) as usize % (n + 1));
        }
        prop_assert_eq!(security(changed.iter(), sensors), whole);
    }

    #[test]
    fn more_frames_take_no_alert_back(place in 0..CAPTURES.len(), part in 1..10_usize) {
        let frames = capture(CAPTURES[place]);
        let rules = |security: Security| {
            security.alerts.iter().map(|a| (a.rule.clone(), a.object.clone())).collect::<std::collections::BTreeSet<_>>()
        };
        let early = rules(security(frames.iter().take(frames.len() * part / 10 + 1), 1));
        let all = rules(security(frames.iter(), 1));
        prop_assert!(early.is_subset(&all), "{:?} {:?}", early, all);
    }
}
