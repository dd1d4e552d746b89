//! What frames prove and what they do not, rule by rule; and that no bytes whatever break the dissector.

use etherparse::PacketBuilder;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

pub(super) use super::record::{Record, recorded};

pub(super) const A: [u8; 6] = [0x00, 0x1b, 0xd4, 0, 0, 0x0a];
pub(super) const B: [u8; 6] = [0x00, 0x1b, 0xd4, 0, 0, 0x0b];
pub(super) const ALL: [u8; 6] = [0xff; 6];
pub(super) const HOST: [u8; 4] = [10, 0, 0, 5];
pub(super) const PEER: [u8; 4] = [10, 0, 0, 9];

pub(super) fn dissected(link: LinkType, data: &[u8]) -> Vec<String> {
    recorded(link, data).0
}

pub(super) fn ethernet(data: &[u8]) -> Vec<String> {
    dissected(LinkType::Ethernet, data)
}

pub(super) fn frame(to: [u8; 6], from: [u8; 6], kind: u16, body: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), body].concat()
}

pub(super) fn arp(operation: u8, sender: [u8; 6], ip: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &sender, &ip, &[0; 6], &target].concat()
}

pub(super) fn udp(to: [u8; 6], target: [u8; 4], ttl: u8, ports: (u16, u16), body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ethernet2(A, to)
        .ipv4(HOST, target, ttl)
        .udp(ports.0, ports.1)
        .write(&mut out, body)
        .unwrap();
    out
}

#[test]
fn i3_an_arp_probe_forms_no_coupling_and_a_lying_one_only_an_anomaly() {
    assert!(ethernet(&frame(ALL, A, 0x0806, &arp(1, A, [0; 4], HOST))).is_empty());
    assert_eq!(ethernet(&frame(ALL, A, 0x0806, &arp(2, B, HOST, PEER))), ["anomaly sender_mismatch"]);
}

#[test]
fn i4_arp_requests_answers_and_announcements_prove_their_sender() {
    let asked = ethernet(&frame(ALL, A, 0x0806, &arp(1, A, HOST, PEER)));
    assert_eq!(asked, ["00:1b:d4:00:00:0a 10.0.0.5 [ArpAsked] []", "exchange 10.0.0.5 10.0.0.9 false"]);
    let answered = ethernet(&frame(B, A, 0x0806, &arp(2, A, HOST, PEER)));
    assert_eq!(answered, ["00:1b:d4:00:00:0a 10.0.0.5 [ArpAnswered] []", "exchange 10.0.0.5 10.0.0.9 true"]);
    let gratuitous = ethernet(&frame(ALL, A, 0x0806, &arp(2, A, HOST, HOST)));
    assert!(gratuitous[0].contains("[ArpAnnounced]"), "{gratuitous:?}");
}

#[test]
fn i3_group_and_null_sources_and_impossible_senders_form_no_coupling() {
    for source in [ALL, [1, 0, 0x5e, 0, 0, 1], [0; 6]] {
        assert_eq!(
            ethernet(&frame(B, source, 0x0806, &arp(1, source, HOST, PEER))),
            ["anomaly impossible_source"]
        );
    }
    for ip in [[224, 0, 0, 1], [127, 0, 0, 1], [255; 4]] {
        let found = ethernet(&frame(ALL, A, 0x0806, &arp(1, A, ip, PEER)));
        assert!(!found.iter().any(|f| f.starts_with("00:1b")), "{found:?}");
    }
}

