//! Tests of the identity rules that judge several cards or unproven addresses together: words of others (I2), bindings of
//! public and foreign addresses (I4 to I6), joins (I8), times (I11, I16) and broadcast addresses (I15c).

use super::binding::Bindings;
use super::rules::{A, B, C, Net, POLICY};
use super::time::{DAY, HOUR};
use super::*;

const HERE: [Sign; 2] = [Sign::Sourced, Sign::LinkScope];
const NEAR: [Sign; 2] = [Sign::Sourced, Sign::Near];
const FAR: [Sign; 2] = [Sign::Sourced, Sign::Far];
const HOST: [Sign; 3] = [Sign::Sourced, Sign::Near, Sign::ArpAsked];

fn card(n: u8) -> MacAddr {
    MacAddr([0, 0x40, 0x8c, 1, 0, n])
}

/// A classifier that tells the values it was given.
#[derive(Debug)]
struct Echo;

impl Classifier for Echo {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let said = subject.evidence.iter().map(|e| e.value.to_string()).collect::<Vec<_>>().join(",");
        Classification {
            name: Some(said.into()),
            kind: subject.macs.len().to_string().into(),
            ..Classification::default()
        }
    }
}

impl Net {
    fn described(mut self, mac: MacAddr, ip: &str, field: Field, value: &str) -> Self {
        let mut facts = Coupling::new(Timestamp(0), Sign::Described.into());
        facts.evidence.add(field, value, Timestamp(0));
        self.0.merge_coupling(CouplingKey { mac, ip: ip.parse().unwrap() }, &facts);
        self
    }

    fn named(self, mac: MacAddr, ip: &str, field: Field, value: &str, at: i64) -> Self {
        let mut net = self;
        let mut facts = Coupling::new(Timestamp::from_secs(at), Sign::Sourced.into());
        facts.evidence.add(field, value, Timestamp::from_secs(at));
        net.0.merge_coupling(CouplingKey { mac, ip: ip.parse().unwrap() }, &facts);
        net
    }

    fn booted(mut self, mac: MacAddr, at: i64) -> Self {
        let mut facts = Station::new(Timestamp::from_secs(at));
        facts.evidence.add(Field::DhcpBoot, "discover", Timestamp::from_secs(at));
        self.0.merge_station(mac, &facts);
        self
    }

    fn frames(mut self, spans: &[(i64, i64)]) -> Self {
        for (first, last) in spans {
            self.0.segment.span(Timestamp(*first), Timestamp(*last));
        }
        self
    }

    /// What each device was said to be, by the addresses that it is listed by.
    fn words(&self) -> Vec<(String, String)> {
        let inventory = Inventory::of("default", self.0.clone());
        let survey = Survey::new(&inventory, &POLICY, &Decisions::default(), &Echo, Timestamp(0));
        let name = |d: &Device<'_>| d.classification().name.clone().unwrap_or_default();
        survey.devices.iter().map(|d| (d.ip.to_string(), name(d).to_string())).collect()
    }

