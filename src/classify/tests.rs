//! Tests of the whole: packs, overriding, conclusions.

use std::net::IpAddr;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::census::{Category, Evidence, Forwards, MacAddr, Timestamp};

/// A card whose prefix nobody has registered, not a randomised one.
const NOBODY: &str = "fc:11:0c:00:00:01";

fn classify_in(
    rules: &Rules,
    mac: &str,
    forwards: Option<Forwards>,
    said: &[(&str, &str)],
) -> Classification {
    let mut evidence: Vec<Evidence> = said
        .iter()
        .map(|(field, value)| Evidence {
            field: field.parse().unwrap(),
            value: (*value).into(),
            at: Timestamp(1),
        })
        .collect();
    evidence.sort_by(|a, b| (a.field, &a.value).cmp(&(b.field, &b.value)));
    let macs: Vec<MacAddr> = vec![mac.parse().unwrap()];
    rules.classify(&Subject { macs, evidence: evidence.iter().collect(), forwards, couplings: Vec::new() })
}

fn builtin() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::builtin().unwrap());
    &RULES
}

fn classify(mac: &str, said: &[(&str, &str)]) -> Classification {
    classify_in(builtin(), mac, None, said)
}

fn operator(text: &str) -> Result<Rules, RuleError> {
    Rules::new(&[("local.toml".to_owned(), text.to_owned())])
}

fn rule(id: &str, rest: &str) -> String {
    format!(
        "[[rule]]\nid = '{id}'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = {{ eq = 'x' }}\n{rest}\ntests = [{{ in = 'x', expect = {{}} }}, {{ in = 'y', miss = true }}]\n"
    )
}

fn pack(rules: &str) -> String {
    format!("schema = 1\n[pack]\nname = 'p'\nversion = '1'\n\n{rules}")
}

#[test]
fn every_builtin_rule_passes_its_tests() {
    let taxonomy = Taxonomy::parse("", include_str!("../../config/taxonomy.toml")).unwrap();
    let vendors = Vendors::parse("", include_str!("../../config/vendors.toml")).unwrap();
    for (name, text) in BUILTIN {
        if let Err(e) = Pack::parse(name, text, Trust::Untested, &taxonomy, &vendors) {
            panic!("{e}");
        }
    }
    assert!(!builtin().is_empty());
}

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
fn a_rule_of_the_same_id_takes_the_place_of_the_builtin_one() {
    let text = pack(
        "[[rule]]\nid = 'behaviour.gateway'\ntitle = 'T'\nevidence = 'behaviour'\nmatch = { eq = 'gateway' }\nset = { role = 'relay' }\nweight = 90\ntests = [{ in = 'gateway', expect = { role = 'relay' } }, { in = 'x', miss = true }]\n",
    );
    let rules = operator(&text).unwrap();
    assert_eq!(rules.len(), Rules::builtin().unwrap().len());
    let what = classify_in(&rules, NOBODY, Some(Forwards::Protocol), &[]);
    assert_eq!(what.roles, ["relay"]);
}

#[test]
fn a_disabled_rule_says_nothing() {
    let text = "schema = 1\ndisable = ['behaviour.gateway']\n[pack]\nname = 'p'\nversion = '1'\n";
    let rules = operator(text).unwrap();
    assert_eq!(rules.len(), Rules::builtin().unwrap().len() - 1);
}

