//! Tests of the conclusions from evidence.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::{NOBODY, builtin, classify, classify_in, operator, pack, rule};
use crate::census::{
    Category, Classification, Classifier, ClassifierInput, Evidence, Forwards, MacAddr, Timestamp,
};
use crate::classify::fact::{DeviceFacts, Fact};
use crate::classify::rules::Rules;

#[test]
fn a_device_that_says_nothing_stays_unclassified() {
    let what = classify(NOBODY, &[]);
    assert_eq!(
        (what.category, what.kind.as_str(), what.confidence),
        (Category::Unclassified, "unclassified", 0)
    );
    assert!(what.reasons.is_empty());
    assert_eq!(what.vendor, None);
}

#[test]
fn a_forwarding_card_is_a_router_unless_it_says_otherwise() {
    let rules = Rules::builtin().unwrap();
    let forwards = Some(Forwards::RouterOption(IpAddr::from([10, 0, 0, 1])));
    let what = classify_in(&rules, NOBODY, forwards, &[]);
    assert_eq!((what.category, what.kind.as_str()), (Category::Network, "router"));
    assert_eq!(what.roles, ["gateway"]);
    assert_eq!(what.reasons.first().unwrap().at, None);
}

#[test]
fn what_a_dns_server_looks_up_says_nothing_of_it() {
    let text = pack(
        &rule("local.tv", "set = { type = 'smart_tv' }\nweight = 90").replace("http.realm", "dns.query"),
    );
    let rules = operator(&text).unwrap();
    let lookup = ("dns.query", "x");
    assert_eq!(classify_in(&rules, NOBODY, None, &[lookup]).kind, "smart_tv");
    let served = [lookup, ("network.task", "dns_server")];
    assert!(classify_in(&rules, NOBODY, None, &served).reasons.iter().all(|r| r.rule != "local.tv"));
}

#[test]
fn evidence_that_contradicts_itself_is_shown_and_decides_nothing() {
    let text = pack(&format!(
        "{}\n{}",
        rule("local.a", "set = { type = 'camera' }\nweight = 90"),
        rule("local.b", "set = { type = 'server' }\nweight = 85"),
    ));
    let what = classify_in(&operator(&text).unwrap(), NOBODY, None, &[("http.realm", "x")]);
    assert_eq!(
        (what.category, what.kind.as_str(), what.confidence),
        (Category::Unclassified, "unclassified", 0)
    );
    let rules: Vec<&str> = what.reasons.iter().map(|r| r.rule.as_str()).collect();
    assert_eq!(rules, ["local.a", "local.b"]);
}

#[test]
fn where_types_contradict_each_other_their_common_parent_stands() {
    let text = pack(&format!(
        "{}\n{}",
        rule("local.a", "set = { type = 'smartphone' }\nweight = 90"),
        rule("local.b", "set = { type = 'tablet' }\nweight = 85"),
    ));
    let what = classify_in(&operator(&text).unwrap(), NOBODY, None, &[("http.realm", "x")]);
    assert_eq!(
        (what.category, what.kind.as_str(), what.confidence),
        (Category::ComputerMobile, "mobile_other", 90)
    );
}

#[test]
fn one_family_counts_once_and_several_add_up() {
    let text = pack(
        "[[rule]]\nid = 'local.a'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = { exists = true }\nunless = [{ eq = '-' }]\nset = { category = 'iot' }\nweight = 50\ntests = [{ in = 'x', expect = {} }, { in = '-', miss = true }]\n\
         [[rule]]\nid = 'local.b'\ntitle = 'T'\nevidence = 'sip.server'\nmatch = { eq = 'x' }\nset = { category = 'iot' }\nweight = 50\ntests = [{ in = 'x', expect = {} }, { in = '-', miss = true }]\n",
    );
    let rules = operator(&text).unwrap();
    let one = classify_in(&rules, NOBODY, None, &[("http.realm", "a"), ("http.realm", "b")]);
    assert_eq!(one.category, Category::Unclassified);
    let two = classify_in(&rules, NOBODY, None, &[("http.realm", "a"), ("sip.server", "x")]);
    assert_eq!((two.category, two.kind.as_str(), two.confidence), (Category::Iot, "iot_other", 75));
}

fn kind(mac: &str, forwards: Option<Forwards>, said: &[(&str, &str)]) -> (Category, String) {
    let what = classify_in(builtin(), mac, forwards, said);
    (what.category, what.kind.to_string())
}

