//! What is off by default because much that is honest looks like it: what raises it, and the traps that must not.

use super::tests::{CLIENT, DAY, MINUTE, NONE, Net, SERVER, own};
use super::{Ruleset, Security};
use crate::census::conduct::{Deed, DeedKey, DeedKind, Thing};
use crate::census::{CouplingKey, MacAddr, Sign, Timestamp};

const WINDOW: i64 = 5 * MINUTE;
const FAR: &str = "93.184.216.34";

/// The rules, with one of them on for every device: nothing is known of these.
fn with(rule: &str) -> Ruleset {
    let mut rules = Ruleset::builtin().unwrap();
    let kind = if rule.starts_with("A-") { "alert" } else { "recommendation" };
    rules.put("own.toml", &format!("[[{kind}]]\nid = '{rule}'\nscope = 'all'\non = true\n")).unwrap();
    rules
}

/// How many devices are unhealthy, and how many healthy.
fn assessed(net: Net, rule: &str) -> (usize, usize) {
    let security = net.with(&with(rule), 0, false);
    // One without a device is not listed.
    let of_rule = security.recommendations.iter().find(|r| r.rule == rule);
    of_rule.map_or((0, 0), |r| (r.unhealthy.len(), r.healthy.len()))
}

/// The client opened a connection to a host in each of these windows, by as many ports.
fn called(net: Net, doer: &str, windows: impl IntoIterator<Item = i64>, ports: u64) -> Net {
    windows.into_iter().fold(net, |net, window| {
        (0..ports).fold(net, |mut net, port| {
            let (kind, peer) = (DeedKind::Returns, Some(FAR.parse().unwrap()));
            let key = DeedKey { doer: own(doer), kind, peer, port: 4_444, label: "".into() };
            let at = Timestamp::from_secs(window * WINDOW + 7);
            // Each window draws other ports.
            let thing = Thing::Number((window.unsigned_abs() + port) % 8);
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, kind, Some(thing)));
            net
        })
    })
}

fn beacons(net: Net) -> usize {
    net.with(&with("A-BEACON"), 0, false).alerts.len()
}

#[test]
fn one_host_that_is_called_in_nearly_all_windows_of_six_hours_is_a_beacon() {
    let net = || Net::of(&[CLIENT, SERVER]);
    assert_eq!(beacons(called(net(), CLIENT, 0..72, 1)), 1);
    assert_eq!(
        beacons(called(net(), CLIENT, (0..72).filter(|n| n % 12 != 0), 2)),
        1,
        "66 of them, twice each"
    );
    assert_eq!(beacons(called(net(), CLIENT, 0..64, 1)), 0, "five hours and 20 minutes");
    assert_eq!(beacons(called(net(), CLIENT, (0..100).filter(|n| n % 6 != 0), 1)), 0, "60 of 72");
    assert_eq!(beacons(called(net(), CLIENT, 0..72, 5)), 0, "who opens many connections works there");
    let later = called(net(), CLIENT, (0..72).chain([2_000]), 1);
    assert_eq!(beacons(later), 1, "a call a week later takes nothing back");
}

#[test]
fn a_host_that_two_devices_call_is_a_service() {
    let both = called(called(Net::of(&[CLIENT, SERVER]), CLIENT, 0..72, 1), SERVER, [3], 1);
    assert_eq!(beacons(both), 0);
    let own_host = Net::of(&[CLIENT]).proves(
        CouplingKey { ip: FAR.parse().unwrap(), ..own(SERVER) },
        0,
        DAY,
        &[Sign::ArpAnswered],
    );
    assert_eq!(beacons(called(own_host, CLIENT, 0..72, 1)), 0, "the site's own host");
}

/// A card asked for leases as these programs, each on the days from the first to before the second.
fn leased(card: CouplingKey, clients: &[(&str, i64, i64)]) -> Net {
    let net = Net::default().proves(card, 0, 40 * DAY, &[Sign::ArpAnswered]);
    clients.iter().fold(net, |net, (label, from, until)| {
        (*from..*until).fold(net, |mut net, day| {
            let at = Timestamp::from_secs(day * DAY);
            let doer = CouplingKey { ip: [0, 0, 0, 0].into(), ..card };
            let key = DeedKey { doer, kind: DeedKind::Leases, peer: None, port: 0, label: (*label).into() };
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, key.kind, None));
            net
        })
    })
}

