//! Properties that hold for every dissector, whatever the bytes.

use proptest::prelude::*;

use super::*;
use crate::census::{VALUE_BYTES, clean};
use crate::dissect::{Malformed, Words};

type Dissect = fn(&[u8], &mut Words<'_>) -> Result<(), Malformed>;

const ALL: &[Dissect] = &[
    |p, w| lldp::dissect(p, w, &mut |_| {}),
    |p, w| cdp::dissect(p, w, &mut |_| {}),
    |p, w| dhcp4::dissect(p, w).map(drop),
    |p, w| snmp::dissect(p, 161, w),
    |p, w| snmp::dissect(p, 1024, w),
    |p, w| stream(p, 22, 40000, w),
    |p, w| stream(p, 44818, 40000, w),
    |p, w| datagram(p, 1900, 1900, w),
    // Network gear.
    |p, w| capwap::dissect(p, 1024, 5246, w),
    |p, w| lwapp::dissect(p, 1024, 12223, w),
    |p, w| cisco::dissect(0x2003, p, w),
    |p, w| cisco::dissect(0x2004, p, w),
    |p, w| cisco::dissect(0x0111, p, w),
    |p, w| cisco::dissect(0x0104, p, w),
    |p, w| tcp::dissect(p, p.get(20..).unwrap_or_default(), w),
    |p, w| vrrp::dissect(p, false, w),
    babel::dissect,
    bgp::dissect,
    eapol::dissect,
    edp::dissect,
    eigrp::dissect,
    fdp::dissect,
    glbp::dissect,
    hsrp::dissect,
    igmp::dissect,
    igmp::dissect_mld,
    isis::dissect,
    lacp::dissect,
    ldp::dissect,
    mndp::dissect,
    ospf::dissect,
    pim::dissect,
    rip::dissect,
    rip::dissect_ng,
    ubnt::dissect,
    unifi::dissect,
    bacnet::dissect,
    dhcp6::dissect,
    enip::dissect,
    http::dissect,
    llmnr::dissect,
    mdns::dissect,
    nbns::dissect,
    rtsp::dissect,
    sip::dissect,
    ssdp::dissect,
    ssh::dissect,
    stp::dissect,
    wsd::dissect,
];

/// Beginnings that lead past the first checks.
const STARTS: &[&[u8]] = &[
    b"",
    &[2, 7, 4, 0, 0x1b, 0x54, 1, 2, 3, 4, 3, 7, b'a', b'b', 6, 2, 0, 120],
    &[2, 180, 0, 0, 0, 2],
    &[0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 2],
    &[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, b'a', 4, b'_', b'i', b'p', b'p', 4, b'_', b't', b'c', b'p'],
    &[0, 1, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1],
    &[1, 0, 0, 1],
    &[0x63, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0c, 0, 50, 0],
    &[0x81, 0x0b, 0, 40, 1, 0, 0x10, 0],
    &[
        0x30, 0x50, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa2, 0x43, 2, 1, 1, 2, 1, 0, 2, 1, 0,
        0x30,
    ],
    &[0x30, 0x80, 2, 1, 3, 0x30],
    b"HTTP/1.1 200 OK\r\nServer: ",
    b"GET / HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAADAAAA",
    b"NOTIFY * HTTP/1.1\r\nNT: ",
    b"SIP/2.0 200 OK\r\nUser-Agent: ",
    b"RTSP/1.0 200 OK\r\nWWW-Authenticate: Digest realm=\"",
    b"<Hello><Types>",
    b"SSH-",
    // Network gear.
    &[0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 5, 0, 9],
    &[2, 6, 0, 40, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0x0c, 0, 9],
    &[1, 0, 0, 200, 0, 0, 0, 7, 0, 0, 0, 4, 0x96, 1, 2, 3, 0x99, 1, 0, 99],
    &[0, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 60, 0, 0, 38, 0, 40, 0, 0, 0, 9],
    &[
        0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 9, 9, 0, 0, 0, 0, 0, 0, 0,
        0, 0xf0, 2,
    ],
    &[0x83, 27, 1, 0, 15, 1, 0, 0],
    &[42, 2, 0, 40],
];

fn check(payload: &[u8]) -> Result<(), TestCaseError> {
    for dissect in ALL {
        let mut said = Vec::new();
        let mut hear = |field, value: &str| said.push((field, value.to_owned()));
        let ended = dissect(payload, &mut Words::new(&mut hear));
        prop_assert!(said.len() <= 2048, "{ended:?}");
        for (field, value) in said {
            prop_assert!(value.len() <= VALUE_BYTES, "{field} {value}");
            prop_assert_eq!(clean(value.as_bytes()), Some(value.clone()), "{}", field);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_every_value_is_clean(
        start in proptest::sample::select(STARTS),
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        check(&[start, &rest[..]].concat())?;
    }

    #[test]
    fn any_options_of_a_dhcp_message_are_survived(
        op in 1u8..3,
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut message = vec![op, 1, 6];
        message.resize(236, 0);
        check(&[&message[..], &[99, 130, 83, 99], &rest].concat())?;
    }

    #[test]
    fn any_text_in_a_head_is_survived(
        start in proptest::sample::select(STARTS),
        rest in "[\\PC\r\n:;=<>\"/& ]{0,300}",
    ) {
        check(&[start, rest.as_bytes()].concat())?;
    }

    #[test]
    fn any_record_of_a_dns_response_is_survived(
        kind in any::<u8>(),
        length in 0u8..40,
        rest in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let head = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, b'a', 0, 0, kind, 0, 1, 0, 0, 0, 9, 0, length];
        check(&[&head[..], &rest].concat())?;
    }
}