#[test]
fn what_a_device_says_it_is_comes_before_what_it_can_do() {
    let shares = Some(Forwards::OffLink(IpAddr::from([192, 0, 2, 1])));
    let phone = [("lldp.cap_enabled", "36"), ("lldp.med_class", "3"), ("stp.bridge", "sender")];
    assert_eq!(kind(NOBODY, None, &phone), (Category::Iot, "voip_phone".to_owned()));
    let mac = [("mdns.txt", "_device-info._tcp.model=MacBookPro18,1"), ("dhcp.server", "server")];
    assert_eq!(kind(NOBODY, shares, &mac), (Category::ComputerMobile, "laptop".to_owned()));
    let speaker = [("ssdp.server", "Linux UPnP/1.0 Sonos/70.3-35220 (ZPS13)"), ("stp.bridge", "sender")];
    assert_eq!(kind(NOBODY, None, &speaker), (Category::Iot, "smart_speaker".to_owned()));
    // The border router of a sensor network announces itself as a router, but its maker does not make routers.
    let border = [("ra.sender", "router")];
    assert_eq!(kind("18:b4:30:00:00:01", Some(Forwards::Protocol), &border).0, Category::Iot);
    assert_eq!(kind("18:b4:30:00:00:01", None, &border).0, Category::Iot);
}

#[test]
fn a_card_of_a_maker_of_everything_decides_nothing() {
    for mac in ["3c:d9:2b:00:00:01", "f8:b1:56:00:00:01", "70:db:98:00:00:01", "8c:79:f5:00:00:01"] {
        let what = classify(mac, &[]);
        assert_eq!((what.category, what.kind.as_str()), (Category::Unclassified, "unclassified"), "{mac}");
        assert!(what.vendor.is_some());
    }
}

#[test]
fn a_maker_of_parts_is_never_the_maker_of_the_device() {
    let what = classify("24:0a:c4:00:00:01", &[]);
    assert_eq!(what.vendor, None);
    let what = classify("24:0a:c4:00:00:01", &[("dhcp.hostname", "shellyplug-s-ABC123")]);
    assert_eq!((what.category, what.name.as_deref()), (Category::Iot, Some("shellyplug-s-ABC123")));
}

#[test]
fn what_is_said_comes_before_what_is_registered() {
    let what =
        classify("f8:b1:56:00:00:01", &[("lldp.med_manufacturer", "Polycom"), ("lldp.med_model", "VVX 411")]);
    assert_eq!((what.vendor.as_deref(), what.model.as_deref()), (Some("Polycom"), Some("VVX 411")));
}

#[test]
fn a_name_is_the_hosts_and_not_its_groups() {
    let what = classify(NOBODY, &[("nbns.name", "ACME<00> group"), ("nbns.name", "DESKTOP-7F3K2QA<00>")]);
    assert_eq!(what.name.as_deref(), Some("DESKTOP-7F3K2QA"));
    assert_eq!(what.kind, "workstation");
}