    fn findings(&self, as_of: i64) -> Vec<FindingKind> {
        let inventory = Inventory::of("default", self.0.clone());
        let survey = Survey::new(&inventory, &POLICY, &Decisions::default(), &Unclassified, Timestamp(as_of));
        survey.findings.iter().map(|f| f.kind).collect()
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn i2_what_a_message_says_of_another_host_describes_that_host_if_it_is_known() {
    let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2");
    let known = net.clone().described(A, "10.0.0.2", Field::MdnsHostname, "tv");
    assert_eq!(known.words(), pairs(&[("10.0.0.1", ""), ("10.0.0.2", "tv")]));
    assert_eq!(known.census().0.len(), 2);
    let unknown = net.clone().described(A, "10.0.9.9", Field::MdnsHostname, "tv");
    assert_eq!(
        unknown.words(),
        pairs(&[("10.0.0.1", ""), ("10.0.0.2", "")]),
        "nobody's words, and no coupling"
    );
    let own = net.seen(A, "fe80::1", 0, &[Sign::NeighborDiscovery]);
    let own = own.described(A, "10.0.0.1", Field::MdnsHostname, "me");
    assert_eq!(own.words()[0], ("10.0.0.1".to_owned(), "me".to_owned()));
}

#[test]
fn i2_what_comes_from_an_address_that_a_card_only_answers_for_is_its_users() {
    let awake = Net::default().seen(A, "10.0.0.1", 0, &HOST).seen(B, "10.0.0.2", 0, &HOST);
    let asleep = awake.seen(A, "10.0.0.2", 9, &[Sign::ArpAnswered, Sign::ArpAnnounced]);
    let told = asleep.described(A, "10.0.0.2", Field::MdnsHostname, "mac");
    assert_eq!(told.words(), pairs(&[("10.0.0.1", ""), ("10.0.0.2", "mac")]));
}

#[test]
fn i4_a_public_announcement_proves_the_only_address_of_a_card_that_does_not_forward() {
    let announced = [Sign::Sourced, Sign::LinkScope, Sign::Announced];
    let net = Net::default().seen(A, "8.8.8.8", 0, &announced);
    assert_eq!(net.devices(), 1);
    assert_eq!(net.clone().arp(A, "10.0.0.1").census().1, ["8.8.8.8 X-PUB"], "it has proven another");
    assert_eq!(net.spoke(A, Field::RouterProtocol, "ospf").census().1, ["8.8.8.8 X-PUB"], "it forwards");
}

#[test]
fn i4_a_hello_proves_the_address_that_it_comes_from() {
    let net = Net::default().seen(A, "172.16.0.1", 0, &[Sign::Sourced, Sign::LinkScope, Sign::RoutingHello]);
    assert_eq!(net.spoke(A, Field::RouterProtocol, "ospf").devices(), 1);
}

#[test]
fn i4_public_addresses_are_hosts_where_three_cards_have_one_each_or_another_is_proven() {
    let hosts =
        |n: u8| (1..=n).fold(Net::default(), |net, i| net.seen(card(i), &format!("44.1.7.{i}"), 0, &NEAR));
    assert_eq!((hosts(2).devices(), hosts(3).devices()), (0, 3));
    assert_eq!(hosts(1).arp(A, "44.1.7.99").devices(), 2);
    assert_eq!(hosts(3).seen(card(3), "44.1.9.9", 0, &NEAR).devices(), 0, "one of them has two");
    let far = hosts(2).seen(card(3), "44.1.7.3", 0, &FAR);
    assert_eq!(far.devices(), 0, "a lowered TTL comes from a router");
    let six =
        (1..=3).fold(Net::default(), |net, i| net.seen(card(i), &format!("2a0e:97c0:1:7::{i}"), 0, &NEAR));
    assert_eq!(six.devices(), 3);
}

#[test]
fn i4_a_router_owns_its_one_private_address_that_is_seen_with_an_initial_ttl() {
    let router = Net::default().seen(A, "8.8.8.8", 0, &FAR).seen(A, "192.168.9.1", 0, &NEAR);
    assert_eq!(router.census(), (vec![vec!["192.168.9.1".to_owned()]], vec!["8.8.8.8 X-PUB".to_owned()]));
    assert_eq!(router.clone().seen(A, "192.168.8.1", 0, &NEAR).devices(), 0, "two may both be routed");
    assert_eq!(router.clone().arp(A, "10.0.0.1").devices(), 1, "it has proven another");
    assert_eq!(router.arp(B, "192.168.9.1").census().0, [["192.168.9.1"]], "another card proves it");
}

#[test]
fn i5_a_sent_mask_counts_from_16_to_30_and_a_public_one_once_two_cards_prove_addresses_in_it() {
    let routed = |mask: &str, ip: &str| {
        let net = Net::default().seen(A, ip, 0, &HERE).seen(A, "8.8.4.4", 0, &FAR).mask(mask);
        net.census().1.contains(&format!("{ip} X-PUB"))
    };
    assert!(routed("44.0.0.0/15", "44.1.1.1"));
    let net = Net::default().seen(A, "44.1.1.1", 0, &HERE).mask("44.1.1.0/24");
    assert_eq!(net.devices(), 0);
    assert_eq!(net.arp(B, "44.1.1.2").arp(C, "44.1.1.3").devices(), 3);
    let wide = Net::default().arp(A, "10.0.0.3").mask("10.0.0.0/31");
    assert_eq!(wide.devices(), 1);
}

#[test]
fn i5_prefixes_that_nest_are_a_finding() {
    let net = Net::default().arp(A, "10.0.0.1").mask("10.0.0.0/16").mask("10.0.4.0/24");
    assert_eq!(net.findings(0), [FindingKind::PrefixConflict]);
}

#[test]
fn i6_one_stray_packet_from_a_public_address_makes_no_router() {
    let phone = Net::default().seen(A, "10.0.0.1", 0, &HOST).seen(A, "25.1.2.3", 5, &NEAR);
    let (devices, lines) = phone.census();
    assert_eq!((devices.len(), lines), (1, vec!["25.1.2.3 X-PUB".to_owned()]));
    let forwards = |net: &Net| {
        let bindings = Bindings::derive(&net.0, &POLICY, true);
        bindings.forwarding.contains_key(&A)
    };
    assert!(!forwards(&phone));
    assert!(!forwards(&phone.clone().seen(A, "25.1.2.4", 65, &NEAR)), "another, a minute later");
    assert!(!forwards(&phone.clone().seen(A, "2a0e::1", 6, &NEAR)), "of the other family");
    assert!(forwards(&phone.clone().seen(A, "25.1.2.4", 20, &NEAR)), "two within a minute");
    assert!(forwards(&phone.seen(A, "25.1.2.4", 500, &FAR)), "a router lowered the TTL");
}
#[test]
fn i6_two_temporary_addresses_of_one_ipv6_prefix_make_no_router() {
    let host = Net::default().seen(A, "10.0.0.1", 0, &HOST).seen(A, "2a0e:1:2:3:aa::1", 5, &NEAR);
    let forwards = |net: &Net| Bindings::derive(&net.0, &POLICY, true).forwarding.contains_key(&A);
    assert!(!forwards(&host.clone().seen(A, "2a0e:1:2:3:bb::1", 9, &NEAR)));
    assert!(forwards(&host.clone().seen(A, "2a0e:1:2:4:bb::1", 9, &NEAR)), "of two prefixes");
    assert!(forwards(&host.seen(A, "2a0e:1:2:3:bb::1", 9, &FAR)), "a router lowered the hop limit");
}

#[test]
fn i6_a_ttl_of_60_is_an_initial_one_unless_the_card_forwards_by_something_else() {
    let net = Net::default().seen(A, "172.16.0.1", 0, &[Sign::Sourced, Sign::Sixty]);
    assert_eq!(net.devices(), 1);
    assert_eq!(net.spoke(A, Field::RouterProtocol, "ospf").devices(), 0);
}

#[test]
fn i8b_a_factory_address_that_was_silent_before_the_first_lease_is_superseded() {
    let camera = Net::default().arp(A, "192.168.1.108").booted(A, 20).leased(A, "10.0.0.5", 21);
    assert_eq!((camera.devices(), camera.joins()), (1, vec![JoinReason::LeaseMove]));
    let kept = camera.seen(A, "192.168.1.108", 30, &[Sign::ArpAsked]);
    assert_eq!(kept.devices(), 2, "it goes on using it");
    let renewed = Net::default().arp(A, "192.168.1.108").leased(A, "10.0.0.5", 21);
    assert_eq!(renewed.devices(), 2, "nobody saw it begin without an address");
}

#[test]
fn i8c_a_chassis_id_ties_the_mac_that_it_names() {
    let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2");
    let tied = net.clone().spoke(B, Field::LldpChassisId, "4:00408c00000a");
    assert_eq!((tied.devices(), tied.joins()), (1, vec![JoinReason::SharedIdentifier]));
    assert_eq!(
        net.spoke(B, Field::LldpChassisId, "7:00408c00000a").devices(),
        2,
        "a local name names no MAC"
    );
}

#[test]
fn i8c_an_identifier_ties_nobody_whose_bearers_contradict_each_other() {
    let net = |at| {
        let net = Net::default().arp(A, "10.0.0.1").seen(B, "10.0.0.2", at, &[Sign::ArpAsked]);
        net.said(A, "10.0.0.1", Field::SnmpEngineId, "80001f88040102").named(
            B,
            "10.0.0.2",
            Field::SnmpEngineId,
            "80001f88040102",
            at,
        )
    };
    assert_eq!(net(0).devices(), 1);
    let name = |net: Net, a, b, at| {
        let net = net.named(A, "10.0.0.1", Field::SnmpSysName, a, 0);
        net.named(B, "10.0.0.2", Field::SnmpSysName, b, at)
    };
    assert_eq!(name(net(0), "pdu-1", "pdu-2", 0).devices(), 2);
    assert_eq!(name(net(0), "pdu-1", "PDU-1", 0).devices(), 1, "the same name");
    assert_eq!(name(net(7_200), "pdu-1", "pdu-2", 7_200).devices(), 1, "it was renamed");
    let serial =
        net(0).said(A, "10.0.0.1", Field::LldpMedSerial, "1").said(B, "10.0.0.2", Field::LldpMedSerial, "2");
    assert_eq!(serial.devices(), 2);
}

#[test]
fn i8c_three_cards_with_leases_in_use_at_once_are_copies_of_one_image() {
    let net = |cards: &[(MacAddr, &str, i64)]| {
        cards.iter().fold(Net::default(), |net, (mac, ip, at)| {
            let net = net.leased(*mac, ip, *at).seen(*mac, ip, at + 50, &NEAR);
            net.spoke(*mac, Field::DhcpDuid, "0002000000ab")
        })
    };
    assert_eq!(net(&[(A, "10.0.0.1", 0), (B, "10.0.0.2", 5)]).devices(), 1);
    assert_eq!(net(&[(A, "10.0.0.1", 0), (B, "10.0.0.2", 5), (C, "10.0.0.3", 9)]).devices(), 3);
    assert_eq!(
        net(&[(A, "10.0.0.1", 0), (B, "10.0.0.2", 100), (C, "10.0.0.3", 200)]).devices(),
        1,
        "one by one"
    );
    let names = net(&[(A, "10.0.0.1", 0), (B, "10.0.0.2", 5)]);
    let names = names.spoke(A, Field::DhcpHostname, "cam-1").spoke(B, Field::DhcpHostname, "hue-2");
    assert_eq!(names.devices(), 2, "different host names");
}

#[test]
fn i8d_an_address_whose_packets_a_card_only_passes_on_is_no_device_and_lists_none() {
    let vpn = Net::default().seen(A, "10.0.0.9", 0, &HOST).seen(A, "10.0.0.1", 0, &[Sign::ArpAnswered]);
    let vpn = vpn.seen(A, "10.0.0.1", 3, &FAR);
    assert_eq!((vpn.devices(), vpn.joins()), (1, vec![JoinReason::ProxyArp]));
    assert_eq!(vpn.words()[0].0, "10.0.0.9");
    assert_eq!(vpn.seen(A, "10.0.0.1", 4, &NEAR).devices(), 2, "it sends from it itself");
    let announced =
        Net::default().seen(A, "10.0.0.9", 0, &HOST).seen(A, "10.0.0.1", 0, &[Sign::ArpAnnounced]);
    assert_eq!(announced.devices(), 1, "a sleep proxy announces");
    let quiet = Net::default().seen(A, "10.0.0.9", 0, &[Sign::ArpAnnounced]);
    assert_eq!(quiet.seen(A, "10.0.0.1", 0, &[Sign::ArpAnnounced]).devices(), 2, "it uses neither, or both");
}
#[test]
fn i8c_a_chassis_id_that_is_an_address_or_an_interface_ties_nobody() {
    for id in ["5:010a000001", "6:657468300a"] {
        let net = Net::default().arp(A, "10.0.0.1").spoke(A, Field::LldpChassisId, id);
        assert_eq!(net.arp(B, "10.0.0.2").spoke(B, Field::LldpChassisId, id).devices(), 2, "{id}");
    }
}

#[test]
fn i8f_i8h_two_cards_that_share_thousands_of_addresses_are_compared_once() {
    let both = |signs: &[Sign]| {
        (0..20_000_u32).fold(Net::default(), |net, n| {
            let ip = std::net::Ipv4Addr::from_bits(0x0a00_0001 + n).to_string();
            net.seen(card(1), &ip, 0, signs).seen(card(2), &ip, 0, &[Sign::ArpAsked])
        })
    };
    assert_eq!(both(&[Sign::ArpAsked]).devices(), 20_000, "bonds");
    assert_eq!(both(&[Sign::LldpManagement]).devices(), 1, "ports");
}

#[test]
fn i8f_ports_that_name_a_management_address_belong_to_the_device_that_has_it() {
    let ports = Net::default().seen(B, "10.0.0.1", 0, &[Sign::LldpManagement]).seen(
        C,
        "10.0.0.1",
        0,
        &[Sign::CdpManagement],
    );
    assert_eq!(
        (ports.devices(), ports.joins()),
        (1, vec![JoinReason::Port]),
        "heard by their LLDP and CDP alone"
    );
    let switch = ports.arp(A, "10.0.0.1");
    assert_eq!((switch.devices(), switch.findings(0)), (1, vec![]), "and no conflict");
    assert_eq!(switch.arp(card(1), "10.0.0.1").devices(), 2, "who proves it otherwise is another device");
}

#[test]
fn i8g_a_client_behind_a_bridge_that_writes_its_own_mac_is_one_device_and_the_clients() {
    let net = Net::default().arp(A, "10.0.0.1").leased(B, "10.0.0.2", 5).seen(A, "10.0.0.2", 6, &HOST);
    let net = net.said(A, "10.0.0.2", Field::HttpServer, "cam").spoke(A, Field::LldpSysName, "repeater");
    assert_eq!((net.devices(), net.joins()), (2, vec![JoinReason::Bridge]));
    assert_eq!(net.words(), pairs(&[("10.0.0.1", "repeater"), ("10.0.0.2", "cam")]));
    let speaks = net.seen(B, "10.0.0.2", 7, &[Sign::ArpAsked]);
    assert_eq!(speaks.devices(), 3, "a client that sends itself has its own address");
}

#[test]
fn i8g_an_address_that_is_leased_to_a_silent_client_makes_no_router() {
    let net = Net::default().arp(A, "10.0.0.1").leased(B, "10.0.0.2", 5).seen(A, "10.0.0.2", 6, &NEAR);
    assert_eq!(
        net.mask("10.0.0.0/24").census(),
        (vec![vec!["10.0.0.1".to_owned()], vec!["10.0.0.2".to_owned(); 2]], vec![])
    );
}

#[test]
fn i8h_two_cards_of_one_machine_that_answer_for_one_address_are_one_device() {
    let (one, two) = (card(1), card(17));
    let bond = Net::default().arp(one, "10.0.0.1").arp(two, "10.0.0.1");
    assert_eq!((bond.devices(), bond.joins()), (1, vec![JoinReason::Bond]));
    assert_eq!(Net::default().arp(one, "10.0.0.1").arp(card(18), "10.0.0.1").devices(), 2, "too far apart");
    assert_eq!(bond.clone().arp(two, "10.0.0.2").devices(), 3, "one proves another address");
    assert_eq!(bond.clone().spoke(one, Field::RouterProtocol, "ospf").devices(), 2, "one forwards");
    let names =
        bond.said(one, "10.0.0.1", Field::MdnsHostname, "a").said(two, "10.0.0.1", Field::MdnsHostname, "b");
    assert_eq!(names.devices(), 2);
}

#[test]
fn i8i_the_leaking_address_of_another_interface_belongs_to_the_device() {
    let net = Net::default().arp(A, "10.0.0.1").seen(A, "172.17.0.1", 0, &NEAR);
    assert_eq!((net.devices(), net.joins()), (1, vec![JoinReason::StrayAddress]));
    assert_eq!(net.mask("172.17.0.0/16").devices(), 2, "a known prefix");
}

#[test]
fn i11_each_gap_of_an_hour_begins_a_grace() {
    let monday = 3 * DAY;
    let flood = |at: i64, net: Net| {
        (0..250_u8).fold(net, |net, i| {
            net.seen(card(i), &format!("10.0.1.{i}"), at / 1_000_000_000, &[Sign::ArpAsked])
        })
    };
    let held = |net: Net| net.findings(monday + 2 * HOUR).contains(&FindingKind::NewcomersHeld);
    let frames = [(0, HOUR), (monday, monday + 2 * HOUR)];
    assert!(!held(flood(monday + 60_000_000_000, Net::default().frames(&frames))));
    assert!(held(flood(monday + HOUR, Net::default().frames(&frames))));
    assert!(held(flood(monday + 60_000_000_000, Net::default().frames(&[(0, monday + 2 * HOUR)]))), "no gap");
}

#[test]
fn i16_early_times_are_those_of_the_first_believable_frame_and_a_finding() {
    let now = 56 * 365 * DAY;
    let net = Net::default().seen(A, "10.0.0.1", 5, &HOST).seen(B, "10.0.0.2", now / 1_000_000_000, &HOST);
    let net = net.frames(&[(5, 5), (now, now + HOUR)]);
    let inventory = Inventory::of("default", net.0.clone());
    let survey =
        Survey::new(&inventory, &POLICY, &Decisions::default(), &Unclassified, Timestamp(now + HOUR));
    assert!(
        survey.devices.iter().all(|d| d.first_seen == Timestamp(now) && d.verdict == Verdict::Unclassified)
    );
    assert_eq!(net.findings(now + HOUR), [FindingKind::ClockJump]);
    assert_eq!(inventory.believed_end(), Some(Timestamp(now + HOUR)));
}

#[test]
fn i15c_a_broadcast_address_that_one_card_proves_and_sends_from_is_a_coupling_like_others() {
    let net = |signs: &[Sign]| Net::default().seen(A, "10.0.0.255", 0, signs).mask("10.0.0.0/24");
    assert_eq!(net(&[Sign::ArpAnswered]).census(), (vec![], vec!["10.0.0.255 X-BCAST".to_owned()]));
    assert_eq!(net(&NEAR).census().1, ["10.0.0.255 X-BCAST"]);
    assert_eq!(net(&HOST).devices(), 1);
    assert_eq!(net(&NEAR).seen(A, "10.0.0.255", 61, &NEAR).devices(), 1, "in two minutes");
}
