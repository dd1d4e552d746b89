//! Tests of the identity rules, one by one, from facts to devices. `dissect/tests.rs` tests what a frame proves;
//! `quarantine.rs` has its own tests.

use super::binding::Bindings;
use super::identity::Identities;
use super::trust::Caution;
use super::*;

pub(super) const A: MacAddr = MacAddr([0, 0x40, 0x8c, 0, 0, 0xa]);
pub(super) const B: MacAddr = MacAddr([0, 0x40, 0x8c, 0, 0, 0x4b]);
pub(super) const C: MacAddr = MacAddr([0, 0x40, 0x8c, 0, 0, 0x8c]);
pub(super) const RANDOM: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub(super) const RANDOM_2: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const VRRP: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 7]);

/// Builds the facts of one zone.
#[derive(Clone, Default)]
pub(super) struct Net(pub(super) Zone);

impl Net {
    pub(super) fn seen(mut self, mac: MacAddr, ip: &str, at: i64, signs: &[Sign]) -> Self {
        let signs = signs.iter().fold(Signs::default(), |all, s| all.with(*s));
        let key = CouplingKey { mac, ip: ip.parse().unwrap() };
        self.0.merge_coupling(key, &Coupling::new(Timestamp::from_secs(at), signs));
        self
    }

    pub(super) fn arp(self, mac: MacAddr, ip: &str) -> Self {
        self.seen(mac, ip, 0, &[Sign::ArpAsked])
    }

    pub(super) fn leased(self, mac: MacAddr, ip: &str, at: i64) -> Self {
        self.seen(mac, ip, at, &[Sign::DhcpAck])
    }

    pub(super) fn said(mut self, mac: MacAddr, ip: &str, field: Field, value: &str) -> Self {
        let mut facts = Coupling::new(Timestamp(0), Sign::Sourced.into());
        facts.evidence.add(field, value, Timestamp(0));
        self.0.merge_coupling(CouplingKey { mac, ip: ip.parse().unwrap() }, &facts);
        self
    }

    pub(super) fn spoke(mut self, mac: MacAddr, field: Field, value: &str) -> Self {
        let mut facts = Station::new(Timestamp(0));
        facts.evidence.add(field, value, Timestamp(0));
        self.0.merge_station(mac, &facts);
        self
    }

    pub(super) fn mask(mut self, prefix: &str) -> Self {
        let (ip, length) = prefix.split_once('/').unwrap();
        let prefix = Prefix::of(ip.parse().unwrap(), length.parse().unwrap()).unwrap();
        self.0.segment.learn_sent(prefix, &Taught::new(Timestamp(0), A));
        self
    }

    /// The addresses of each device, and the coupling lines as address and rule.
    pub(super) fn census(&self) -> (Vec<Vec<String>>, Vec<String>) {
        let inventory = Inventory::of("default", self.0.clone());
        let (policy, decisions) = (Policy::default(), Decisions::default());
        let survey = Survey::new(&inventory, &policy, &decisions, &Unclassified, Timestamp(0));
        let device = |d: &Device<'_>| d.couplings.iter().map(|m| m.key.ip.to_string()).collect();
        let line = |l: &CouplingLine<'_>| format!("{} {}", l.key.ip, l.verdict.id());
        (survey.devices.iter().map(device).collect(), survey.lines.iter().map(line).collect())
    }

    pub(super) fn devices(&self) -> usize {
        self.census().0.len()
    }

    pub(super) fn joins(&self) -> Vec<JoinReason> {
        let bindings = Bindings::derive(&self.0, &POLICY, true);
        let clock = self.0.clock();
        let caution = Caution::new(&clock, &POLICY, &Unclassified);
        Identities::derive(&self.0, &bindings, &ZoneDecisions::default(), &clock, &caution)
            .joins
            .iter()
            .map(|j| j.reason)
            .collect()
    }
}