#[test]
fn the_index_leaves_no_rule_out_that_matches() {
    let rules = builtin();
    for (field, value) in SAID {
        let fact = Fact { field: field.parse().unwrap(), value: (*value).into(), heard: None };
        let facts = DeviceFacts::new(vec![fact.clone()]);
        let by_index: Vec<&str> = rules.hits(&facts).iter().map(|h| &*h.rule.id).collect();
        let mut all: Vec<&str> = Vec::new();
        for rule in &rules.rules {
            if rule.fire(&fact, &facts, &rules.vendors).is_some() {
                all.push(&rule.id);
            }
        }
        assert_eq!(by_index.len(), all.len(), "{field} = {value}: {by_index:?} against {all:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_evidence_never_matters(
        order in Just((0..SAID.len()).collect::<Vec<_>>()).prop_shuffle(),
        keep in proptest::collection::vec(any::<bool>(), SAID.len()),
    ) {
        let evidence: Vec<Evidence> = SAID
            .iter()
            .map(|(f, v)| Evidence::new(f.parse().unwrap(), *v, Timestamp(1)))
            .collect();
        let subject = |order: &[usize]| ClassifierInput {
            macs: vec![NOBODY.parse().unwrap()],
            evidence: order.iter().filter(|i| keep[**i]).map(|i| (&evidence[*i]).into()).collect(),
            ..ClassifierInput::default()
        };
        let sorted: Vec<usize> = (0..SAID.len()).collect();
        prop_assert_eq!(builtin().classify(&subject(&sorted)), builtin().classify(&subject(&order)));
    }
}

/// Evidence of many different devices.
const SAID: &[(&str, &str)] = &[
    ("lldp.cap_enabled", "36"),
    ("lldp.sys_descr", "Polycom;VVX-VVX_411;3111-48450-001,1;SIP/5.9.0.9373"),
    ("cdp.cap", "1168"),
    ("dhcp.vendor_class", "MSFT 5.0"),
    ("dhcp.prl", "1,3,6,15,31,33,43,44,46,47,119,121,249,252"),
    ("dhcp.hostname", "DESKTOP-ABC1234"),
    ("mdns.service", "_ipp._tcp"),
    ("mdns.service", "_googlecast._tcp"),
    ("mdns.txt", "_ipp._tcp.ty=HP LaserJet M507"),
    ("mdns.txt", "_googlecast._tcp.md=Chromecast"),
    ("ssdp.server", "Roku/12.0.0 UPnP/1.0 Roku/12.0.0"),
    ("wsd.types", "NetworkVideoTransmitter"),
    ("http.user_agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/119.0"),
    ("snmp.sys_descr", "Juniper Networks, Inc. ex2300-48p Ethernet Switch, kernel JUNOS 20.4R3.8"),
];

#[test]
fn a_made_up_mac_that_falls_on_a_hypervisors_prefix_says_nothing_alone() {
    assert_eq!(classify("52:54:00:12:34:56", &[]).category, Category::Unclassified);
    assert_eq!(classify("52:54:00:12:34:56", &[("dhcp.hostname", "x7")]).category, Category::ComputerMobile);
}

proptest! {
    /// The survey classifies devices without evidence once per key.
    #[test]
    fn silent_cards_of_one_key_are_classified_alike(macs in prop::collection::vec(any::<[u8; 6]>(), 2..40), maker in any::<u8>()) {
        let known = [[0x00, 0x40, 0x8c], [0x52, 0x54, 0x00], [0x00, 0x1b, 0x54], [0xac, 0xcc, 0x8e]][usize::from(maker % 4)];
        let mut answers: BTreeMap<String, Classification> = Default::default();
        for (n, [a, b, c, d, e, f]) in macs.into_iter().enumerate() {
            let [a, b, c] = if n % 2 == 0 { known } else { [a & 0xfe, b, c] };
            let card = MacAddr([a, b, c, d, e, f]);
            let what = classify(&card.to_string(), &[]);
            let known = answers.entry(builtin().silent(card).unwrap()).or_insert_with(|| what.clone());
            prop_assert_eq!(&*known, &what);
        }
    }
}

/// A maker of cameras.
const CAMERAS: &str = "ac:cc:8e:00:00:01";
/// A maker of computers.
const COMPUTERS: &str = "f8:b1:56:00:00:01";

#[test]
fn the_maker_of_a_card_never_cancels_what_a_device_does() {
    let shares = Some(Forwards::OffLink(IpAddr::from([192, 0, 2, 1])));
    for said in [("router.protocol", "rip"), ("router.task", "pim"), ("network.task", "port_mapping")] {
        assert_eq!(kind(CAMERAS, shares, &[said]).0, Category::Network, "{said:?}");
    }
    assert_eq!(kind(CAMERAS, None, &[]).0, Category::Iot);
    assert_eq!(kind(CAMERAS, None, &[("tcp.listens", "554")]).0, Category::Iot);
}

#[test]
fn makers_of_mixed_ranges_decide_nothing_and_makers_of_one_kind_of_thing_do() {
    for mixed in ["00:1c:10:00:00:01", "50:c7:bf:00:00:01", "1c:7e:e5:00:00:01", "30:46:9a:00:00:01"] {
        let what = classify(mixed, &[]);
        assert_eq!(what.category, Category::Unclassified, "{mixed} {:?}", what.vendor);
    }
    for one in ["00:0f:d4:00:00:01", "00:d0:1d:00:00:01", "00:18:dd:00:00:01", "00:12:13:00:00:01"] {
        let what = classify(one, &[]);
        assert_eq!(what.category, Category::Iot, "{one} {:?}", what.vendor);
    }
}

#[test]
fn of_contradicting_rules_on_one_value_only_the_most_specific_speaks() {
    let rule = |id: &str, pattern: &str, says: &str| {
        format!(
            "[[rule]]\nid = '{id}'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = {{ regex = '{pattern}' }}\nset = {{ {says} }}\nweight = 90\ntests = [{{ in = 'sw hp camera', expect = {{}} }}, {{ in = 'y', miss = true }}]\n"
        )
    };
    let wide = rule("local.wide", "hp", "type = 'computer', vendor = 'HP'");
    let rules =
        operator(&pack(&format!("{wide}{}", rule("local.narrow", "hp camera", "type = 'camera'")))).unwrap();
    let what = classify_in(&rules, NOBODY, None, &[("http.realm", "sw hp camera")]);
    assert_eq!((what.category, what.kind.as_str()), (Category::Iot, "camera"));
    // What does not contradict it stays.
    assert_eq!(what.vendor.as_deref(), Some("HP"));
    let heuristic = rule("local.long", "sw hp camera", "type = 'server'")
        .replace("weight = 90", "weight = 50\nkind = 'heuristic'");
    let rules =
        operator(&pack(&format!("{}{heuristic}", rule("local.short", "camera", "type = 'camera'")))).unwrap();
    let what = classify_in(&rules, NOBODY, None, &[("http.realm", "sw hp camera")]);
    assert_eq!(what.kind, "camera");
}

#[test]
fn the_name_that_an_administrator_chose_never_outweighs_what_a_device_says() {
    let switch = [
        ("lldp.cap_enabled", "4"),
        ("lldp.sys_descr", "HP J9727A 2920-24G Switch"),
        ("lldp.sys_name", "sw-hp-1"),
    ];
    assert_eq!(kind(NOBODY, None, &switch), (Category::Network, "switch".to_owned()));
    let printer = [("dhcp.vendor_class", "Hewlett-Packard JetDirect"), ("dhcp.hostname", "prn-lenovo-pc")];
    assert_eq!(kind(NOBODY, None, &printer), (Category::Iot, "printer".to_owned()));
    for name in ["sw-hp-1", "ups-1", "plc-12", "hvac-2", "nas-asus-1"] {
        assert_eq!(kind(NOBODY, None, &[("dhcp.hostname", name)]).0, Category::Unclassified, "{name}");
    }
}

#[test]
fn a_computer_that_runs_an_industrial_program_is_no_controller() {
    let windows = ("tcp.syn_ack", "4:128:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+");
    for server in [
        ("modbus.role", "server"),
        ("s7.role", "server"),
        ("ot.role", "dnp3:server"),
        ("ot.role", "opcua:server"),
        ("tcp.listens", "502"),
    ] {
        assert_ne!(kind(COMPUTERS, None, &[server]).0, Category::Iot, "{server:?}");
        assert_ne!(
            kind(COMPUTERS, None, &[server, windows, ("ip.ttl", "128")]).0,
            Category::Iot,
            "{server:?}"
        );
        if server.0 != "tcp.listens" {
            assert_ne!(
                kind(NOBODY, None, &[server, windows, ("ip.ttl", "128")]).0,
                Category::Iot,
                "{server:?}"
            );
            let alone = if server.1 == "opcua:server" { Category::Unclassified } else { Category::Iot };
            assert_eq!(kind(NOBODY, None, &[server]).0, alone, "{server:?}");
        }
    }
    // What it says of itself counts.
    let controller = [("s7.role", "server"), ("s7.module", "6ES7 315-2EH14-0AB0")];
    assert_eq!(kind(COMPUTERS, None, &controller), (Category::Iot, "plc".to_owned()));
}

#[test]
fn a_profinet_device_that_bridges_is_a_switch() {
    let said = [
        ("lldp.cap_enabled", "4"),
        ("pn.device", "002a:0a01"),
        ("pn.role", "1"),
        ("ot.role", "profinet:server"),
    ];
    assert_eq!(kind("00:1b:1b:00:00:01", None, &said), (Category::Network, "switch".to_owned()));
    let station = [("lldp.cap_enabled", "128"), said[1], said[2], said[3]];
    assert_eq!(kind("00:1b:1b:00:00:01", None, &station).0, Category::Iot);
}

#[test]
fn a_telephone_that_is_a_hotspot_and_a_computer_that_shares_a_printer_stay_what_they_are() {
    let shares = Some(Forwards::OffLink(IpAddr::from([192, 0, 2, 1])));
    let phone = [
        ("dhcp.hostname", "Annas-iPhone"),
        ("dhcp.server", "server"),
        ("ra.sender", "router"),
        ("network.task", "dns_server"),
    ];
    assert_eq!(kind(NOBODY, shares, &phone), (Category::ComputerMobile, "smartphone".to_owned()));
    let computer = classify(
        NOBODY,
        &[
            ("mdns.txt", "_device-info._tcp.model=MacBookPro18,1"),
            ("mdns.txt", "_ipp._tcp.rp=printers/Office"),
            ("mdns.txt", "_ipp._tcp.product=(HP LaserJet M507)"),
            ("mdns.txt", "_ipp._tcp.usb_MFG=HP"),
            ("mdns.service", "_ipp._tcp"),
        ],
    );
    assert_eq!((computer.kind.as_str(), computer.model.as_deref()), ("laptop", Some("MacBookPro18,1")));
    assert_eq!(computer.vendor.as_deref(), Some("Apple"));
}

#[test]
fn what_contradicts_the_conclusion_names_no_maker_and_no_model() {
    let camera = "[[rule]]\nid = 'local.a'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = { eq = 'x' }\nset = { type = 'camera', vendor = 'Acme', model = 'C1' }\nweight = 90\ntests = [{ in = 'x', expect = {} }, { in = 'y', miss = true }]\n";
    let server = "[[rule]]\nid = 'local.b'\ntitle = 'T'\nevidence = 'sip.server'\nmatch = { eq = 'x' }\nset = { type = 'server', vendor = 'Server Corp', name = 'other' }\nweight = 85\ntests = [{ in = 'x', expect = {} }, { in = 'y', miss = true }]\n";
    let both = operator(&pack(&format!("{camera}{server}"))).unwrap();
    let what = classify_in(
        &both,
        COMPUTERS,
        None,
        &[("http.realm", "x"), ("sip.server", "x"), ("dhcp.hostname", "own")],
    );
    assert_eq!(what.category, Category::Unclassified);
    assert_eq!((what.vendor.as_deref(), what.model.as_deref()), (Some("Dell"), None));
    assert_eq!(what.name.as_deref(), Some("own"));
    let weak = operator(&pack(&format!("{camera}{}", server.replace("weight = 85", "weight = 40")))).unwrap();
    let what = classify_in(&weak, NOBODY, None, &[("http.realm", "x"), ("sip.server", "x")]);
    assert_eq!((what.vendor.as_deref(), what.model.as_deref()), (Some("Acme"), Some("C1")));
}

#[test]
fn a_reason_has_the_weight_of_each_of_its_claims() {
    let what = classify_in(builtin(), NOBODY, Some(Forwards::Protocol), &[]);
    let reason = what.reasons.iter().find(|r| r.rule == "behaviour.gateway").unwrap();
    assert_eq!((reason.says.as_str(), reason.weight), ("type=router (60 %), role=gateway (90 %)", 60));
    let what = classify(NOBODY, &[("dhcp.server", "server")]);
    assert_eq!(
        (what.reasons[0].says.as_str(), what.reasons[0].weight),
        ("category=network (45 %), role=dhcp_server (90 %)", 45)
    );
}

#[test]
fn roles_do_not_make_a_type() {
    for (field, value, role) in [
        ("network.task", "dhcp_relay", "dhcp_relay"),
        ("network.task", "flow_exporter", "flow_exporter"),
        ("network.task", "dns_server", "dns_server"),
        ("network.task", "radius_client", "radius_client"),
        ("tcp.listens", "5060", "sip_server"),
        ("sip.server", "kamailio (5.5.2)", "sip_server"),
        ("tcp.listens", "8009", "cast_receiver"),
        ("ntp.role", "server", "ntp_server"),
    ] {
        // A printer stays a printer, whatever else it does.
        let what = classify(NOBODY, &[("dhcp.vendor_class", "Hewlett-Packard JetDirect"), (field, value)]);
        assert_eq!(what.kind, "printer", "{role}");
        assert!(what.roles.iter().any(|r| r == role), "{role}: {:?}", what.roles);
    }
}

#[test]
fn network_gear_is_known_by_what_it_does() {
    for said in [
        ("network.task", "dhcp_relay"),
        ("network.task", "flow_exporter"),
        ("network.task", "tacacs_client"),
        ("network.task", "radius_client:wireless"),
        ("network.task", "keepalive"),
        ("network.task", "sonmp"),
        ("network.task", "time_exceeded"),
        ("network.task", "pppoe_server"),
        ("network.task", "log:ios"),
        ("network.task", "gre"),
        ("network.task", "openflow_switch"),
        ("discovery.identity", "nsdp:GS108Ev3"),
    ] {
        assert_eq!(kind(NOBODY, None, &[said]).0, Category::Network, "{said:?}");
    }
    // A home gateway that only answers names, and a server that does.
    assert_eq!(
        kind("b4:43:26:00:00:01", None, &[("network.task", "dns_server")]),
        (Category::Network, "router".to_owned())
    );
    assert_ne!(kind(COMPUTERS, None, &[("network.task", "dns_server")]).0, Category::Network);
}