#[test]
fn a_card_that_a_thing_and_then_a_computer_used_became_something_else() {
    let of = |clients: &[(&str, i64, i64)]| leased(own(CLIENT), clients).all_alerts();
    let camera = ("udhcp\tcam-1", 0, 5);
    assert_eq!(of(&[camera, ("msft\tdesk-1", 7, 12)]), ["low A-TYPE 10.0.0.50"]);
    assert_eq!(of(&[("msft\tdesk-1", 0, 5), ("udhcp\tcam-1", 7, 12)]), ["low A-TYPE 10.0.0.50"]);
    let same_name = [("udhcp\tbox-1", 0, 5), ("dhcpcd\tbox-1", 7, 12)];
    assert_eq!(of(&same_name), ["informational A-TYPE 10.0.0.50"], "set up anew");
    for (clients, why) in [
        (&[camera, ("msft\tdesk-1", 7, 9)][..], "a visit of two days"),
        (&[("udhcp\tcam-1", 0, 2), ("msft\tdesk-1", 7, 12)], "the camera was there for two days"),
        (&[camera, ("udhcp\tcam-2", 7, 12)], "a camera took the place of another"),
        (&[camera, ("busybox\tcam-1", 7, 12)], "its firmware was renewed"),
        (&[camera, ("pxeclient\t", 7, 12)], "a loader"),
        (&[camera, ("msft\tdesk-1", 7, 12), ("udhcp\tcam-1", 12, 13)], "it came back"),
    ] {
        assert_eq!(of(clients), NONE, "{why}");
    }
    let random = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 50]), ip: CLIENT.parse().unwrap() };
    assert_eq!(leased(random, &[camera, ("msft\tdesk-1", 7, 12)]).all_alerts(), NONE, "a random MAC");
    let together = [("udhcp\tcam-1", 0, 9), ("msft\tdesk-1", 5, 12)];
    assert_eq!(of(&together), ["medium A-CLONE 10.0.0.50"], "who is two at once is told so");
}

/// The client asked a resolver, in a network whose server names these.
fn asked(named: &[&str], resolver: &str) -> Net {
    let net = named.iter().fold(Net::of(&[CLIENT, SERVER]), |net, ip| {
        net.did(SERVER, DeedKind::NamesResolver, Some(ip), "", 20 * DAY, None)
    });
    net.did(CLIENT, DeedKind::Resolves, Some(resolver), "", 20 * DAY, None)
}

#[test]
fn a_resolver_that_the_network_does_not_name_is_foreign() {
    assert_eq!(assessed(asked(&["10.0.0.1"], "8.8.8.8"), "R-DNS"), (1, 0));
    assert_eq!(assessed(asked(&["10.0.0.1", "8.8.8.8"], "8.8.8.8"), "R-DNS"), (0, 1));
    assert_eq!(assessed(asked(&[], "8.8.8.8"), "R-DNS"), (0, 0), "nobody knows what is named");
    assert_eq!(assessed(asked(&["10.0.0.1"], "2620:fe::fe"), "R-DNS"), (0, 0), "nobody knows for IPv6");
    assert_eq!(assessed(asked(&[CLIENT], "8.8.8.8"), "R-DNS"), (0, 0), "the network's resolver asks others");
    let server =
        asked(&["10.0.0.1"], "10.0.0.1").did(SERVER, DeedKind::Resolves, Some("8.8.8.8"), "", 20 * DAY, None);
    assert_eq!(assessed(server, "R-DNS").0, 0, "so does what hands out leases");
}

#[test]
fn a_directory_that_admits_a_password_in_clear_is_told() {
    let binds = |net: Net| net.did(CLIENT, DeedKind::Shows, Some(SERVER), "ldap_binds", 20 * DAY, None);
    let shows = |net: Net, label: &str| net.did(SERVER, DeedKind::Shows, None, label, 20 * DAY, None);
    let admits = |net: Net, client: &str| {
        net.did(SERVER, DeedKind::Admits, Some(client), "ldap", 20 * DAY, Some(Thing::Number(1)))
    };
    let net = || Net::of(&[CLIENT, SERVER]);
    assert_eq!(assessed(admits(binds(net()), CLIENT), "R-LDAP"), (1, 0));
    assert_eq!(assessed(binds(net()), "R-LDAP"), (0, 0), "nobody saw the answer");
    assert_eq!(assessed(admits(binds(net()), "10.0.0.51"), "R-LDAP"), (0, 0), "it admitted another client");
    assert_eq!(assessed(admits(net(), CLIENT), "R-LDAP"), (0, 0), "a bind that keeps its secrets");
    let wants_more = shows(admits(binds(net()), CLIENT), "ldap_requires");
    assert_eq!(assessed(wants_more, "R-LDAP"), (0, 1), "it refuses such binds");
    assert_eq!(assessed(shows(net(), "ldap_tls"), "R-LDAP"), (0, 1));
    let refuses =
        |net: Net| net.did(SERVER, DeedKind::Refuses, Some(CLIENT), "ldap", 20 * DAY, Some(Thing::Number(2)));
    let anonymous =
        |net: Net| net.did(CLIENT, DeedKind::Shows, Some(SERVER), "ldap_binds_otherwise", 20 * DAY, None);
    let admitted = || admits(binds(net()), CLIENT);
    assert_eq!(assessed(refuses(admitted()), "R-LDAP"), (1, 0), "a typing error before");
    assert_eq!(assessed(anonymous(admitted()), "R-LDAP"), (1, 0), "nothing was refused");
    assert_eq!(
        assessed(anonymous(refuses(admitted())), "R-LDAP"),
        (0, 0),
        "it may have admitted the anonymous bind alone"
    );
}

#[test]
fn what_is_off_is_not_told() {
    let told = |security: Security| security.alerts.len() + security.recommendations.len();
    let quiet = told(Net::of(&[CLIENT, SERVER]).security(0));
    assert_eq!(told(called(Net::of(&[CLIENT, SERVER]), CLIENT, 0..72, 1).security(0)), quiet);
    assert_eq!(told(asked(&["10.0.0.1"], "8.8.8.8").security(0)), quiet);
}
