//! Tests: frames with headers and trailers around them (I13), and frames that nothing reads.

use super::LinkType;
use super::tests::{A, ALL, B, HOST, PEER, arp, dissected, ethernet, frame, udp};

/// The frame with a shim between its addresses and its type.
fn shim(inner: &[u8], kind: u16, header: &[u8]) -> Vec<u8> {
    let (addresses, rest) = inner.split_at(12);
    [addresses, &kind.to_be_bytes(), header, rest].concat()
}

fn vlan(inner: &[u8]) -> Vec<u8> {
    shim(inner, 0x8100, &[0, 10])
}

/// A MACsec tag with the channel identifier, and a check value behind the frame.
fn macsec(inner: &[u8], control: u8) -> Vec<u8> {
    let tag = [&[control, 0, 0, 0, 0, 7][..], &A, &[0, 1]].concat();
    [shim(inner, 0x88e5, &tag), vec![0xc5; 16]].concat()
}

/// A PRP trailer of network A.
fn prp(inner: &[u8]) -> Vec<u8> {
    let size = u16::try_from(inner.len() - 14 + 6).unwrap();
    [inner, &[0, 9], &(0xa000 | size).to_be_bytes(), &[0x88, 0xfb]].concat()
}

/// The frame in a mirror of HP's and Aruba's switches.
fn remote_mirror(inner: &[u8]) -> Vec<u8> {
    udp(B, PEER, 64, (7932, 7932), &[&[0; 12][..], inner].concat())
}

/// The facts of a frame inside a tunnel from the host.
fn opened(kind: &str, facts: &[String]) -> Vec<String> {
    let enter = format!("enter {kind} 00:1b:d4:00:00:0a 10.0.0.5");
    [&[enter], facts, &["leave".to_owned()]].concat()
}

fn question() -> Vec<u8> {
    frame(ALL, B, 0x0806, &arp(1, B, PEER, HOST))
}