#[test]
fn i6_a_ttl_tells_something_only_in_unicast_that_is_not_link_scope() {
    for (ttl, sign) in
        [(64, "Near"), (128, "Near, Ttl128"), (30, "Near"), (60, "Sixty"), (63, "Far"), (1, "Far")]
    {
        let found = ethernet(&udp(B, PEER, ttl, (1, 2), b"x"));
        assert_eq!(found[0], format!("00:1b:d4:00:00:0a 10.0.0.5 [Sourced, {sign}] []"));
    }
    let found = ethernet(&udp([1, 0, 0x5e, 1, 2, 3], [239, 1, 2, 3], 7, (1, 2), b"x"));
    assert_eq!(found, ["00:1b:d4:00:00:0a 10.0.0.5 [Sourced, Far] []"], "routable multicast");
    let unset = ethernet(&udp([1, 0, 0x5e, 1, 2, 3], [239, 1, 2, 3], 1, (1, 2), b"x"));
    assert_eq!(unset, ["00:1b:d4:00:00:0a 10.0.0.5 [Sourced, LinkScope] []"], "the default of multicast");
    let mut query = over_ip(2, &[0x11, 0, 0, 0, 232, 2, 3, 2]);
    query[22] = 1;
    query[30..34].copy_from_slice(&[232, 2, 3, 2]);
    assert!(ethernet(&query)[0].ends_with("[Sourced, LinkScope] []"), "no router passes IGMP on");
    let groups =
        [([1, 0, 0x5e, 0, 0, 9], [224, 0, 0, 9]), ([1, 0, 0x5e, 0x7f, 0xff, 0xfa], [239, 255, 255, 250])];
    for (to, target) in [(ALL, [255; 4]), (B, [169, 254, 1, 1])].into_iter().chain(groups) {
        let found = ethernet(&udp(to, target, 7, (1, 2), b"x"));
        assert_eq!(found, ["00:1b:d4:00:00:0a 10.0.0.5 [Sourced, LinkScope] []"]);
    }
}

#[test]
fn the_ttl_of_windows_shows_in_unicast_that_is_not_of_dhcp() {
    let shows = |frame: &[u8]| ethernet(frame)[0].contains("Ttl128");
    assert!(shows(&udp(B, PEER, 128, (1, 2), b"x")));
    for frame in [
        udp(B, PEER, 64, (1, 2), b"x"),
        udp(B, PEER, 128, (67, 68), b"x"),
        udp(B, [169, 254, 1, 1], 128, (1, 2), b"x"),
        udp(ALL, [255; 4], 128, (1, 2), b"x"),
    ] {
        assert!(!shows(&frame));
    }
}

#[test]
fn reports_of_icmp_and_ends_of_tunnels_show_a_router_unless_they_come_from_behind_one() {
    let packet = |protocol: u8, ttl: u8, body: &[u8]| {
        let mut bytes = over_ip(protocol, body);
        bytes[..6].copy_from_slice(&B);
        bytes[22] = ttl;
        ethernet(&bytes).into_iter().filter(|f| f.contains("network.task")).collect::<Vec<_>>()
    };
    let report = |kind: u8, code: u8| [&[kind, code][..], &[0; 30]].concat();
    assert!(packet(1, 255, &report(11, 0))[0].ends_with("network.task=time_exceeded"));
    assert!(packet(1, 64, &report(5, 1))[0].ends_with("network.task=redirect"));
    assert!(packet(47, 255, &[0, 0, 0x88, 0x0b, 0, 0, 0, 0])[0].ends_with("network.task=gre"));
    for (protocol, ttl, body) in [
        (1, 254, report(11, 0)),
        (1, 255, report(11, 1)),
        (1, 255, report(8, 0)),
        (47, 255, vec![0x30, 1, 0x88, 0x0b, 0, 0, 0, 0]),
        (47, 63, vec![0, 0, 0x88, 0x0b, 0, 0, 0, 0]),
    ] {
        assert!(packet(protocol, ttl, &body).is_empty(), "{protocol} {ttl} {body:?}");
    }
}

#[test]
fn a_relay_is_told_from_a_server_by_its_own_address_in_the_message() {
    let message = |op: u8, relay: [u8; 4], kind: u8| {
        let mut bytes = vec![0; 240];
        bytes[0] = op;
        bytes[1..3].copy_from_slice(&[1, 6]);
        bytes[24..28].copy_from_slice(&relay);
        bytes[28..34].copy_from_slice(&B);
        bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, kind, 255]);
        bytes
    };
    let said = |ports, body: &[u8]| -> Vec<String> {
        let found = ethernet(&udp(B, PEER, 64, ports, body));
        found
            .iter()
            .filter_map(|f| f.split_once("10.0.0.5 "))
            .map(|(_, f)| f.to_owned())
            .filter(|f| f.contains('='))
            .collect()
    };
    assert_eq!(said((67, 67), &message(1, HOST, 1)), ["network.task=dhcp_relay"]);
    assert_eq!(said((67, 68), &message(2, HOST, 2)), ["network.task=dhcp_relay"]);
    assert_eq!(said((67, 67), &message(2, PEER, 2)), ["dhcp.server=server"]);
    assert_eq!(said((67, 68), &message(2, [0; 4], 2)), ["dhcp.server=server"]);
}