#[test]
fn a_broken_file_is_refused_with_file_line_and_reason() {
    let cases = [
        ("schema = 1\n[pack]\nname = 'p'\nversion = 1\n".to_owned(), "local.toml:4:11: "),
        (
            pack(&rule("a", "set = { type = 'camara' }\nweight = 90")),
            "local.toml:6:1: rule 'a': 'camara' is no category",
        ),
        (pack(&rule("a", "set = { type = 'iot' }\nweight = 90")), "'iot' does not fit type"),
        (pack(&rule("a", "set = { colour = 'red' }\nweight = 90")), "unknown variant `colour`"),
        (pack(&rule("a", "set = { type = 'camera' }\nweight = 100")), "weight 100"),
        (pack(&rule("a", "set = { vendor = '{value|loud}' }\nweight = 9")), "'loud' is no filter"),
        (pack(&rule("A b", "set = { type = 'camera' }\nweight = 90")), "an id is made of"),
        (pack(&rule("a", "weight = 90")), "says nothing"),
        (pack(&rule("a", "set = { type = 'camera' }\nweight = 90\nwait = 1")), "unknown field `wait`"),
        (
            pack(&format!("{0}\n{0}", rule("a", "set = { type = 'camera' }\nweight = 90"))),
            "local.toml:15:1: rule 'a': stands twice",
        ),
        (
            pack(
                "[[rule]]\nid = 'a'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = { eq = 'x' }\nset = { type = 'camera' }\nweight = 9\ntests = [{ in = 'z', expect = {} }, { in = 'y', miss = true }]\n",
            ),
            "local.toml:6:1: rule 'a' fails its test 1, 'z': it does not match",
        ),
    ];
    let taxonomy = Taxonomy::parse("", include_str!("../../config/taxonomy.toml")).unwrap();
    for (text, expected) in cases {
        let parsed = Pack::parse("local.toml", &text, Trust::Untested, &taxonomy, &Vendors::default());
        let error = parsed.unwrap_err().to_string();
        assert!(error.contains(expected), "'{error}' lacks '{expected}'");
    }
}

#[test]
fn a_folder_is_read_by_name_and_one_that_is_missing_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let builtin = Rules::builtin().unwrap().len();
    assert_eq!(Rules::load(&dir.path().join("none")).unwrap().len(), builtin);
    let text = |role: &str| pack(&rule("local.a", &format!("set = {{ role = '{role}' }}\nweight = 90")));
    fs::write(dir.path().join("20.toml"), text("late")).unwrap();
    fs::write(dir.path().join("10.toml"), text("early")).unwrap();
    fs::write(dir.path().join("notes.txt"), "no rules").unwrap();
    let rules = Rules::load(dir.path()).unwrap();
    assert_eq!(rules.len(), builtin + 1);
    assert_eq!(classify_in(&rules, NOBODY, None, &[("http.realm", "x")]).roles, ["late"]);
    fs::write(dir.path().join("30.toml"), "schema = ").unwrap();
    let error = Rules::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("30.toml:1:"), "{error}");
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
    (what.category, what.kind)
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
    // A border router of a sensor network announces itself as a router; its maker makes no routers.
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
        let fact = fact::Fact { field: field.parse().unwrap(), value: (*value).into(), at: None };
        let facts = Facts::new(vec![fact.clone()]);
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
            .map(|(f, v)| Evidence { field: f.parse().unwrap(), value: (*v).into(), at: Timestamp(1) })
            .collect();
        let subject = |order: &[usize]| Subject {
            macs: vec![NOBODY.parse().unwrap()],
            evidence: order.iter().filter(|i| keep[**i]).map(|i| &evidence[*i]).collect(),
            forwards: None,
            couplings: Vec::new(),
        };
        let sorted: Vec<usize> = (0..SAID.len()).collect();
        prop_assert_eq!(builtin().classify(&subject(&sorted)), builtin().classify(&subject(&order)));
    }
}

/// What many different devices say, all at once.
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

