//! Cisco Discovery Protocol: what a neighbour says of itself and of its addresses (Cisco's published frame format).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::census::{Field, Sign, VALUE_BYTES};
use crate::dissect::{Budget, Malformed, Payload, Reader, Words};

/// Addresses that one TLV may name; the format's 32-bit count is not believed.
const ADDRESSES: usize = 16;
/// The 802.2 protocol that means IPv6 in an address.
const IPV6: &[u8] = &[0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x86, 0xdd];

/// Dissects a CDP packet, what follows the SNAP header. `address` receives the addresses of the device, from its
/// address TLV (0x0002) and its management address TLV (0x0016).
///
/// # Errors
/// If the header is not one of CDP, or a TLV is broken or runs past the end; the others count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut reader = Reader::new(payload.bytes);
    let [version, _ttl, _, _] = reader.array().ok_or_else(|| malformed("truncated header"))?;
    if !matches!(version, 1 | 2) {
        return Err(malformed("unknown version"));
    }
    let mut ended = Ok(());
    while !reader.is_empty() && words.budget().item() && !words.budget().is_silent() {
        let (kind, value) = tlv(&mut reader).ok_or_else(|| malformed("truncated TLV"))?;
        match kind {
            0x0001 => say_device_id(value, words),
            0x0002 | 0x0016 => {
                let (list, whole) = addresses(value, words.budget());
                list.into_iter().for_each(|ip| words.address(ip, Sign::CdpManagement));
                if !whole {
                    ended = ended.and(Err(malformed("truncated address list")));
                }
            }
            0x0004 => match Reader::new(value).u32() {
                Some(bits) => words.number(Field::CdpCap, bits.into()),
                None => ended = ended.and(Err(malformed("short capabilities TLV"))),
            },
            0x0005 => words.say(Field::CdpVersion, value),
            0x0006 => words.say(Field::CdpPlatform, value),
            _ => {}
        }
    }
    ended
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("cdp", reason)
}

/// Two bytes of type, two of length; the length counts these four bytes too.
pub(super) fn tlv<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, length) = (reader.u16()?, reader.u16()?);
    Some((kind, reader.take(usize::from(length).checked_sub(4)?)?))
}

/// The device id ties MACs, so one that is not text is said as hex rather than with its bytes replaced, and one that
/// would be cut is not said.
fn say_device_id(value: &[u8], words: &mut Words<'_>) {
    let end = value.iter().rposition(|b| !matches!(b, 0 | b' ')).map_or(0, |i| i + 1);
    let id = value.get(..end).unwrap_or(value);
    match std::str::from_utf8(id) {
        Ok(text) if id.len() <= VALUE_BYTES && !text.chars().any(char::is_control) => {
            words.say(Field::CdpDeviceId, id);
        }
        _ if value.len() <= 64 => words.hex(Field::CdpDeviceId, value),
        _ => {}
    }
}

/// The addresses of a list up to a length that lies, and whether the list is whole.
fn addresses(value: &[u8], budget: &mut Budget) -> (Vec<IpAddr>, bool) {
    let mut out = Vec::new();
    let whole = read_addresses(&mut Reader::new(value), &mut out, budget).is_some();
    (out, whole)
}