#[test]
fn i4_discovery_to_a_group_is_an_announcement_and_to_a_host_is_not() {
    let group = ethernet(&udp([1, 0, 0x5e, 0, 0, 0xfb], [224, 0, 0, 251], 255, (5353, 5353), &[0; 12]));
    assert!(group[0].contains("Announced"), "{group:?}");
    let host = ethernet(&udp(B, PEER, 255, (5353, 5353), &[0; 12]));
    assert!(!host[0].contains("Announced"), "{host:?}");
}

#[test]
fn tags_of_every_kind_come_off_and_priority_tags_have_no_id() {
    let inner = arp(1, A, HOST, PEER);
    for (tags, ids) in [
        (vec![(0x8100u16, 10u16)], "[10]"),
        (vec![(0x8100, 0)], "[]"),
        (vec![(0x88a8, 200), (0x8100, 30)], "[200, 30]"),
        (vec![(0x9100, 300), (0x8100, 5 << 13 | 10)], "[300, 10]"),
    ] {
        let mut body = Vec::new();
        for (i, (_, control)) in tags.iter().enumerate() {
            let next = tags.get(i + 1).map_or(0x0806, |t| t.0);
            body.extend([control.to_be_bytes(), next.to_be_bytes()].concat());
        }
        body.extend(&inner);
        let found = ethernet(&frame(ALL, A, tags[0].0, &body));
        assert_eq!(found[0], format!("00:1b:d4:00:00:0a 10.0.0.5 [ArpAsked] {ids}"));
    }
    let short = frame(ALL, A, 0x8100, &[0, 10]);
    assert_eq!(ethernet(&short), ["malformed vlan: short tag"]);
}

#[test]
fn arp_and_ip_are_read_in_snap_frames_and_in_cooked_captures() {
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 6][..], &arp(1, A, HOST, PEER)].concat();
    let length = u16::try_from(snap.len()).unwrap();
    assert!(ethernet(&frame(ALL, A, length, &snap))[0].contains("[ArpAsked]"));
    let cooked = [&[0, 1, 0, 1, 0, 6][..], &A, &[0, 0, 8, 6], &arp(1, A, HOST, PEER)].concat();
    assert!(dissected(LinkType::LinuxSll, &cooked)[0].contains("[ArpAsked]"));
    let head = [8, 6, 0, 0, 0, 0, 0, 7, 0, 1, 1, 6];
    let cooked2 = [&head[..], &A, &[0, 0], &arp(1, A, HOST, PEER)].concat();
    assert!(dissected(LinkType::LinuxSll2, &cooked2)[0].contains("[ArpAsked]"));
    let tunnel = [&[0, 0, 3, 9, 0, 4][..], &[0; 8], &[8, 0], &[0x45; 40]].concat();
    assert_eq!(dissected(LinkType::LinuxSll, &tunnel), ["anomaly no_link_layer"]);
    assert_eq!(dissected(LinkType::RawIp, &[0x45; 40]), ["anomaly no_link_layer"]);
}

#[test]
fn ip_headers_that_lie_are_malformed_but_a_snapped_packet_names_its_sender() {
    let good = udp(B, PEER, 64, (1, 2), b"abc");
    for (first, reason) in [(0x4f, "header length"), (0x41, "header length"), (0x65, "wrong version")] {
        let mut bad = good.clone();
        bad[14] = first;
        assert_eq!(ethernet(&bad), [format!("malformed ipv4: {reason}")]);
    }
    let mut long = good.clone();
    long[16..18].copy_from_slice(&9_999u16.to_be_bytes());
    assert!(ethernet(&long)[0].contains("10.0.0.5"));
    assert_eq!(ethernet(&good[..20]), ["malformed ipv4: short header"]);
    assert_eq!(ethernet(&good[..9]), ["malformed ethernet: short header"]);
}

