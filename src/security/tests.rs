//! Alerts and recommendations of small zones: what raises one, and the traps that must not.

use super::{FeedHolders, Ruleset, Security, derive};
use crate::census::conduct::{Deed, DeedKey, DeedKind, Thing};
use crate::census::{
    Coupling, CouplingKey, Decisions, Field, Inventory, MacAddr, Policy, Sign, Signs, Survey, Timestamp,
    Unclassified, Zone,
};

pub(super) const CLIENT: &str = "10.0.0.50";
pub(super) const SERVER: &str = "10.0.0.10";
const ATTACKER: &str = "10.0.0.66";
pub(super) const MINUTE: i64 = 60;
pub(super) const DAY: i64 = 86_400;

/// A zone, made step by step. Times are seconds.
#[derive(Default)]
pub(super) struct Net(pub(super) Zone);

fn card(n: u8) -> MacAddr {
    MacAddr([0, 0x40, 0x8c, 1, 0, n])
}

/// The coupling of an address and the card of its last number.
pub(super) fn own(ip: &str) -> CouplingKey {
    let last = ip.rsplit('.').next().unwrap().parse().unwrap();
    CouplingKey { mac: card(last), ip: ip.parse().unwrap() }
}

impl Net {
    /// Hosts that prove their addresses from the first second to the last.
    pub(super) fn of(ips: &[&str]) -> Self {
        ips.iter().fold(Self::default(), |net, ip| net.proves(own(ip), 0, 40 * DAY, &[Sign::ArpAnswered]))
    }

    pub(super) fn proves(mut self, key: CouplingKey, first: i64, last: i64, signs: &[Sign]) -> Self {
        let signs = signs.iter().fold(Signs::default(), |all, s| all.with(*s));
        for at in [first, first + 1, last] {
            self.0.merge_coupling(key, &Coupling::new(Timestamp::from_secs(at), signs));
            self.0.segment.span(Timestamp::from_secs(at), Timestamp::from_secs(at));
        }
        self
    }

    fn said(mut self, ip: &str, field: Field, value: &str) -> Self {
        let mut facts = Coupling::new(Timestamp(0), Sign::Sourced.into());
        facts.evidence.add(field, value, Timestamp(0));
        self.0.merge_coupling(own(ip), &facts);
        self
    }

    pub(super) fn did(
        mut self,
        doer: &str,
        kind: DeedKind,
        peer: Option<&str>,
        label: &str,
        at: i64,
        thing: Option<Thing>,
    ) -> Self {
        let key = DeedKey {
            doer: own(doer),
            kind,
            peer: peer.map(|ip| ip.parse().unwrap()),
            port: 0,
            label: label.into(),
        };
        let at = Timestamp::from_secs(at);
        self.0.conduct.merge_deed(&key, &Deed::new(at, at, kind, thing));
        self
    }

    /// The doer did it to as many things, one a second.
    fn crowd(
        self,
        doer: &str,
        kind: DeedKind,
        peer: Option<&str>,
        label: &str,
        at: i64,
        things: u64,
    ) -> Self {
        (0..things).fold(self, |net, n| {
            net.did(doer, kind, peer, label, at + i64::try_from(n).unwrap(), Some(Thing::Number(n)))
        })
    }

    /// As [`Self::alerts`], with those that are off.
    pub(super) fn all_alerts(self) -> Vec<String> {
        let told = self.derived(0, true).alerts;
        told.iter().map(|a| format!("{} {} {}", a.severity.key(), a.rule, a.device.ip)).collect()
    }

    pub(super) fn security(self, baseline: i64) -> Security {
        self.derived(baseline, false)
    }

    pub(super) fn derived(self, baseline: i64, all: bool) -> Security {
        self.with(&Ruleset::builtin().unwrap(), baseline, all)
    }

    fn by(self, rules: &Ruleset) -> Security {
        self.with(rules, 0, false)
    }

    pub(super) fn with(self, rules: &Ruleset, baseline: i64, all: bool) -> Security {
        self.under((rules, baseline, all), &FeedHolders::new())
    }

    /// What follows while feeds of the plan service hold these indicators.
    fn held(self, holders: &[(&str, &[&str])]) -> Security {
        let names = |feeds: &[&str]| feeds.iter().map(ToString::to_string).collect();
        let holders = holders.iter().map(|(label, feeds)| (label.to_string(), names(feeds))).collect();
        self.under((&Ruleset::builtin().unwrap(), 0, false), &holders)
    }

