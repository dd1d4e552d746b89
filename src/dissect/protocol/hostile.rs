//! Properties that hold for every dissector, for any bytes.

use proptest::prelude::*;

use super::form::{hello, ntlm};
use super::*;
use crate::census::{Field, MacAddr, VALUE_BYTES, clean};
use crate::dissect::Words;

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
    b"\0\0\x02\0\xffSMB\x73\0\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\x20",
    b"\0\0\x02\0\xfeSMB\x40\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0",
    b"NTLMSSP\0\x02\0\0\0",
    b"\x05\0\x0c\x03\x10\0\0\0\x60\0\x20\0",
    b"\x6a\x82\x01\0\x30\x82\x01\0\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x80",
    b"\x30\x82\x01\0\x02\x01\x07\x64\x82\x01\0\x04\0\x30\x82\x01\0\x30\x40\x04\x08netlogon\x31\x40\x04\x40\x17",
    b"\x11\x0a\0\x01\xc0\0\x02\x01\0\x8a\0\0\0\0\x20FEEFFDFECNEGDHEEEGECDDDEGEFDJCAA\0",
    b"\x03\0\0\x40\x08\x02\0\x01\x05\x7e\0\x30\x05\x20\xa8\x06\0\x08\x91\x4a\0",
    b"\x80\0\0\x01",
    b"\x05\x40\0ServerName;",
    b"\x04\x01\0\x40\0\0\x01\0\0\0\x0b\0\x06",
    b"\x12\x34\x56\x78SYNO\x01\x04\x02\0\0\0",
    b"\xff\xff\xff\xff\x21\x4c\x5f\xa0\x10\0\0\0",
    b"\x20\0\0\0DHIP",
    b"BJNP\x81\x30",
    b"EPSONq",
    b"HTTP/1.1 200 OK\r\nServer: ",
    b"GET / HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAADAAAA",
    b"NOTIFY * HTTP/1.1\r\nNT: ",
    b"SIP/2.0 200 OK\r\nUser-Agent: ",
    b"RTSP/1.0 200 OK\r\nWWW-Authenticate: Digest realm=\"",
    b"<Hello><Types>",
    b"SSH-",
    &[0, 1, 0, 0, 0, 60, 1, 0x2b, 0x0e, 1, 1, 0, 0, 9, 0, 4],
    &[3, 0, 0, 90, 2, 0xf0, 0x80, 0x32, 7, 0, 0, 0, 5, 0, 12, 0, 64, 0, 1, 0x12, 8, 0x12, 0x84, 1, 1],
    &[3, 0, 0, 60, 2, 0xf0, 0x80, 1, 0, 1, 0, 0x61, 45, 0x30, 43, 2, 1, 3, 0xa0, 38, 0xa1, 36, 2, 1, 1, 0xa2, 31],
    &[6, 0x10, 2, 4, 0, 80, 54, 1, 2],
    &[0xfe, 0xff, 5, 1, 0, 0, 0, 1, 0, 0, 0, 60, 2, 1, 0, 9],
    &[0x81, 0x0a, 0, 60, 1, 0, 0x30, 1, 0x0e, 0x0c, 2, 0, 0, 7, 0x1e, 0x29, 70, 0x4e],
    &[0, 1, 0, 60, 0, 0, 0, 0, 0x61, 50, 0x80, 20],
    b"fox a 0 -1 fox hello\n{\nhostName=s:",
    b"\x0bMSH|^~\\&|",
    b"MSGF\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\xaf\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
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
    for protocol in PROTOCOLS {
        for (dissect, payload) in protocol.runs(payload) {
            for (field, value) in heard(|words| dissect(&payload, words))? {
                let family = field.family();
                prop_assert!(protocol.families.contains(&family), "{}: {family:?} {value}", protocol.name);
            }
        }
    }
    // What several protocols share, and the way of every port through the dispatch.
    heard(|words| hello::say(payload, 'q', words))?;
    for side in [Side::Client, Side::Server] {
        heard(|words| {
            ntlm::say(payload, side, words);
            ntlm::say_header(payload, side, words);
            Ok(())
        })?;
    }
    let keys = PROTOCOLS.iter().flat_map(|p| p.ways).flat_map(|way| way.keys);
    for key in keys.chain(&[Key::From(22), Key::To(8080), Key::To(179), Key::From(1)]) {
        let (from, to) = match key {
            Key::From(port) => (*port, 49_152),
            Key::To(port) => (49_152, *port),
            _ => continue,
        };
        let payload = Payload { source: MacAddr([0, 1, 2, 3, 4, 5]), ..Payload::new(payload) };
        heard(|words| datagram(payload.between(from, to), words))?;
        heard(|words| stream(payload.between(from, to), words))?;
    }
    Ok(())
}

/// What `dissect` says, after checking it.
fn heard(
    dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
) -> Result<Vec<(Field, String)>, TestCaseError> {
    let mut said = Vec::new();
    let mut hear = |field, value: &str| said.push((field, value.to_owned()));
    let ended = dissect(&mut Words::new(&mut hear));
    prop_assert!(said.len() <= 128, "{ended:?}");
    for (field, value) in &said {
        prop_assert!(value.len() <= VALUE_BYTES, "{field} {value}");
        prop_assert_eq!(clean(value.as_bytes()), Some(value.clone()), "{}", field);
    }
    Ok(said)
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