#[test]
fn fragments_show_their_sender_and_are_gathered_before_anything_is_heard() {
    let mut later = udp(B, PEER, 64, (68, 67), &[1; 40]);
    later[20..22].copy_from_slice(&5u16.to_be_bytes());
    let shown = "00:1b:d4:00:00:0a 10.0.0.5 [Sourced, Near] []";
    assert_eq!(ethernet(&later), ["anomaly fragment", shown, "fragment 40 48 false"]);
    later[20..22].copy_from_slice(&0x2000u16.to_be_bytes());
    assert_eq!(ethernet(&later), ["anomaly fragment", shown, "fragment 0 48 true"]);
}

const FE80: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 5];
const GROUP6: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn icmp6(source: [u8; 16], hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let header = [&[0x60, 0, 0, 0][..], &length, &[58, hop_limit], &source, &GROUP6].concat();
    frame([0x33, 0x33, 0, 0, 0, 1], A, 0x86dd, &[header, message.to_vec()].concat())
}

fn solicitation(option: &[u8]) -> Vec<u8> {
    [&[135, 0, 0, 0, 0, 0, 0, 0][..], &FE80, option].concat()
}

#[test]
fn i4_neighbor_discovery_proves_only_with_hop_limit_255_and_its_own_link_address() {
    let own = [&[1, 1][..], &A].concat();
    let other = [&[1, 1][..], &B].concat();
    let proven = ethernet(&icmp6(FE80, 255, &solicitation(&own)));
    assert!(proven[0].contains("NeighborDiscovery"), "{proven:?}");
    let routed = ethernet(&icmp6(FE80, 254, &solicitation(&own)));
    assert!(!routed[0].contains("NeighborDiscovery"), "{routed:?}");
    let lie = ethernet(&icmp6(FE80, 255, &solicitation(&other)));
    assert_eq!(lie[0], "anomaly sender_mismatch");
    assert!(!lie[1].contains("NeighborDiscovery"));
    // RFC 4862: a solicitation from the unspecified address is duplicate address detection.
    assert!(ethernet(&icmp6([0; 16], 255, &solicitation(&[]))).is_empty());
    let zero = ethernet(&icmp6(FE80, 255, &solicitation(&[1, 0, 0, 0])));
    assert_eq!(zero[1], "malformed nd: truncated message");
}

#[test]
fn i5_i6_a_router_advertisement_teaches_on_link_prefixes_and_names_a_router() {
    let advert = |lifetime: u16, flags: u8| {
        let head = [&[134, 0, 0, 0, 64, 0][..], &lifetime.to_be_bytes(), &[0; 8], &[1, 1], &A].concat();
        let prefix =
            [&[3, 4, 64, flags][..], &[0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 0], &[0xfd, 7], &[0; 14]].concat();
        icmp6(FE80, 255, &[head, prefix].concat())
    };
    let found = ethernet(&advert(1800, 0xc0));
    assert_eq!(found[0], "prefix fd07::/64");
    assert_eq!(found[1], "00:1b:d4:00:00:0a ra.sender=router");
    let host = ethernet(&advert(0, 0x40));
    assert!(!host.iter().any(|f| f.contains("prefix") || f.contains("ra.sender")), "{host:?}");
}

/// An ACK for 10.0.0.77/24 with the router 10.0.0.1.
fn ack(to: [u8; 6], target: [u8; 4], relay: [u8; 4]) -> Vec<u8> {
    let mut body = vec![2, 1, 6, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 77, 0, 0, 0, 0];
    body.extend(relay);
    body.extend(B);
    body.resize(236, 0);
    body.extend([99, 130, 83, 99, 53, 1, 5, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 1, 255]);
    udp(to, target, 64, (67, 68), &body)
}