/// Devices by what they say, in the makers' naming schemes, and what they are.
const DEVICES: &[(&str, &[(&str, &str)])] = &[
    (
        "printer",
        &[
            ("mdns.service", "_ipp._tcp"),
            ("mdns.txt", "_ipp._tcp.ty=Brother MFC-L3770CDW series"),
            ("mdns.txt", "_ipp._tcp.rp=ipp/print"),
        ],
    ),
    ("printer", &[("snmp.sys_descr", "Xerox AltaLink C8055; System 103.003.008.21200")]),
    ("printer", &[("http.server", "JC-HTTPD/1.14.18"), ("dhcp.hostname", "CanonMF645C")]),
    (
        "camera",
        &[
            ("wsd.types", "NetworkVideoTransmitter"),
            ("wsd.scopes", "onvif://www.onvif.org/hardware/IPC-HFW2431S"),
            ("wsd.scopes", "onvif://www.onvif.org/Profile/Streaming"),
        ],
    ),
    (
        "camera",
        &[
            ("dhcp.vendor_class", "AXIS,Network Camera,P3265-LV,11.2.68"),
            ("upnp.friendly_name", "AXIS P3265-LV - ACCC8E000001"),
        ],
    ),
    ("camera", &[("upnp.model_name", "DS-2DE4A425IWG-E"), ("upnp.manufacturer", "HIKVISION")]),
    (
        "video_recorder",
        &[
            ("upnp.model_name", "DS-7732NXI-K4"),
            ("wsd.scopes", "onvif://www.onvif.org/type/Network_Video_Recorder"),
        ],
    ),
    ("access_control", &[("http.title", "AXIS A1610 Network Door Controller")]),
    (
        "voip_phone",
        &[
            ("lldp.cap_enabled", "36"),
            ("lldp.sys_descr", "snom D862/10.1.159.12"),
            ("lldp.med_class", "3"),
            ("lldp.med_manufacturer", "snom"),
        ],
    ),
    (
        "voip_phone",
        &[("sip.user_agent", "Fanvil X6U 2.4.12 0c383e112233"), ("dhcp.vendor_class", "Fanvil X6U")],
    ),
    (
        "voip_phone",
        &[
            ("cdp.cap", "1168"),
            ("cdp.platform", "Cisco IP Phone 8861"),
            ("cdp.version", "sip88xx.14-1-1-0001-136"),
        ],
    ),
    (
        "video_conference",
        &[("cdp.platform", "Cisco Webex Room Kit Mini"), ("http.title", "Webex Room Kit Mini")],
    ),
    (
        "switch",
        &[
            ("lldp.cap_enabled", "20"),
            ("lldp.sys_descr", "Aruba JL661A 6300M 48G CL4 PoE 4SFP56 Swch FL.10.10.1010"),
        ],
    ),
    (
        "switch",
        &[
            ("snmp.sys_descr", "GS724Tv4 ProSafe 24-port Gigabit Ethernet Smart Switch, 6.3.1.19"),
            ("snmp.sys_object_id", "1.3.6.1.4.1.4526.100.4.36"),
        ],
    ),
    (
        "switch",
        &[
            ("cdp.cap", "40"),
            ("cdp.platform", "cisco C9300X-48HX"),
            (
                "cdp.version",
                "Cisco IOS Software [Cupertino], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.9.4",
            ),
        ],
    ),
    (
        "access_point",
        &[("lldp.cap_enabled", "12"), ("lldp.sys_descr", "Mist Systems 802.11ax Access Point.")],
    ),
    (
        "access_point",
        &[("lldp.cap_enabled", "12"), ("lldp.sys_descr", "U6-LR, 6.5.28.14491"), ("mac.random", "true")],
    ),
    ("access_point", &[("cdp.platform", "cisco C9130AXI-B"), ("cdp.cap", "2")]),
    (
        "router",
        &[
            ("ssdp.nt", "urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
            ("upnp.model_name", "FRITZ!Box 6690 Cable"),
            ("dhcp.server", "server"),
        ],
    ),
    ("router", &[("mndp.platform", "MikroTik"), ("mndp.board", "RB5009UG+S+")]),
    (
        "firewall",
        &[("snmp.sys_descr", "Palo Alto Networks PA-1400 series firewall"), ("ra.sender", "router")],
    ),
    (
        "firewall",
        &[
            ("lldp.sys_descr", "FortiGate-100F v7.2.5,build1517"),
            ("lldp.cap_enabled", "20"),
            ("dhcp.server", "server"),
        ],
    ),
    ("wireless_controller", &[("cdp.platform", "cisco C9800-L-F-K9"), ("cdp.cap", "1")]),
    (
        "smart_tv",
        &[
            ("upnp.model_name", "QE65Q80CATXZG"),
            ("ssdp.nt", "urn:samsung.com:device:RemoteControlReceiver:1"),
            ("dhcp.hostname", "Samsung"),
        ],
    ),
    (
        "smart_tv",
        &[
            ("mdns.service", "_googlecast._tcp"),
            ("mdns.txt", "_googlecast._tcp.md=BRAVIA 4K VH2"),
            ("dhcp.vendor_class", "android-dhcp-10"),
            ("dhcp.prl", "1,3,6,15,26,28,51,58,59,43,114"),
        ],
    ),
    (
        "media_player",
        &[
            ("mdns.service", "_googlecast._tcp"),
            ("mdns.txt", "_googlecast._tcp.md=Chromecast HD"),
            ("dhcp.vendor_class", "android-dhcp-12"),
        ],
    ),
    (
        "media_player",
        &[
            ("mdns.service", "_companion-link._tcp"),
            ("mdns.txt", "_companion-link._tcp.rpmd=AppleTV14,1"),
            ("dhcp.prl", "1,121,3,6,15,108,114,119,252"),
        ],
    ),
    (
        "smart_speaker",
        &[("mdns.service", "_sonos._tcp"), ("upnp.model_name", "Sonos Era 300"), ("stp.bridge", "sender")],
    ),
    (
        "av_receiver",
        &[
            ("upnp.model_name", "AVR-X4800H"),
            ("upnp.manufacturer", "Denon"),
            ("ssdp.server", "Linux/4.9 UPnP/1.0 HEOS/1.0"),
        ],
    ),
    ("projector", &[("http.realm", "EPSON EB-2250U projector")]),
    (
        "storage_nas",
        &[
            ("mdns.txt", "_http._tcp.vendor=Synology"),
            ("mdns.txt", "_http._tcp.model=DS1823xs+"),
            ("mdns.service", "_smb._tcp"),
            ("ssh.banner", "SSH-2.0-OpenSSH_8.2"),
        ],
    ),
    (
        "storage_nas",
        &[
            ("mdns.service", "_qdiscover._tcp"),
            ("snmp.sys_descr", "Linux TS-873A 5.10.60-qnap"),
            ("nbns.name", "NAS01<20>"),
        ],
    ),
    (
        "power",
        &[(
            "snmp.sys_descr",
            "APC Web/SNMP Management Card (MB:v4.1.0 PF:v7.0.8 PN:apc_hw21_aos_708.bin MN:AP9640)",
        )],
    ),
    ("power", &[("snmp.sys_object_id", "1.3.6.1.4.1.534.1"), ("http.title", "Eaton Gigabit Network Card")]),
    ("infrastructure_mgmt", &[("http.title", "iDRAC9 - Login"), ("dhcp.vendor_class", "iDRAC")]),
    (
        "infrastructure_mgmt",
        &[("http.server", "HPE-iLO-Server/1.30"), ("ssdp.server", "HPE-iLO/1.0 UPnP/1.0")],
    ),
    ("plc", &[("snmp.sys_descr", "Siemens, SIMATIC S7, CPU 1516-3 PN/DP, 6ES7 516-3AN02-0AB0")]),
    ("plc", &[("enip.device_type", "14"), ("enip.product", "5069-L320ER/A")]),
    ("drive", &[("enip.device_type", "2"), ("enip.product", "PowerFlex 755T")]),
    ("terminal_server", &[("snmp.sys_descr", "NPort 6650-16 Terminal Server")]),
    (
        "bms_controller",
        &[
            ("bacnet.vendor_id", "36"),
            ("bacnet.model", "JACE-9000"),
            ("http.server", "Niagara Web Server/1.1"),
        ],
    ),
    ("energy", &[("mdns.service", "_enphase-envoy._tcp"), ("mdns.hostname", "envoy")]),
    ("smart_plug", &[("kasa.type", "IOT.SMARTPLUGSWITCH"), ("kasa.model", "KP125M(US)")]),
    (
        "smart_plug",
        &[("mdns.txt", "_shelly._tcp.app=PlusPlugS"), ("dhcp.hostname", "shellyplusplugs-d4d4da000001")],
    ),
    (
        "smart_lighting",
        &[
            ("mdns.service", "_hap._tcp"),
            ("mdns.txt", "_hap._tcp.md=Nanoleaf Lines NL59"),
            ("mdns.txt", "_hap._tcp.ci=5"),
        ],
    ),
    ("thermostat", &[("mdns.txt", "_hap._tcp.ci=9"), ("mdns.txt", "_hap._tcp.md=ecobee Premium")]),
    ("vacuum", &[("dhcp.hostname", "roborock-vacuum-a62"), ("mdns.service", "_miio._udp")]),
    ("smart_hub", &[("ssdp.server", "Hue/1.0 UPnP/1.0 IpBridge/1.60.0"), ("mdns.service", "_hue._tcp")]),
    ("game_console", &[("dhcp.vendor_class", "PS5"), ("http.user_agent", "libhttp/8.20 (PlayStation 5)")]),
    (
        "e_reader",
        &[
            ("dhcp.hostname", "kindle-9b1c2d3e4"),
            (
                "http.user_agent",
                "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) AppleWebKit/531.2+ Kindle/3.0+",
            ),
        ],
    ),
    (
        "workstation",
        &[
            ("dhcp.vendor_class", "MSFT 5.0"),
            ("dhcp.hostname", "DESKTOP-1A2B3C4"),
            ("dhcp.prl", "1,3,6,15,31,33,43,44,46,47,119,121,249,252"),
        ],
    ),
    (
        "laptop",
        &[("mdns.txt", "_companion-link._tcp.rpmd=MacBookPro18,4"), ("dhcp.hostname", "MacBook-Pro-von-Eva")],
    ),
    (
        "smartphone",
        &[
            ("dhcp.hostname", "iPhone-de-Lucia"),
            ("dhcp.prl", "1,121,3,6,15,108,114,119,252"),
            ("mac.random", "true"),
        ],
    ),
    ("smartphone", &[("dhcp.vendor_class", "android-dhcp-14"), ("dhcp.hostname", "Pixel-8-Pro")]),
    (
        "smartphone",
        &[("http.user_agent", "Dalvik/2.1.0 (Linux; U; Android 14; SM-S928B Build/UP1A.231005.007)")],
    ),
    (
        "server",
        &[
            ("ssh.banner", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2"),
            ("http.server", "nginx/1.18.0 (Ubuntu)"),
            ("dhcp.hostname", "fra-db03"),
        ],
    ),
    ("server", &[("cdp.platform", "VMware ESX"), ("lldp.sys_descr", "VMware ESX Releasebuild-21930508")]),
    ("thin_client", &[("dhcp.vendor_class", "wyse-5070"), ("dhcp.hostname", "WT7c8ae1000001")]),
];

#[test]
fn devices_are_told_by_what_protocols_and_naming_schemes_imply() {
    let taxonomy = builtin().taxonomy();
    let mut wrong = Vec::new();
    for (expected, said) in DEVICES {
        assert!(taxonomy.find(expected).is_some(), "{expected}");
        let what = classify(NOBODY, said);
        if what.kind != *expected {
            let reasons: Vec<String> =
                what.reasons.iter().map(|r| format!("{} {} {}", r.rule, r.says, r.weight)).collect();
            wrong.push(format!("{said:?}: {} instead of {expected}: {reasons:#?}", what.kind));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_do_not_contradict_each_other_on_their_own_examples() {
    let taxonomy = builtin().taxonomy();
    let category = |key: &str| {
        let id = taxonomy.find(key)?;
        let top = taxonomy.lineage(id).last()?;
        taxonomy.node(top).map(|n| n.category)
    };
    let mut wrong = Vec::new();
    for (_, text) in BUILTIN {
        let pack: toml::Table = toml::from_str(text).unwrap();
        for rule in pack["rule"].as_array().unwrap() {
            let source: source::Source = rule["evidence"].as_str().unwrap().parse().unwrap();
            for test in rule["tests"].as_array().unwrap() {
                let expect = |key: &str| test.get("expect")?.get(key)?.as_str();
                let Some(expected) = expect("type").or_else(|| expect("category")).and_then(category) else {
                    continue;
                };
                let (field, value) = source.example(test["in"].as_str().unwrap());
                let mut said = vec![(field, value)];
                for (path, value) in test.get("with").and_then(|w| w.as_table()).into_iter().flatten() {
                    said.push(path.parse::<source::Source>().unwrap().example(value.as_str().unwrap()));
                }
                let said: Vec<(&str, &str)> = said.iter().map(|(f, v)| (f.name(), v.as_str())).collect();
                let what = classify(NOBODY, &said);
                // Weak ones may leave it open.
                if what.category != expected && what.category != Category::Unclassified {
                    let why: Vec<_> = what.reasons.iter().map(|r| (&r.rule, &r.says, r.weight)).collect();
                    wrong.push(format!("{} {said:?}: {:?} {why:?}", rule["id"], what.category));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