fn read_addresses(v: &mut Reader<'_>, out: &mut Vec<IpAddr>, budget: &mut Budget) -> Option<()> {
    for _ in 0..v.u32()? {
        if out.len() == ADDRESSES || !budget.item() {
            break;
        }
        let (kind, length) = (v.u8()?, v.u8()?);
        let protocol = v.take(usize::from(length))?;
        let length = v.u16()?;
        let bytes = v.take(usize::from(length))?;
        let ip = match (kind, protocol) {
            (1, [0xcc]) => bytes.try_into().ok().map(|b: [u8; 4]| IpAddr::V4(Ipv4Addr::from(b))),
            (2, IPV6) => bytes.try_into().ok().map(|b: [u8; 16]| IpAddr::V6(Ipv6Addr::from(b))),
            _ => None,
        };
        out.extend(ip);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::announced;

    const HEAD: &[u8] = &[2, 180, 0, 0];

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        [&kind.to_be_bytes()[..], &length.to_be_bytes()[..], value].concat()
    }

    fn v4(last: u8) -> Vec<u8> {
        vec![1, 1, 0xcc, 0, 4, 192, 0, 2, last]
    }

    fn switch() -> Vec<u8> {
        let mut v6 = [&[2, 8][..], IPV6, &[0, 16, 0xfe, 0x80]].concat();
        v6.extend([0; 13]);
        v6.push(1);
        [
            HEAD.to_vec(),
            tlv(1, b"sw-1.example"),
            tlv(2, &[&[0, 0, 0, 2][..], &v4(7), &v6].concat()),
            tlv(3, b"Gi1/0/1"),
            tlv(4, &[0, 0, 0, 0x28]),
            tlv(5, b"OS\nVersion 15"),
            tlv(6, b"cisco WS-C2960"),
            tlv(0x16, &[&[0, 0, 0, 1][..], &v4(8)].concat()),
        ]
        .concat()
    }

    fn run(payload: &[u8]) -> (Vec<String>, Vec<String>, Result<(), Malformed>) {
        let (out, ips, result) = announced(|w| dissect(&Payload::new(payload), w));
        (out, ips, result)
    }

    #[test]
    fn a_switch_says_who_it_is_and_its_addresses() {
        let (out, ips, result) = run(&switch());
        assert_eq!(
            out,
            [
                "cdp.device_id=sw-1.example",
                "cdp.cap=40",
                "cdp.version=OS Version 15",
                "cdp.platform=cisco WS-C2960",
            ]
        );
        assert_eq!(ips, ["192.0.2.7", "fe80::1", "192.0.2.8"]);
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn a_binary_device_id_is_said_as_hex_and_an_empty_one_not_at_all() {
        let of = |id: &[u8]| run(&[HEAD, &tlv(1, id)].concat()).0;
        assert_eq!(of(&[0, 0x1b, 0x54, 0xff, 2, 3]), ["cdp.device_id=001b54ff0203"]);
        assert_eq!(of(b"phone\0"), ["cdp.device_id=phone"]);
        assert!(of(b"\0 \0").is_empty() && of(b"").is_empty() && of(&[b'x'; 300]).is_empty());
    }

    #[test]
    fn a_list_that_lies_gives_the_addresses_before_the_lie() {
        for (list, sound) in [
            ([&[0, 0, 0, 2][..], &v4(7)].concat(), 1),
            ([&[0xff, 0xff, 0xff, 0xff][..], &v4(7)].concat(), 1),
            (vec![0, 0, 0, 1, 1, 1, 0xcc, 0, 40, 192, 0, 2, 7], 0),
        ] {
            let (out, ips, result) = run(&[HEAD, &tlv(2, &list), &tlv(4, &[0]), &tlv(6, b"C9200")].concat());
            assert_eq!((ips.len(), out), (sound, vec!["cdp.platform=C9200".to_owned()]), "{list:?}");
            assert_eq!(result, Err(malformed("truncated address list")));
        }
        let wrong_family = [HEAD, &tlv(2, &[0, 0, 0, 1, 1, 1, 0xcc, 0, 3, 192, 0, 2])].concat();
        assert_eq!(run(&wrong_family), (vec![], vec![], Ok(())));
    }

    #[test]
    fn a_tlv_shorter_than_its_own_head_ends_the_reading() {
        let (out, _, result) = run(&[HEAD, &tlv(6, b"x"), &[0, 1, 0, 3, 9, 9]].concat());
        assert_eq!((out.len(), result), (1, Err(malformed("truncated TLV"))));
    }

    #[test]
    fn broken_frames_do_no_harm() {
        survives(&switch(), dissect);
    }
}