#[test]
fn i4_an_ack_proves_the_lease_on_the_clients_own_link_and_nowhere_else() {
    let leased = "00:1b:d4:00:00:0b 10.0.0.77 [DhcpAck] []".to_owned();
    for (to, target, relay) in
        [(ALL, [255; 4], [0; 4]), (B, [10, 0, 0, 77], [0; 4]), (ALL, [255; 4], [10, 0, 0, 1])]
    {
        let found = ethernet(&ack(to, target, relay));
        assert!(found.contains(&leased), "{found:?}");
        assert!(
            found.contains(&"prefix 10.0.0.0/24".to_owned()) && found.contains(&"router 10.0.0.1".to_owned())
        );
    }
    // On its way to a relay, or routed to a client that renews, it passes other cards.
    for relay in [[10, 0, 9, 1], [0; 4]] {
        let found = ethernet(&ack([0, 0, 0, 0, 9, 9], [10, 0, 9, 1], relay));
        assert!(!found.contains(&leased) && !found.iter().any(|f| f.starts_with("prefix")), "{found:?}");
    }
}

#[test]
fn an_ack_whose_end_is_broken_proves_what_comes_before() {
    let mut whole = ack(ALL, [255; 4], [0; 4]);
    // The end of the options becomes an option that runs past them.
    *whole.last_mut().unwrap() = 12;
    let found = ethernet(&whole);
    assert!(found.contains(&"00:1b:d4:00:00:0b 10.0.0.77 [DhcpAck] []".to_owned()), "{found:?}");
    assert!(found.contains(&"prefix 10.0.0.0/24".to_owned()));
    assert!(found.contains(&"malformed dhcp4: truncated option".to_owned()));
}

#[test]
fn i2_what_a_message_says_of_another_host_is_not_its_senders() {
    let group = [1, 0, 0x5e, 0x7f, 0xff, 0xfa];
    let notify = |place: &str| {
        let text = format!(
            "NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\nNT: upnp:rootdevice\r\nLocation: {place}\r\n\r\n"
        );
        let found = ethernet(&udp(group, [239, 255, 255, 250], 4, (1900, 1900), text.as_bytes()));
        found.into_iter().filter(|f| f.contains('=')).collect::<Vec<_>>()
    };
    assert_eq!(notify("http://10.0.0.5/d.xml"), ["00:1b:d4:00:00:0a 10.0.0.5 ssdp.nt=upnp:rootdevice"]);
    assert_eq!(notify("http://nas.local/d.xml"), ["00:1b:d4:00:00:0a 10.0.0.5 ssdp.nt=upnp:rootdevice"]);
    let other = notify("http://10.0.0.9/d.xml");
    assert_eq!(other, ["00:1b:d4:00:00:0a describes 10.0.0.9 ssdp.nt=upnp:rootdevice"]);
}

#[test]
fn i6_hellos_to_a_group_tell_a_router_and_carp_is_told_from_vrrp() {
    let hello = |protocol: u8, ttl: u8, to: [u8; 6], target: [u8; 4], body: &[u8]| {
        let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
        let header = [&[0x45, 0][..], &length, &[0, 0, 0, 0, ttl, protocol, 0, 0], &HOST, &target].concat();
        ethernet(&frame(to, A, 0x0800, &[&header, body].concat()))
    };
    let said = |value: &str| format!("00:1b:d4:00:00:0a {value}");
    let group = [1, 0, 0x5e, 0, 0, 5];
    let ospf = [&[2, 1, 0, 44, 10, 0, 0, 5][..], &[0; 36]].concat();
    let proof = "00:1b:d4:00:00:0a 10.0.0.5 [RoutingHello] []".to_owned();
    let heard = hello(89, 1, group, [224, 0, 0, 5], &ospf);
    assert!(heard.contains(&said("router.protocol=ospf")) && heard.contains(&proof), "I4: {heard:?}");
    assert!(!hello(89, 1, group, [239, 1, 1, 1], &ospf).contains(&proof), "routers pass it on");
    assert_eq!(hello(89, 64, B, PEER, &ospf).len(), 1);
    assert_eq!(hello(89, 1, group, [224, 0, 0, 5], &[2, 1])[1], "malformed ospf: broken packet");
    let vrrp = [&[0x21, 10, 100, 1, 0, 1, 0, 0][..], &[10, 0, 0, 254], &[0; 8]].concat();
    let heard = hello(112, 255, group, [224, 0, 0, 18], &vrrp);
    assert!(heard[1].ends_with("=vrrp") && !heard.contains(&proof), "{heard:?}");
    assert_eq!(hello(112, 254, group, [224, 0, 0, 18], &vrrp).len(), 1, "passed a router");
    let carp = [&[0x21, 10, 0, 7][..], &[0; 32]].concat();
    assert!(hello(112, 255, group, [224, 0, 0, 18], &carp)[1].ends_with("=carp"));
    let query = [0x11, 100, 0, 0, 0, 0, 0, 0];
    assert!(hello(2, 1, group, [224, 0, 0, 1], &query).contains(&said("router.task=igmp_querier")));
}