#[test]
fn i13_shims_in_any_mix_change_nothing() {
    let plain = ethernet(&question());
    type Wrap<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let shims: [(&str, Wrap<'_>); 11] = [
        ("VN-Tag", &|f| shim(f, 0x8926, &[0x80, 1, 0, 20])),
        ("E-TAG", &|f| shim(f, 0x893f, &[0x20, 0, 0, 20, 0, 0])),
        ("TrustSec", &|f| shim(f, 0x8909, &[1, 1, 0, 1, 0, 100])),
        ("TrustSec with a second option", &|f| shim(f, 0x8909, &[1, 2, 0, 1, 0, 100, 0, 2, 0, 7])),
        ("TTag", &|f| shim(f, 0x8988, &[0, 0x12, 0x34, 0x56, 0x78, 0x9a])),
        ("Arista, 64 bits", &|f| shim(f, 0xd28b, &[0, 1, 1, 0x10, 1, 2, 3, 4, 5, 6, 7, 8])),
        ("Arista, 48 bits", &|f| shim(f, 0xd28b, &[0, 1, 0, 0x21, 1, 2, 3, 4, 5, 6])),
        ("HSR", &|f| shim(f, 0x892f, &[0x10, 52, 0, 9])),
        ("MACsec in clear", &|f| macsec(f, 0x20)),
        ("MACsec in clear without channel", &|f| shim(f, 0x88e5, &[0, 0, 0, 0, 0, 7])),
        ("PRP", &prp),
    ];
    for (name, one) in shims {
        assert_eq!(ethernet(&one(&question())), plain, "{name}");
        for (other_name, other) in shims {
            assert_eq!(ethernet(&other(&one(&question()))), plain, "{name} in {other_name}");
        }
        let tagged: Vec<_> = plain.iter().map(|fact| fact.replace("[]", "[10]")).collect();
        assert_eq!(ethernet(&one(&vlan(&question()))), tagged, "802.1Q in {name}");
        assert_eq!(ethernet(&vlan(&one(&question()))), tagged, "{name} in 802.1Q");
    }
}

#[test]
fn i13_a_trailer_is_not_read_as_payload() {
    // A cyclic PROFINET frame says its length only by its end.
    let cyclic = frame(B, A, 0x8892, &[&[0x80, 1][..], &[0; 40]].concat());
    let plain = ethernet(&cyclic);
    assert_eq!(ethernet(&prp(&cyclic)), plain);
    assert_eq!(super::shim::without_trailer(&prp(&cyclic)[14..], 48), &cyclic[14..]);
    // Of another size, or of a third network, the bytes are payload.
    for wrong in [[0, 9, 0xa0, 47, 0x88, 0xfb], [0, 9, 0xc0, 48, 0x88, 0xfb]] {
        let body = [&cyclic[14..], &wrong].concat();
        assert_eq!(super::shim::without_trailer(&body, body.len()), body);
    }
}

#[test]
fn encrypted_macsec_is_counted_and_a_short_shim_is_malformed() {
    for control in [0x2c, 0x28, 0x24] {
        assert_eq!(ethernet(&macsec(&question(), control)), ["not understood ether_type 0x88e5"]);
    }
    assert_eq!(ethernet(&frame(B, A, 0x8926, &[0, 1, 2])), ["malformed vn-tag: short tag"]);
    assert_eq!(ethernet(&frame(B, A, 0x88e5, &[])), ["malformed macsec: short tag"]);
}

#[test]
fn shims_beyond_the_bound_are_counted_by_the_next_type() {
    let mut nested = question();
    (0..9).for_each(|_| nested = vlan(&nested));
    assert_eq!(ethernet(&nested), ["not understood ether_type 0x8100"]);
}

#[test]
fn i13_a_remote_mirror_of_hp_and_aruba_is_opened() {
    let plain = ethernet(&question());
    for inner in [question(), shim(&question(), 0x8909, &[1, 1, 0, 1, 0, 100])] {
        let found = ethernet(&remote_mirror(&inner));
        assert_eq!(found[0], "00:1b:d4:00:00:0a 10.0.0.5 [Sourced, Near] []");
        assert_eq!(found[1..], opened("remote mirror", &plain));
    }
    // An answer to a client that happens to have the port is none.
    let answer = ethernet(&udp(B, PEER, 64, (53, 7932), &[0xc0; 60]));
    assert_eq!(answer.len(), 1, "{answer:?}");
}

#[test]
fn i13_what_nothing_reads_is_counted_by_its_number() {
    let llc = |bytes: &[u8]| frame(B, A, u16::try_from(bytes.len()).unwrap(), bytes);
    for (data, counted) in [
        (frame(B, A, 0x8137, &[0xff; 30]), "ether_type 0x8137"),
        (llc(&[0xe0, 0xe0, 3, 1, 2]), "llc 0xe0"),
        (llc(&[0xf0, 0xf0, 0, 0, 1, 2]), "llc 0xf0"),
        (llc(&[0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b]), "snap 0x080007:0x809b"),
        (frame(B, A, 0x8847, &[0, 0, 0x11, 64, 0, 0, 0, 0, 1, 2]), "ether_type 0x8847"),
        (frame(B, A, 0x8864, &[0x11, 0, 0, 1, 0, 4, 0, 0xfd, 1, 2]), "ether_type 0x8864"),
    ] {
        assert_eq!(ethernet(&data), [format!("not understood {counted}")]);
    }
    // The sender of a tunnel shows all the same. CAPWAP: encrypted, and a radio frame.
    let radio = [&[0, 0x20, 3, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &question()].concat();
    for (port, body) in
        [(5247, &[0x01, 0, 0, 0, 0x17][..]), (5247, &radio), (2152, &[0x30, 0xff]), (4789, &[0; 12])]
    {
        let found = ethernet(&udp(B, PEER, 64, (40_000, port), body));
        assert_eq!(found[1], format!("not understood udp_port {port}"), "{found:?}");
        let known = ethernet(&udp(B, PEER, 64, (53, port), body));
        assert!(!known.iter().any(|fact| fact.starts_with("not understood")), "{known:?}");
    }
}

#[test]
fn an_unknown_tunnel_over_ip_is_counted_and_mpls_over_ip_is_opened() {
    let over = |number, body: &[u8]| {
        let mut out = Vec::new();
        etherparse::PacketBuilder::ethernet2(A, B)
            .ipv4(HOST, PEER, 64)
            .write(&mut out, etherparse::IpNumber(number), body)
            .unwrap();
        ethernet(&out)
    };
    assert_eq!(over(99, &[0; 20])[1..], ["not understood ip_protocol 99"]);
    assert_eq!(over(50, &[0; 20]).len(), 1);
    let labelled = [&[0, 0, 0x11, 64, 0, 0, 0, 0][..], &question()].concat();
    assert_eq!(over(137, &labelled)[1..], opened("MPLS", &ethernet(&question())));
}

#[test]
fn frames_that_hide_no_host_are_not_counted() {
    let mut quiet = vec![
        frame(ALL, A, 0x0842, &[0xff; 102]),
        frame([1, 0x80, 0xc2, 0, 0, 1], A, 0x8808, &[0, 1, 0xff, 0xff]),
        frame(B, A, 0x9000, &[0; 46]),
        frame(B, A, 0x88fb, &[0; 46]),
        // XID and TEST of IEEE 802.2, and a control protocol of Cisco.
        frame(B, A, 3, &[0, 0, 0xaf]),
        frame(B, A, 3, &[0x42, 0x42, 0xe3]),
        frame(B, A, 8, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0x01]),
        // Control of PPP over Ethernet.
        frame(B, A, 0x8864, &[0x11, 0, 0, 1, 0, 4, 0xc0, 0x21, 9, 0]),
    ];
    quiet.push(frame(B, A, 0x888e, &[2, 1, 0, 0]));
    for data in quiet {
        assert!(!ethernet(&data).iter().any(|f| f.contains("not understood")), "{data:x?}");
    }
}

#[test]
fn datagrams_that_nothing_reads_are_noted_unless_services_or_groups_have_the_port() {
    let of = |to, target, ports| ethernet(&udp(to, target, 64, ports, b"x")).into_iter().nth(1);
    assert_eq!(of(B, PEER, (40_000, 30_000)), Some("unread 30000".to_owned()));
    for ports in [(443, 30_000), (40_000, 443), (40_000, 51_820)] {
        assert_eq!(of(B, PEER, ports), None);
    }
    assert_eq!(of([1, 0, 0x5e, 1, 2, 3], [239, 1, 2, 3], (40_000, 30_000)), None);
}

#[test]
fn llc_is_read_in_cooked_captures_and_in_long_frames() {
    let hello =
        [&[0x42, 0x42, 3, 0, 0, 0, 0, 0][..], &[0x80, 0], &A, &[0; 4], &[0x80, 0], &A, &[0; 12]].concat();
    let length = u16::try_from(hello.len()).unwrap();
    let plain = ethernet(&frame(ALL, A, length, &hello));
    assert!(plain.iter().any(|fact| fact.contains("stp")), "{plain:?}");
    assert_eq!(ethernet(&frame(ALL, A, 0x8870, &hello)), plain);
    let cooked = [&[0, 2, 0, 1, 0, 6][..], &A, &[0, 0, 0, 4], &hello].concat();
    assert_eq!(dissected(LinkType::LinuxSll, &cooked), plain);
}