    fn under(self, (rules, baseline, all): (&Ruleset, i64, bool), feeds: &FeedHolders) -> Security {
        let inventory = Inventory::of("default", self.0);
        let (policy, decisions) = (Policy::default(), Decisions::default());
        let survey =
            Survey::new(&inventory, &policy, &decisions, &Unclassified, Timestamp::from_secs(40 * DAY));
        derive(&survey, &inventory, decisions.names(), rules, baseline * 1_000_000_000, all, feeds)
    }

    /// The alerts, each as its rule, address and object.
    fn alerts(self) -> Vec<String> {
        let told = self.security(0).alerts;
        told.iter()
            .map(|a| format!("{} {} {}", a.rule, a.device.ip, a.object).trim_end().to_owned())
            .collect()
    }
}

pub(super) const NONE: [&str; 0] = [];

#[test]
fn refusals_are_guessing_only_if_they_are_many_in_a_short_time() {
    let net = || Net::of(&[CLIENT, SERVER]);
    let many = net().crowd(SERVER, DeedKind::Refuses, Some(CLIENT), "imap", 600, 20);
    assert_eq!(many.alerts(), ["A-BRUTE 10.0.0.10 IMAP from 10.0.0.50"]);
    assert_eq!(net().crowd(SERVER, DeedKind::Refuses, Some(CLIENT), "imap", 600, 19).alerts(), NONE);
    let slow = (0..60).fold(net(), |net, n| {
        net.did(
            SERVER,
            DeedKind::Refuses,
            Some(CLIENT),
            "imap",
            n * 5 * MINUTE,
            Some(Thing::Number(n.unsigned_abs())),
        )
    });
    assert_eq!(slow.alerts(), NONE, "a stale password, once in five minutes");
}

#[test]
fn guessing_succeeds_with_the_first_admission_and_not_with_an_older_one() {
    let guessed =
        || Net::of(&[CLIENT, SERVER]).crowd(SERVER, DeedKind::Refuses, Some(CLIENT), "ftp", 2 * DAY, 20);
    let at = 2 * DAY + 10 * MINUTE;
    let after = guessed().did(SERVER, DeedKind::Admits, Some(CLIENT), "ftp", at, None);
    assert_eq!(after.alerts().len(), 2);
    let before = guessed().did(SERVER, DeedKind::Admits, Some(CLIENT), "ftp", 60, None);
    assert_eq!(before.did(SERVER, DeedKind::Admits, Some(CLIENT), "ftp", at, None).alerts().len(), 1);
    let late = guessed().did(SERVER, DeedKind::Admits, Some(CLIENT), "ftp", at + DAY, None);
    assert_eq!(late.alerts().len(), 1);
}

#[test]
fn sessions_that_recur_every_day_are_an_automation() {
    let net = |days: i64| {
        (0..days).fold(Net::of(&[CLIENT, SERVER]), |net, day| {
            net.crowd(SERVER, DeedKind::Greets, Some(CLIENT), "ssh", day * DAY + 600, 8)
        })
    };
    assert_eq!(net(1).alerts(), ["A-BRUTE-SSH 10.0.0.10 SSH from 10.0.0.50"]);
    assert_eq!(net(3).alerts(), NONE);
}

#[test]
fn closed_ports_are_told_of_the_station_that_knocked() {
    let net = Net::of(&[ATTACKER, SERVER]).crowd(SERVER, DeedKind::Closes, Some(ATTACKER), "tcp", 600, 16);
    assert_eq!(net.alerts(), ["A-SCAN-P 10.0.0.66"]);
    let far = Net::of(&[SERVER]).crowd(SERVER, DeedKind::Closes, Some("10.9.9.9"), "tcp", 600, 16);
    assert_eq!(far.alerts(), NONE, "nobody's device knocked");
}

#[test]
fn a_scan_of_addresses_meets_hosts_that_do_not_listen() {
    let hosts: Vec<String> = (100..130).map(|n| format!("10.0.0.{n}")).collect();
    let opened = |listen: bool| {
        let net = Net::of(&[ATTACKER]);
        hosts.iter().fold(net, |net, ip| {
            let net = net.proves(own(ip), 0, DAY, &[Sign::ArpAnswered]);
            let net = if listen { net.said(ip, Field::TcpListens, "81") } else { net };
            let key = DeedKey {
                doer: own(ATTACKER),
                kind: DeedKind::OpensHosts,
                peer: None,
                port: 81,
                label: "".into(),
            };
            let (at, host) = (Timestamp::from_secs(600), Thing::Ip(ip.parse().unwrap()));
            let mut net = net;
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, key.kind, Some(host)));
            net
        })
    };
    assert_eq!(opened(false).alerts(), ["A-SCAN-H 10.0.0.66"]);
    assert_eq!(opened(true).alerts(), NONE, "a monitoring system");
}