#[test]
fn routers_over_udp_are_heard_only_where_they_speak_to_a_group() {
    let rip = [2, 2, 0, 0, 0, 2, 0, 0, 192, 0, 2, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let hsrp = [&[0, 0, 16, 3, 10, 100, 1, 0][..], &[0; 12]].concat();
    for (port, body, said) in [(520, &rip[..], "router.task=rip"), (1985, &hsrp, "router.protocol=hsrp")] {
        let group = ethernet(&udp([1, 0, 0x5e, 0, 0, 2], [224, 0, 0, 2], 1, (port, port), body));
        assert_eq!(group[1], format!("00:1b:d4:00:00:0a {said}"));
        assert_eq!(group[2], "00:1b:d4:00:00:0a 10.0.0.5 [RoutingHello] []");
        let host = ethernet(&udp(B, PEER, 64, (port, port), body));
        assert!(!host.iter().any(|fact| fact.contains("router.")), "{host:?}");
    }
}

#[test]
fn an_mld_querier_has_the_hop_limit_1() {
    let query = [&[130, 0, 0, 0, 0, 0, 0, 0][..], &[0; 20]].concat();
    assert_eq!(ethernet(&icmp6(FE80, 1, &query))[1], "00:1b:d4:00:00:0a router.task=mld_querier");
    assert_eq!(ethernet(&icmp6(FE80, 255, &query)).len(), 1);
}

#[test]
fn makers_announcements_below_ip_are_the_stations() {
    let snap = |organisation: [u8; 3], kind: [u8; 2], body: &[u8]| {
        let llc = [&[0xaa, 0xaa, 3][..], &organisation, &kind, body].concat();
        ethernet(&frame([1, 0, 0x0c, 0xcc, 0xcc, 0xcc], A, u16::try_from(llc.len()).unwrap(), &llc))
    };
    let udld = [&[0x21, 0, 0, 0][..], &[0, 1, 0, 5, b'a', 0, 2, 0, 5, b'1']].concat();
    assert_eq!(snap([0, 0, 0x0c], [1, 0x11], &udld), ["00:1b:d4:00:00:0a router.task=udld"]);
    let fdp = [1, 180, 0, 0, 0, 6, 0, 7, b'I', b'C', b'X'];
    assert_eq!(snap([0, 0xe0, 0x52], [0x20, 0], &fdp), ["00:1b:d4:00:00:0a fdp.platform=ICX"]);
    let eapol = ethernet(&frame([1, 0x80, 0xc2, 0, 0, 3], A, 0x888e, &[1, 1, 0, 0]));
    assert_eq!(eapol, ["00:1b:d4:00:00:0a eapol.role=supplicant"]);
}

#[test]
fn a_tcp_opening_is_heard_only_near_its_host() {
    let open = |ttl| {
        let mut out = Vec::new();
        PacketBuilder::ethernet2(A, B)
            .ipv4(HOST, PEER, ttl)
            .tcp(443, 50_000, 1, 64_240)
            .syn()
            .ack(2)
            .write(&mut out, b"")
            .unwrap();
        ethernet(&out)
    };
    let coupling = "00:1b:d4:00:00:0a 10.0.0.5";
    assert_eq!(
        open(64)[1..],
        ["ip.ttl=64", "tcp.listens=443", "tcp.syn_ack=4:64:0:64240,0::df"].map(|w| format!("{coupling} {w}"))
    );
    assert_eq!(open(63).len(), 1);
}

/// An IPv4 packet of that protocol from 10.0.0.5 on another card.
fn over_ip(protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let header = [&[0x45, 0][..], &length, &[0, 0, 0, 0, 64, protocol, 0, 0], &HOST, &PEER].concat();
    frame(ALL, A, 0x0800, &[&header, body].concat())
}

#[test]
fn i13_the_innermost_ethernet_frame_decides_in_every_tunnel() {
    let inside = frame(ALL, B, 0x8100, &[&[0, 30, 8, 6][..], &arp(1, B, [10, 9, 0, 1], PEER)].concat());
    let with = |head: &[u8]| [head, &inside].concat();
    let labels = [0, 0, 0x10, 64, 0, 0, 0x21, 64];
    let erspan3 = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0; 12]].concat();
    let geneve = [1, 0, 0x65, 0x58, 0, 0, 1, 0, 9, 9, 9, 9];
    for (name, outer) in [
        ("GRE", over_ip(47, &with(&[0, 0, 0x65, 0x58]))),
        ("GRE with key", over_ip(47, &with(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7]))),
        ("ERSPAN I", over_ip(47, &with(&[0, 0, 0x88, 0xbe]))),
        ("ERSPAN II", over_ip(47, &with(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 10, 0, 7, 0, 0, 0, 0]))),
        ("ERSPAN III", over_ip(47, &with(&erspan3))),
        ("VXLAN", udp(B, PEER, 64, (50_000, 4789), &with(&[8, 0, 0, 0, 0, 0, 7, 0]))),
        ("GENEVE", udp(B, PEER, 64, (50_000, 6081), &with(&geneve))),
        ("TZSP", udp(B, PEER, 64, (50_000, 37008), &with(&[1, 0, 0, 1, 10, 1, 0xff, 0, 1]))),
        ("CAPWAP", udp(B, PEER, 64, (50_000, 5247), &with(&[0, 0x10, 2, 0, 0, 0, 0, 0]))),
        ("VXLAN with group policy", udp(B, PEER, 64, (50_000, 4789), &with(&[0x88, 0, 0, 5, 0, 0, 7, 0]))),
        ("VXLAN-GPE", udp(B, PEER, 64, (50_000, 4790), &with(&[0x0c, 0, 0, 3, 0, 0, 7, 0]))),
        ("L2TPv3 over UDP", udp(B, PEER, 64, (1701, 1701), &with(&[0, 3, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4]))),
        ("EtherIP", over_ip(97, &with(&[0x30, 0]))),
        ("802.1ah", frame(ALL, A, 0x88e7, &with(&[0, 0, 0, 7]))),
        ("L2TPv3", over_ip(115, &with(&[0, 0, 0, 9, 1, 2, 3, 4]))),
        ("MPLS", frame(ALL, A, 0x8847, &with(&labels))),
        ("MPLS with control word", frame(ALL, A, 0x8847, &with(&[&labels[..], &[0; 4]].concat()))),
        (
            "GRE in GRE",
            over_ip(47, &[&[0, 0, 0x65, 0x58][..], &over_ip(47, &with(&[0, 0, 0x65, 0x58]))].concat()),
        ),
    ] {
        let found = ethernet(&outer);
        let expected = "00:1b:d4:00:00:0b 10.9.0.1 [ArpAsked] [30]".to_owned();
        assert!(found.contains(&expected), "{name}: {found:?}");
    }
}

