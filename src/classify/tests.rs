//! Tests of the whole: packs, overriding, conclusions.

use std::net::IpAddr;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::census::{Category, Evidence, Forwards, MacAddr, Timestamp};
use std::fs;

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
    Rules::of(&RuleFiles::from_iter([("local.toml".to_owned(), text.to_owned())]))
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
            "local.toml:13:10: rule 'a' fails its test 1, 'z': it does not match",
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

/// Fingerprints in Recog's form, written for this test.
const FINGERPRINTS: &str = r#"<?xml version="1.0"?>
<fingerprints matches="ssh.banner" protocol="ssh">
  <fingerprint pattern="^Gatekeeper_quiet"><description>Says nothing</description></fingerprint>
  <fingerprint pattern="^Gatekeeper_(\S+)(?: rel (\d+))?$" flags="REG_ICASE">
    <description>Acme door controller</description>
    <example hw.model="G7">gatekeeper_G7 rel 4</example>
    <param pos="0" name="hw.device" value="Access Control"/>
    <param pos="0" name="hw.vendor" value="Acme"/>
    <param pos="1" name="hw.model"/>
    <param pos="0" name="hw.product" value="Gatekeeper {hw.model}"/>
    <param pos="0" name="os.product" value="GateOS"/>
    <param pos="2" name="os.version"/>
  </fingerprint>
  <fingerprint pattern="^Gatekeeper"><param pos="0" name="hw.device" value="Router"/></fingerprint>
</fingerprints>"#;

#[test]
fn fingerprints_of_an_operator_speak_first_match_first_and_say_no_more_than_they_hold() {
    let files = RuleFiles::from_iter([("ssh_banners.xml".to_owned(), FINGERPRINTS.to_owned())]);
    let rules = Rules::of(&files).unwrap();
    assert!(rules.notes().is_empty(), "{:?}", rules.notes());
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-gatekeeper_G7 rel 4")]);
    assert_eq!((what.category, what.kind.as_str()), (Category::Iot, "access_control"));
    assert_eq!((what.vendor.as_deref(), what.model.as_deref()), (Some("Acme"), Some("Gatekeeper G7")));
    assert_eq!(what.os.as_deref(), Some("GateOS 4"));
    assert!(
        what.reasons.iter().all(|r| r.weight <= 80 && r.rule == "recog.ssh_banners.4"),
        "{:?}",
        what.reasons
    );
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-Gatekeeper_G8")]);
    assert_eq!(what.os.as_deref(), Some("GateOS"));
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-Gatekeeper_quiet")]);
    assert_eq!(what.category, Category::Unclassified);
    let checked = Rules::check(files.iter()).unwrap();
    assert_eq!((checked[0].rules, checked[0].tests, checked[0].notes.len()), (3, 1, 0));
}