#[test]
fn many_ports_are_a_scan_unless_the_hosts_accept_them() {
    let opened = |listen: bool| {
        (1..25).fold(Net::of(&[ATTACKER, SERVER]), |net, port: u16| {
            let mut net = if listen { net.said(SERVER, Field::TcpListens, &port.to_string()) } else { net };
            let at = Timestamp::from_secs(600);
            let key = DeedKey {
                doer: own(ATTACKER),
                kind: DeedKind::OpensPorts,
                peer: None,
                port: 0,
                label: "".into(),
            };
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, key.kind, Some(Thing::Port(port))));
            let key = DeedKey { kind: DeedKind::OpensHosts, port, ..key };
            let host = Thing::Ip(SERVER.parse().unwrap());
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, key.kind, Some(host)));
            net
        })
    };
    assert_eq!(opened(false).alerts(), ["A-SCAN-P 10.0.0.66"]);
    let few = Net::of(&[ATTACKER]).crowd(ATTACKER, DeedKind::OpensPorts, None, "", 600, 23);
    assert_eq!(few.alerts(), NONE);
    assert_eq!(opened(true).alerts(), NONE, "a collector of metrics");
}

#[test]
fn a_look_for_plants_counts_once_the_zone_is_known() {
    let net = |at| Net::of(&[ATTACKER]).crowd(ATTACKER, DeedKind::OpensControl, None, "", at, 8);
    let rules =
        |net: Net, baseline| net.security(baseline).alerts.iter().map(|a| a.rule.clone()).collect::<Vec<_>>();
    assert_eq!(rules(net(30), 0), ["A-SCAN-OT"], "without a baseline, from the first minute on");
    assert_eq!(rules(net(8 * DAY), 7 * DAY), ["A-SCAN-OT"]);
    assert_eq!(rules(net(6 * DAY), 7 * DAY), NONE);
}

#[test]
fn writes_are_those_of_an_unknown_master_after_the_first_week() {
    let net = |at| Net::of(&[CLIENT]).did(CLIENT, DeedKind::Commands, Some(SERVER), "modbus_write", at, None);
    assert_eq!(net(8 * DAY).security(7 * DAY).alerts.len(), 1);
    assert_eq!(
        net(DAY)
            .did(CLIENT, DeedKind::Commands, Some(SERVER), "modbus_write", 9 * DAY, None)
            .security(7 * DAY)
            .alerts,
        []
    );
}

#[test]
fn a_station_that_commands_every_day_stops_plants_with_less_alarm() {
    use super::Severity::{High, Medium};
    let net = |days: i64| {
        (0..days).fold(Net::of(&[CLIENT]), |net, day| {
            net.did(CLIENT, DeedKind::Commands, Some(SERVER), "s7_stop", day * DAY, None)
        })
    };
    assert_eq!(net(1).security(0).alerts.iter().map(|a| a.severity).collect::<Vec<_>>(), [High]);
    assert_eq!(net(3).security(0).alerts.iter().map(|a| a.severity).collect::<Vec<_>>(), [Medium]);
}

/// The address of a host, proved by the attacker's card.
fn taken(ip: &str) -> CouplingKey {
    CouplingKey { ip: ip.parse().unwrap(), ..own(ATTACKER) }
}

#[test]
fn a_card_that_takes_two_addresses_poisons() {
    let net = || Net::of(&[CLIENT, ATTACKER]);
    let answers = [Sign::ArpAnswered];
    let both = net()
        .proves(own("10.0.0.1"), 0, 4_999, &answers)
        .proves(taken("10.0.0.1"), 5_000, 5_100, &answers)
        .proves(taken(CLIENT), 5_000, 5_100, &answers);
    assert_eq!(
        both.alerts(),
        // A device is listed under the lowest address that it proves, also if it took that one.
        ["A-ARP 10.0.0.1 00:40:8c:01:00:42"],
        "a router says little by its own address"
    );
    assert_eq!(
        net().proves(taken(CLIENT), 5_000, 5_100, &answers).alerts(),
        NONE,
        "one address is a conflict"
    );
}