#[test]
fn i13_a_packet_without_an_inner_frame_lies_behind_the_mac_that_carries_it() {
    let packet = over_ip(17, &[0; 8])[14..].to_vec();
    let packet = [&packet[..12], &[192, 168, 7, 7], &packet[16..]].concat();
    let ppp = [&[0x11, 0, 0, 7, 0, 30, 0, 0x21][..], &packet].concat();
    for (name, outer) in [
        ("IP in IP", over_ip(4, &packet)),
        (
            "VXLAN-GPE",
            udp(B, PEER, 64, (50_000, 4790), &[&[0x0c, 0, 0, 1, 0, 0, 7, 0][..], &packet].concat()),
        ),
        ("GRE", over_ip(47, &[&[0, 0, 8, 0][..], &packet].concat())),
        ("MPLS", frame(ALL, A, 0x8847, &[&[0, 0, 0x11, 64][..], &packet].concat())),
        ("PPPoE", frame(ALL, A, 0x8864, &ppp)),
    ] {
        let found = ethernet(&outer);
        let expected = "00:1b:d4:00:00:0a 192.168.7.7 [Carried] []".to_owned();
        assert!(found.contains(&expected), "{name}: {found:?}");
    }
}

#[test]
fn tunnels_nested_beyond_the_bound_are_malformed() {
    let mut nested = frame(ALL, B, 0x0806, &arp(1, B, HOST, PEER));
    for _ in 0..9 {
        nested = over_ip(47, &[&[0, 0, 0x65, 0x58][..], &nested].concat());
    }
    assert_eq!(ethernet(&nested).last().unwrap(), "malformed tunnel: nested too deep");
}