pub(super) static POLICY: std::sync::LazyLock<Policy> = std::sync::LazyLock::new(Policy::default);

#[test]
fn i1_a_device_is_a_pair_of_mac_and_address() {
    let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.1");
    assert_eq!(net.devices(), 2, "one address on two cards is two couplings");
}

#[test]
fn one_address_on_two_cards_is_a_finding_only_if_both_use_it_at_once() {
    let findings = |second| {
        let net = Net::default().seen(A, "10.0.0.1", 0, &[Sign::ArpAsked]).seen(
            A,
            "10.0.0.1",
            20,
            &[Sign::ArpAsked],
        );
        let inventory = Inventory::of("default", net.seen(B, "10.0.0.1", second, &[Sign::ArpAnswered]).0);
        Survey::new(&inventory, &POLICY, &Decisions::default(), &Unclassified, Timestamp(0)).findings
    };
    let (first, last) = (Timestamp(0), Timestamp::from_secs(20));
    let conflict = Finding::address_conflict("default", "10.0.0.1".parse().unwrap(), [A, B], first, last);
    assert_eq!(findings(10).iter().collect::<Vec<_>>(), [&conflict]);
    assert!(findings(30).is_empty());
}

#[test]
fn i3_the_broadcast_address_of_a_sent_mask_is_not_a_device() {
    let net = Net::default().arp(A, "10.0.3.255").arp(B, "10.0.2.255");
    assert_eq!(net.devices(), 2);
    assert_eq!(net.mask("10.0.0.0/22").devices(), 1);
}

#[test]
fn i4_an_announcement_proves_an_address_of_the_link_and_no_other() {
    let net = Net::default().seen(A, "10.0.0.1", 0, &[Sign::Sourced, Sign::Announced, Sign::Far]);
    assert_eq!(net.census().1, ["10.0.0.1 X-ROUTED"]);
    assert_eq!(net.mask("10.0.0.0/24").devices(), 1);
}

#[test]
fn i4_ip_headers_alone_are_inferred_with_an_initial_ttl() {
    let near = Net::default().seen(A, "172.16.0.1", 0, &[Sign::Sourced, Sign::Near]);
    assert_eq!(near.devices(), 1);
    let far = Net::default().seen(A, "172.16.0.1", 0, &[Sign::Sourced, Sign::Far]);
    assert_eq!(far.census(), (vec![], vec!["172.16.0.1 X-ROUTED".to_owned()]));
}

#[test]
fn i6_what_lies_behind_a_forwarding_mac_is_routed_and_what_it_has_proven_stays_its_own() {
    let net = Net::default().arp(A, "10.0.0.1").seen(A, "8.8.8.8", 0, &[Sign::Sourced, Sign::Far]).seen(
        A,
        "10.0.0.9",
        0,
        &[Sign::Sourced, Sign::Near],
    );
    let (devices, lines) = net.census();
    assert_eq!(devices, [["10.0.0.1"]]);
    assert_eq!(lines, ["8.8.8.8 X-PUB", "10.0.0.9 X-ROUTED"]);
}

#[test]
fn i6_a_public_address_that_is_proven_or_on_link_is_a_device_like_others() {
    assert_eq!(Net::default().arp(A, "8.8.8.8").devices(), 1);
    let on_link = Net::default().seen(A, "8.8.8.8", 0, &[Sign::Sourced]).mask("8.8.8.0/24");
    assert_eq!(on_link.arp(B, "8.8.8.1").arp(C, "8.8.8.2").devices(), 3);
}

#[test]
fn i7_a_virtual_mac_is_not_a_device_and_a_virtual_address_belongs_to_the_real_mac() {
    let net = Net::default()
        .arp(A, "10.0.0.2")
        .arp(B, "10.0.0.3")
        .arp(VRRP, "10.0.0.1")
        .arp(A, "10.0.0.1")
        .spoke(A, Field::RouterProtocol, "vrrp");
    let (devices, lines) = net.census();
    assert_eq!(devices, [vec!["10.0.0.1", "10.0.0.2"], vec!["10.0.0.3"]]);
    assert_eq!(lines, ["10.0.0.1 X-VIRT"]);
}