#[test]
fn a_pair_that_announces_its_address_is_no_poisoner() {
    let both = [Sign::ArpAnswered, Sign::ArpAnnounced];
    let net = |late: &[Sign]| {
        let mut net = Net::of(&[CLIENT, ATTACKER]).proves(own("10.0.0.1"), 0, 9_000, &both).proves(
            taken("10.0.0.1"),
            5_000,
            5_100,
            late,
        );
        let taught = crate::census::Taught::new(Timestamp(0), card(10));
        net.0.segment.routers.insert("10.0.0.1".parse().unwrap(), taught);
        net
    };
    assert_eq!(net(&both).all_alerts(), ["informational A-GW 10.0.0.1"], "it is told, and not as bad");
    assert_eq!(
        net(&[Sign::ArpAnswered]).all_alerts(),
        ["high A-ARP 10.0.0.1"],
        "it takes a router's address"
    );
}

#[test]
fn an_address_that_moves_is_no_poisoning() {
    let answers = [Sign::ArpAnswered];
    let gone = Net::of(&[ATTACKER])
        .proves(own("10.0.0.1"), 0, 600, &answers)
        .proves(own("10.0.0.2"), 0, 600, &answers)
        .proves(taken("10.0.0.1"), 5_000, 9_000, &answers)
        .proves(taken("10.0.0.2"), 5_000, 9_000, &answers);
    assert_eq!(gone.alerts(), NONE, "a new device took over long after the old one fell silent");
}

#[test]
fn an_offer_of_another_router_to_the_same_client_is_a_rogue_server() {
    let offers = |net: Net, server, router, at, client: &str| {
        net.did(server, DeedKind::Offers, Some(router), "", at, Some(Thing::Text(client.into())))
    };
    let net = || {
        offers(
            offers(Net::of(&[SERVER, ATTACKER]), SERVER, "10.0.0.1", 60, "a"),
            SERVER,
            "10.0.0.1",
            900,
            "a",
        )
    };
    assert_eq!(offers(net(), ATTACKER, "10.0.0.66", 600, "a").alerts(), ["A-RDHCP 10.0.0.66"]);
    assert_eq!(offers(net(), ATTACKER, "10.0.0.1", 600, "a").alerts(), NONE, "a pair of servers that agree");
    assert_eq!(offers(net(), ATTACKER, "10.0.0.66", 600, "b").alerts(), NONE, "another network's client");
}

#[test]
fn names_of_others_are_poisoning_and_own_names_are_not() {
    let answers = |net: Net, label, names: &[&str]| {
        names.iter().fold(net, |net, name| {
            net.did(ATTACKER, DeedKind::AnswersNames, None, label, 600, Some(Thing::Text((*name).into())))
        })
    };
    let net = || Net::of(&[ATTACKER]);
    assert_eq!(answers(net(), "llmnr", &["files", "print", "sql"]).alerts(), ["A-POISON 10.0.0.66"]);
    let said = net().said(ATTACKER, Field::LlmnrName, "files").said(ATTACKER, Field::LlmnrName, "print");
    assert_eq!(
        answers(said, "llmnr", &["files", "print", "sql"]).alerts(),
        ["A-POISON 10.0.0.66"],
        "what it answered does not excuse it"
    );
    assert_eq!(answers(net(), "wpad", &["wpad"]).alerts(), ["A-POISON 10.0.0.66"]);
    let named = net().said(ATTACKER, Field::NbnsName, "files").said(ATTACKER, Field::NbnsName, "print");
    assert_eq!(answers(named, "nbns", &["files", "print", "sql"]).alerts(), NONE);
}

#[test]
fn a_domain_that_three_devices_ask_so_is_usual() {
    let askers = ["10.0.0.51", "10.0.0.52", "10.0.0.53"];
    let net = |n: usize| {
        askers[..n].iter().fold(Net::of(&askers), |net, ip| {
            net.crowd(ip, DeedKind::AsksNames, None, "example.org", 600, 32)
        })
    };
    assert_eq!(net(1).alerts(), ["A-DNS-TUN 10.0.0.51 example.org"]);
    assert_eq!(net(3).alerts(), NONE);
}