#[test]
fn a_profinet_device_speaks_as_a_station_and_its_address_couples_nothing() {
    let mut answer = vec![0, 0, 0x88, 0x92, 0xfe, 0xff, 5, 1, 0, 0, 0, 1, 0, 0, 0, 28];
    answer.extend(b"\x02\x03\0\x06\0\0\0\x2a\x01\x0d");
    answer.extend(b"\x01\x02\0\x0e\0\x01\x0a\0\0\x05\xff\xff\xff\0\0\0\0\0\0\0");
    assert_eq!(ethernet(&frame(B, A, 0x8100, &answer)), ["00:1b:d4:00:00:0a pn.device=002a:010d"]);
    assert_eq!(ethernet(&frame(B, A, 0x88a4, &[1])), ["malformed ethercat: short header"]);
}

proptest! {
    #[test]
    fn no_bytes_break_the_dissector(data in vec(any::<u8>(), 0..400), kind in 0..4usize) {
        let link = [LinkType::Ethernet, LinkType::LinuxSll, LinkType::LinuxSll2, LinkType::RawIp][kind];
        dissected(link, &data);
    }

    #[test]
    fn no_damage_to_a_sound_frame_breaks_the_dissector(
        seed in 0..9usize, cut in any::<prop::sample::Index>(),
        bytes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut data = match seed {
            0 => ack(ALL, [255; 4], [0; 4]),
            1 => icmp6(FE80, 255, &solicitation(&[&[1, 1][..], &A].concat())),
            2 => frame(ALL, A, 0x8100, &[&[0, 10, 8, 6][..], &arp(1, A, HOST, PEER)].concat()),
            3 => udp([1, 0, 0x5e, 0, 0, 0xfb], [224, 0, 0, 251], 255, (5353, 5353), &[0, 0, 0x84, 0, 0, 0, 0, 1]),
            4 => over_ip(47, &[&[0, 0, 0x65, 0x58][..], &ack(ALL, [255; 4], [0; 4])].concat()),
            5 => udp(B, PEER, 64, (1, 4789), &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &ack(ALL, [255; 4], [0; 4])].concat()),
            6 => udp(B, PEER, 64, (1, 37008), &[&[1, 0, 0, 1, 1][..], &ack(ALL, [255; 4], [0; 4])].concat()),
            7 => frame(ALL, A, 0x8847, &[&[0, 0, 0x11, 64, 0, 0, 0, 0][..], &ack(ALL, [255; 4], [0; 4])].concat()),
            _ => frame([1, 0x80, 0xc2, 0, 0, 0x0e], A, 0x88cc, &[2, 7, 4, 0, 0, 0, 0, 0, 1, 4, 2, 5, 49, 6, 2, 0, 120, 0, 0]),
        };
        for (place, value) in bytes {
            let place = place.index(data.len());
            data[place] = value;
        }
        data.truncate(cut.index(data.len()) + 1);
        ethernet(&data);
    }
}