#[test]
fn i8a_ipv6_addresses_belong_to_the_lowest_ipv4_device_of_their_card() {
    let net = Net::default()
        .arp(A, "10.0.0.2")
        .arp(A, "10.0.0.1")
        .seen(A, "fe80::1", 0, &[Sign::NeighborDiscovery])
        .seen(A, "2001:db8::1", 0, &[Sign::NeighborDiscovery]);
    assert_eq!(net.census().0, [vec!["10.0.0.1", "2001:db8::1", "fe80::1"], vec!["10.0.0.2"]]);
    let only = Net::default().seen(A, "fe80::1", 0, &[Sign::NeighborDiscovery]).seen(
        A,
        "fe80::2",
        0,
        &[Sign::NeighborDiscovery],
    );
    assert_eq!((only.devices(), only.joins()), (1, vec![JoinReason::Ipv6OfMac]));
}

#[test]
fn i8b_a_lease_supersedes_what_its_card_has_left_and_nothing_that_another_took_over() {
    let moved = Net::default().leased(A, "10.0.0.1", 10).leased(A, "10.0.0.2", 20);
    assert_eq!((moved.devices(), moved.joins()), (1, vec![JoinReason::LeaseMove]));
    let still_used = moved.seen(A, "10.0.0.1", 30, &[Sign::ArpAsked]);
    assert_eq!(still_used.devices(), 2, "an address that is used after the move is not left");
    let self_assigned = Net::default().arp(A, "169.254.1.1").leased(A, "10.0.0.2", 20);
    assert_eq!(self_assigned.devices(), 1);
    let taken_over = Net::default().leased(A, "10.0.0.1", 10).leased(B, "10.0.0.1", 20);
    assert_eq!((taken_over.devices(), taken_over.joins()), (2, vec![]));
    let at_once = Net::default().arp(A, "10.0.0.1").arp(A, "10.0.0.2");
    assert_eq!(at_once.devices(), 2, "two addresses at once without a lease stay two devices");
}

#[test]
fn i8c_an_identifier_ties_cards_with_everything_on_them() {
    for field in [Field::LldpChassisId, Field::CdpDeviceId] {
        let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2").arp(B, "10.0.0.3");
        let tied = net.spoke(A, field, "7:7377").spoke(B, field, "7:7377");
        assert_eq!(tied.devices(), 1, "{field}");
        assert_eq!(tied.joins(), [JoinReason::SharedIdentifier; 2]);
    }
    for field in [Field::SnmpEngineId, Field::EnipSerial] {
        let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2");
        let tied = net.said(A, "10.0.0.1", field, "80001f:2a").said(B, "10.0.0.2", field, "80001f:2a");
        assert_eq!(tied.devices(), 1, "{field}");
        assert_eq!(tied.said(B, "10.0.0.2", Field::HttpServer, "x").arp(C, "10.0.0.9").devices(), 2);
    }
}

#[test]
fn i8c_a_dhcp_client_ties_the_leases_of_its_cards_and_not_their_other_addresses() {
    for field in [Field::DhcpClientId, Field::DhcpDuid] {
        let net = Net::default().leased(A, "10.0.0.1", 5).leased(B, "10.0.0.2", 6).arp(B, "10.0.0.3");
        let tied = net.spoke(A, field, "0100408c").spoke(B, field, "0100408c");
        assert_eq!((tied.devices(), tied.joins()), (2, vec![JoinReason::SharedLease]), "{field}");
    }
}