#[test]
fn default_credentials_count_if_they_are_used_and_not_if_they_are_tried() {
    let net = |n| Net::of(&[CLIENT]).crowd(CLIENT, DeedKind::TriesDefault, Some(SERVER), "admin", 600, n);
    assert_eq!(net(3).alerts().len(), 1);
    assert_eq!(net(2).alerts(), NONE);
}

#[test]
fn an_alert_keeps_its_id_while_it_grows() {
    let net = |n| {
        Net::of(&[CLIENT, SERVER]).crowd(SERVER, DeedKind::Refuses, Some(CLIENT), "imap", 600, n).security(0)
    };
    let (small, large) = (net(20), net(120));
    assert_eq!(small.alerts.first().map(|a| a.id), large.alerts.first().map(|a| a.id));
    assert_eq!(large.alerts.len(), 1);
}

#[test]
fn a_posture_is_unhealthy_for_thirty_days() {
    let net = |at| Net::of(&[SERVER]).did(SERVER, DeedKind::Shows, None, "vnc_open", at, None);
    let unhealthy = |security: Security| {
        security
            .recommendations
            .iter()
            .filter(|r| r.rule == "R-VNC")
            .map(|r| r.unhealthy.len())
            .sum::<usize>()
    };
    assert_eq!(unhealthy(net(20 * DAY).security(0)), 1);
    assert_eq!(unhealthy(net(5 * DAY).security(0)), 0);
}

#[test]
fn the_built_in_rules_can_be_read() {
    let rules = Ruleset::builtin().unwrap();
    assert!(rules.alerts.len() > 20 && rules.recommendations.len() > 10);
}

/// A zone in which a router's address is proved by card 1 until a time, and by the attacker's from another on.
fn changed_gateway(until: i64, from: i64) -> Net {
    let answers = [Sign::ArpAnswered];
    let mut net = Net::of(&[CLIENT, ATTACKER]).proves(own("10.0.0.1"), 0, until, &answers).proves(
        taken("10.0.0.1"),
        from,
        10 * DAY,
        &answers,
    );
    let taught = crate::census::Taught::new(Timestamp(0), card(10));
    net.0.segment.routers.insert("10.0.0.1".parse().unwrap(), taught);
    net
}

#[test]
fn a_gateway_that_falls_silent_before_another_comes_was_replaced() {
    let hour = 60 * MINUTE;
    assert_eq!(changed_gateway(8 * DAY, 8 * DAY + hour).all_alerts(), ["informational A-GW 10.0.0.1"]);
    assert_eq!(changed_gateway(6 * DAY, 8 * DAY).all_alerts(), NONE, "its address was free for two days");
    let early = changed_gateway(2 * DAY, 2 * DAY + hour).derived(7 * DAY, false);
    assert_eq!(early.alerts, [], "in the zone's first week, no gateway is known");
}

#[test]
fn a_gateway_that_is_taken_beside_its_owner_is_poisoning_and_told_once() {
    let told = changed_gateway(9 * DAY, 8 * DAY).alerts();
    assert_eq!(told, ["A-ARP 10.0.0.1 00:40:8c:01:00:42"]);
}

#[test]
fn a_machine_with_two_systems_keeps_its_name_and_is_told_with_less_alarm() {
    let asks = |net: Net, label: &str, days: i64| {
        (0..days).fold(net, |mut net, day| {
            let at = Timestamp::from_secs(day * DAY);
            let doer = CouplingKey { ip: [0, 0, 0, 0].into(), ..own(CLIENT) };
            let (kind, label) = (DeedKind::Leases, label.into());
            let key = DeedKey { doer, kind, peer: None, port: 0, label };
            net.0.conduct.merge_deed(&key, &Deed::new(at, at, kind, None));
            net
        })
    };
    let net = |days, other: &str| asks(asks(Net::of(&[CLIENT]), "msft\tdesk-1", days), other, days);
    assert_eq!(net(3, "udhcp\tcam-1").all_alerts(), ["medium A-CLONE 10.0.0.50"]);
    assert_eq!(net(3, "udhcp\tdesk-1").all_alerts(), ["informational A-CLONE 10.0.0.50"]);
    assert_eq!(net(3, "udhcp\t").all_alerts(), ["informational A-CLONE 10.0.0.50"]);
    for (days, other, why) in [
        (2, "udhcp\tcam-1", "a card that moved"),
        (3, "pxeclient\tcam-1", "it starts from the network"),
        (3, "android-dhcp-\tphone", "two of a person, as at a docking station"),
        (3, "msft\tdesk-2", "two laptops at one docking station"),
    ] {
        assert_eq!(net(days, other).all_alerts(), NONE, "{why}");
    }
}

