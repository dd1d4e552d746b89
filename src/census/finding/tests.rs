use super::list::LISTED;
use super::*;
use crate::census::{
    Category, Coupling, CouplingKey, Field, MacAddr, Prefix, Sign, Tunnel, TunnelKind, TunnelMarks, Zone,
};

const A: MacAddr = MacAddr([0, 0x40, 0x8c, 0, 0, 0xa]);
const B: MacAddr = MacAddr([0, 0x40, 0x8c, 0, 0, 0xb]);

fn ip(last: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// One finding of each kind.
fn each() -> Vec<Finding> {
    let believed = (at(1_800_000_000), at(1_800_003_600));
    vec![
        Finding::address_conflict("hq", ip(1), [B, A], at(0), at(60)),
        Finding::newcomers_held("hq", 12),
        Finding::newcomers_many("hq", at(0), 700),
        Finding::unconfirmed_held("hq", 12),
        Finding::claim_held("hq", "x", A, "spoke a protocol of routers"),
        Finding::join_held("hq", Field::CdpDeviceId, "core", Subjects::default().macs([A, B])),
        Finding::join_undone("hq", Field::DhcpDuid, "0001", Subjects::default().macs([A, B])),
        Finding::addresses_late("hq", 12),
        Finding::turned_late("hq", A, Category::Iot, Category::ComputerMobile, at(7_200)),
        Finding::prefix_held("hq", prefix("10.0.0.4/30")),
        Finding::join_late("hq", Field::CdpDeviceId, "core", Subjects::default().macs([A, B])),
        Finding::forwards_late("hq", A, at(0), at(7_200)),
        Finding::address_taken("hq", CouplingKey { mac: A, ip: ip(2) }, B, at(7_200)),
        Finding::port_late("hq", CouplingKey { mac: A, ip: ip(2) }, at(0), at(7_200)),
        Finding::clock_jump("hq", 1, (at(7), at(2_147_483_647)), believed),
        Finding::prefix_conflict("hq", prefix("10.0.0.0/16"), [prefix("10.0.4.0/24"), prefix("10.0.2.0/24")]),
        Finding::tunnel_held("hq", CouplingKey { mac: A, ip: [203, 0, 113, 9].into() }, &tunnel()),
        Finding::not_understood(
            "hq",
            82,
            &["ether type 0x88e5", "UDP port 7932"],
            "MACsec encrypts the frames",
        ),
        Finding::lower_bound("hq", Limit::Couplings),
        Finding::lower_bound("hq", Limit::Learned),
        Finding::lower_bound("hq", Limit::Tunnels),
        Finding::frames_dropped("hq", 12, at(60), at(120)),
        Finding::lower_bound("hq", Limit::Memory),
    ]
}

/// A tunnel with one coupling.
fn tunnel() -> Tunnel {
    let mut tunnel = Tunnel {
        marks: TunnelMarks { kinds: TunnelKind::Vxlan.into(), ..TunnelMarks::default() },
        facts: Zone::default(),
    };
    tunnel.facts.segment.span(at(0), at(60));
    tunnel
        .facts
        .couplings
        .insert(CouplingKey { mac: B, ip: ip(1) }, Coupling::new(at(0), Sign::ArpAsked.into()));
    tunnel
}

#[test]
fn each_kind_has_a_sentence_an_advice_and_a_rule_that_exists() {
    for finding in each() {
        let rule = crate::rulebook::find(&finding.rule).unwrap();
        assert!(rule.is_section() || finding.sentence.ends_with(&format!("({})", rule.id)), "{finding}");
        assert!(!finding.sentence.ends_with('.') && !finding.advice.ends_with('.'), "{finding}");
        assert_eq!(finding.to_string(), finding.sentence);
    }
    let kinds: Vec<FindingKind> = each().iter().map(|f| f.kind).collect();
    assert!(FindingKind::ALL.iter().all(|kind| kinds.contains(kind)));
    let key = |kind: &FindingKind| serde_json::to_value(kind).unwrap() == kind.key();
    assert!(FindingKind::ALL.iter().all(key));
}

#[test]
fn the_sentences_read_well() {
    let sentences: Vec<String> = each().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(sentences.join("\n"));
}

#[test]
fn the_id_stays_when_times_and_numbers_grow() {
    let conflict =
        |ip, macs: &[MacAddr], last| Finding::address_conflict("hq", ip, macs.to_vec(), at(0), at(last)).id;
    assert_eq!(conflict(ip(1), &[A, B], 9), conflict(ip(1), &[A, B, MacAddr([2; 6])], 99));
    assert_ne!(conflict(ip(1), &[A, B], 9), conflict(ip(2), &[A, B], 9));
    assert_eq!(Finding::newcomers_held("hq", 1).id, Finding::newcomers_held("hq", 2).id);
    assert_ne!(Finding::newcomers_held("hq", 1).id, Finding::newcomers_held("branch", 1).id);
    let mut ids: Vec<FindingId> = each().iter().map(|f| f.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), each().len(), "different findings have different ids");
    assert_eq!(ids[0].to_string().parse(), Ok(ids[0]));
}

#[test]
fn the_document_has_the_same_finding() {
    for finding in each() {
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
    }
    insta::assert_json_snapshot!(each()[0]);
}

#[test]
fn the_subjects_are_sorted_and_bounded_and_their_number_is_full() {
    let macs = (0..5_000_u16).rev().map(|n| MacAddr([2, 0, 0, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]]));
    let finding =
        Finding::address_conflict("hq", ip(1), macs.chain([MacAddr([2, 0, 0, 0, 0, 0])]), at(0), at(1));
    assert_eq!((finding.subjects.macs.len(), finding.subjects.total), (100, 5_001));
    assert_eq!(finding.count, Some(5_000));
    assert!(finding.subjects.macs.is_sorted());
    assert!(finding.sentence.ends_with("02:00:00:00:00:04 and 4995 more (I1)"), "{finding}");
}

#[test]
fn the_list_is_the_same_for_any_order_and_holds_the_first_of_a_kind_in_a_zone() {
    let made = |n| Finding::address_conflict("hq", ip(n), [A, B], at(0), at(1));
    let count = u32::try_from(LISTED).unwrap() + 7;
    let (mut rising, mut falling) = (Findings::default(), Findings::default());
    rising.extend((0..count).map(made).chain(each().into_iter().skip(1)));
    falling.extend(each().into_iter().skip(1).rev().chain((0..count).rev().map(made)));
    assert_eq!(rising, falling);
    assert_eq!(rising.iter().count(), LISTED + each().len() - 1);
    assert_eq!(rising.iter().next(), Some(&made(0)));
    assert_eq!(rising.total(), u64::from(count) + each().len() as u64 - 1);
    let unlisted: Vec<_> = rising.unlisted().map(|u| (u.kind, u.zone, u.count)).collect();
    assert_eq!(unlisted, [(FindingKind::AddressConflict, "hq".to_owned(), 7)]);
}
