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
    |p, w| coap::dissect(p, coap::PORT, w),
    |p, w| hello::say(p, 'q', w),
    |p, w| ntp::dissect(p, ntp::PORT, w),
    |p, w| tls::dissect(p, true, w),
    bacnet::dissect,
    dhcp6::dissect,
    dns::dissect,
    dns::dissect_stream,
    enip::dissect,
    ftp::dissect,
    http::dissect,
    ipp::dissect,
    llmnr::dissect,
    mdns::dissect,
    mqtt::dissect,
    nbns::dissect,
    pjl::dissect,
    quic::dissect,
    rtsp::dissect,
    sip::dissect,
    smtp::dissect,
    ssdp::dissect,
    ssh::dissect,
    stp::dissect,
    telnet::dissect,
    upnp::dissect,
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
    &[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3],
    &[
        0x16, 3, 3, 0, 200, 11, 0, 0, 196, 0, 0, 193, 0, 0, 190, 0x30, 0x81, 187, 0x30, 0x81, 100, 2, 1, 1,
        0x30, 0, 0x30,
    ],
    &[0x10, 60, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60],
    &[0x82, 60, 0, 1, 0, 3, b'a', b'/', b'#', 1],
    &[0x41, 1, 0, 1, 0xaa, 0xb3, b'o', b'i', b'c'],
    &[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a'],
    b"\x02\0\0\0\0\0\0\x01\x01\x47\0\x12attributes-charset\0\x05utf-8\x04\x41\0\x16printer-make-and-model",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>",
    b"<?xml?><root><device><modelName>",
    b"@PJL INFO ID\r\n",
    b"220-",
    b"\xff\xfb\x01",
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