#[test]
fn a_port_that_one_device_uses_on_three_days_is_unusual_and_one_that_many_use_is_not() {
    let askers = ["10.0.0.51", "10.0.0.52", "10.0.0.53"];
    let net = |devices: usize, days: i64| {
        let zone = Net::of(&askers);
        askers[..devices].iter().fold(zone, |net, ip| {
            (0..days).fold(net, |net, day| net.did(ip, DeedKind::Reaches, None, "", day * DAY, None))
        })
    };
    let security = |net: Net| {
        let mut rules = Ruleset::builtin().unwrap();
        rules.put("own.toml", "[[alert]]\nid = 'A-PORT'\nscope = 'all'\non = true\n").unwrap();
        net.by(&rules).alerts.len()
    };
    assert_eq!(security(net(1, 3)), 1);
    assert_eq!(security(net(1, 2)), 0);
    assert_eq!(security(net(3, 3)), 0);
}

#[test]
fn names_that_three_devices_miss_are_a_wrong_list_of_domains_to_search() {
    let askers = ["10.0.0.51", "10.0.0.52", "10.0.0.53"];
    let net = |n: usize| {
        askers[..n].iter().fold(Net::of(&askers), |net, ip| {
            (0..20).fold(net, |net, name| {
                let thing = Thing::Text(format!("q{name}.com").into());
                net.did(ip, DeedKind::Misses, None, "", 600 + name, Some(thing))
            })
        })
    };
    assert_eq!(net(1).all_alerts(), ["low A-DGA 10.0.0.51"]);
    assert_eq!(net(3).all_alerts(), NONE);
}

#[test]
fn an_alert_of_an_indicator_names_the_feeds_that_hold_it_and_goes_when_none_does() {
    let hit = |label: &str| Net::of(&[CLIENT]).did(CLIENT, DeedKind::Contacts, None, label, 600, None);
    let (own, listed) = ("ip:203.0.113.7", "feed:ip:203.0.113.7");
    let told = |security: &Security| {
        let told = security.alerts.iter().map(|a| (a.object.clone(), a.feeds.join(" ")));
        (told.collect::<Vec<_>>(), security.delisted.len())
    };
    let alert = |feeds: &str| vec![(own.to_owned(), feeds.to_owned())];
    assert_eq!(told(&hit(listed).held(&[(own, &["drop", "misp"])])), (alert("drop misp"), 0));
    assert_eq!(told(&hit(listed).held(&[])), (Vec::new(), 1), "no feed holds it any more");
    assert_eq!(told(&hit(own).held(&[])), (alert(""), 0), "the sensor's own files name it");
    assert_eq!(told(&hit(own).held(&[(own, &["drop"])])), (alert("drop"), 0));
    let ids = |security: Security| security.alerts.first().map(|alert| alert.id);
    let of_listed = hit(listed).held(&[(own, &["drop"])]);
    let gone = hit(listed).held(&[]).delisted;
    assert_eq!(ids(of_listed.clone()), gone.first().copied(), "what went is the alert that was told");
    assert_eq!(ids(of_listed), ids(hit(own).held(&[])), "a set or an own file, the alert is the same");
    let both = hit(listed).did(CLIENT, DeedKind::Contacts, None, own, 700, None);
    let security = both.held(&[]);
    assert_eq!((security.alerts.len(), security.alerts[0].proofs.len()), (1, 1));
}

#[test]
fn an_answer_of_a_listed_address_and_a_listed_name_are_told_like_others() {
    let net = Net::of(&[CLIENT])
        .did(CLIENT, DeedKind::Contacts, None, "feed:ip:203.0.113.7", 600, None)
        .did(CLIENT, DeedKind::Hears, None, "feed:ip:203.0.113.7", 601, None)
        .did(CLIENT, DeedKind::Asks, None, "feed:name:evil.example", 602, None);
    let security = net.held(&[("ip:203.0.113.7", &["a"]), ("name:evil.example", &["b"])]);
    let told: Vec<String> =
        security.alerts.iter().map(|a| format!("{} {}", a.rule, a.proofs[0].sentence)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&"A-IP it contacted ip:203.0.113.7, which answered".to_owned()), "{told:?}");
    assert!(told.contains(&"A-DOM it asked for name:evil.example".to_owned()), "{told:?}");
}