#[test]
fn i8d_a_router_is_one_device_with_all_its_addresses() {
    let net = Net::default().arp(A, "10.0.0.1").arp(A, "10.0.1.1").arp(A, "10.0.2.1");
    assert_eq!(net.devices(), 3);
    assert_eq!(net.spoke(A, Field::RouterProtocol, "ospf").devices(), 1);
}

#[test]
fn i8d_an_address_that_a_card_only_answers_for_belongs_to_its_device() {
    let net = Net::default().arp(A, "10.0.0.1").seen(A, "10.0.0.7", 0, &[Sign::ArpAnswered]);
    assert_eq!((net.devices(), net.joins()), (1, vec![JoinReason::ProxyArp]));
    assert_eq!(net.seen(A, "10.0.0.7", 0, &[Sign::Sourced]).devices(), 2, "using it makes it one");
}

#[test]
fn i9_two_sensors_of_a_zone_see_one_device_two_zones_two_and_a_tag_never_multiplies() {
    let mut once = Net::default().arp(A, "10.0.0.1").0;
    let mut tagged = once.clone();
    for facts in tagged.couplings.values_mut() {
        facts.tag(30);
    }
    let two_zones = Inventory {
        zones: [
            ("a".to_owned(), std::sync::Arc::new(once.clone())),
            ("b".to_owned(), std::sync::Arc::new(tagged.clone())),
        ]
        .into_iter()
        .collect(),
    };
    once.merge(&tagged);
    assert_eq!(Net(once).devices(), 1);
    let survey = Survey::new(&two_zones, &POLICY, &Decisions::default(), &Unclassified, Timestamp(0));
    assert_eq!(survey.devices.len(), 2);
    assert_ne!(survey.devices[0].id, survey.devices[1].id);
}

#[test]
fn i12_random_macs_with_one_specific_name_are_one_device_unless_active_at_once() {
    let net = |second: i64, name| {
        let net = Net::default().seen(RANDOM, "10.0.0.1", 10, &[Sign::ArpAsked]).seen(
            RANDOM_2,
            "10.0.0.2",
            second,
            &[Sign::ArpAsked],
        );
        net.spoke(RANDOM, Field::DhcpHostname, name).spoke(RANDOM_2, Field::DhcpHostname, name)
    };
    assert_eq!(net(20, "martas-phone").devices(), 1);
    assert_eq!(net(10, "martas-phone").devices(), 2, "both were active at one time");
    assert_eq!(net(20, "iPhone").devices(), 2, "a default name ties nobody");
    let real = Net::default().arp(A, "10.0.0.1").seen(B, "10.0.0.2", 20, &[Sign::ArpAsked]);
    let real = real.spoke(A, Field::DhcpHostname, "till").spoke(B, Field::DhcpHostname, "till");
    assert_eq!(real.devices(), 2, "only randomised cards rotate");
}

#[test]
fn i13_what_a_tunnel_carries_without_ethernet_lies_behind_the_mac_that_carries_it() {
    let net = Net::default().arp(A, "10.0.0.1").seen(A, "10.7.0.1", 0, &[Sign::Carried]);
    assert_eq!(net.census(), (vec![vec!["10.0.0.1".to_owned()]], vec!["10.7.0.1 X-ROUTED".to_owned()]));
}

#[test]
fn i14_what_never_had_an_address_is_listed_apart_unless_it_is_a_port_of_a_device() {
    let net = Net::default()
        .arp(A, "10.0.0.1")
        .spoke(A, Field::LldpChassisId, "4:1")
        .spoke(B, Field::LldpChassisId, "4:1")
        .spoke(C, Field::StpBridge, "sender")
        .spoke(RANDOM, Field::DhcpHostname, "asks-only");
    let inventory = Inventory::of("default", net.0);
    let survey = Survey::new(&inventory, &POLICY, &Decisions::default(), &Unclassified, Timestamp(0));
    assert_eq!(survey.unaddressed.iter().map(|u| u.mac).collect::<Vec<_>>(), [C]);
    assert_eq!(survey.devices.len(), 1);
}
