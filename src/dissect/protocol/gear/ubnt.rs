//! Ubiquiti discovery over UDP 10001, versions 1 and 2: what a device answers or announces of itself (the TLVs as
//! Ubiquiti's devices send them). The queries, which are empty, say nothing.

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one message may hold.
const TLVS: usize = 64;

/// Dissects a message of UDP 10001.
///
/// # Errors
/// If a part of an answer runs past its end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([version, command]), Some(length)) = (r.array(), r.u16()) else { return Ok(()) };
    // In version 1 a query has the same command; it is empty. Version 2 queries by 8.
    let answer = matches!((version, command), (1, 0) | (2, 6 | 7 | 9 | 11));
    // More bytes than the length are another protocol's, fewer are what a capture left.
    if !answer || usize::from(length) < r.rest().len() {
        return Ok(());
    }
    // The device's MAC comes first, alone or with an address: other traffic on this port does not look like that.
    let parts = r;
    if !matches!(tlv(&mut r), Some((1, [_, _, _, _, _, _]) | (2, [_, _, _, _, _, _, _, _, _, _]))) {
        return Ok(());
    }
    // A relay keeps the addresses of who answers (I2).
    let mut words = words.about(&addresses(parts));
    for _ in 0..TLVS {
        if r.is_empty() {
            return Ok(());
        }
        let (kind, value) = tlv(&mut r).ok_or_else(|| malformed("truncated TLV"))?;
        let field = match (version, kind) {
            (_, 0x03) => Field::UbntFirmware,
            (_, 0x0b) => Field::UbntHostname,
            (_, 0x0c | 0x14) | (2, 0x15) => Field::UbntModel,
            _ => continue,
        };
        words.say(field, value);
    }
    Err(malformed("too many TLVs"))
}

/// The addresses of the device, each behind a MAC.
fn addresses(mut r: Reader<'_>) -> Vec<IpAddr> {
    let parts = std::iter::from_fn(|| tlv(&mut r)).take(TLVS);
    let addresses = parts.filter_map(|part| match part {
        (2, [_, _, _, _, _, _, a, b, c, d]) => Some(IpAddr::from([*a, *b, *c, *d])),
        _ => None,
    });
    addresses.collect()
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("ubnt", reason)
}

fn tlv<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let (kind, length) = (r.u8()?, r.u16()?);
    Some((kind, r.take(length.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    #[test]
    fn an_answer_that_is_passed_on_describes_the_device_that_it_names() {
        let mac: &[u8] = &[0, 0x15, 0x6d, 1, 2, 3];
        let parts: &[(u8, &[u8])] = &[
            (1, mac),
            (2, &[mac, &[192, 0, 2, 7]].concat()),
            (2, &[mac, &[198, 51, 100, 7]].concat()),
            (0x14, b"NanoStation"),
        ];
        let answer = message(1, 0, parts);
        let from = |source| described(MacAddr::default(), source, |w| dissect(&Payload::new(&answer), w)).0;
        assert_eq!(from("198.51.100.7"), ["ubnt.model=NanoStation"]);
        let of_both = ["192.0.2.7 ubnt.model=NanoStation", "198.51.100.7 ubnt.model=NanoStation"];
        assert_eq!(from("203.0.113.1"), of_both);
    }

    fn message(version: u8, command: u8, parts: &[(u8, &[u8])]) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = parts
            .iter()
            .map(|(kind, value)| [&[*kind, 0, u8::try_from(value.len()).unwrap()], *value].concat())
            .collect();
        let parts = parts.concat();
        [&[version, command, 0, u8::try_from(parts.len()).unwrap()], &parts[..]].concat()
    }

    const MAC: &[u8] = &[2, 0, 0, 0, 0, 1];
    const MAC_AND_IP: &[u8] = &[2, 0, 0, 0, 0, 1, 192, 0, 2, 7];

    #[test]
    fn a_radio_and_an_access_point_answer() {
        let v1 = message(
            1,
            0,
            &[
                (2, MAC_AND_IP),
                (1, MAC),
                (3, b"XM.ar7240.v5.6.3"),
                (0x0b, b"mast-1"),
                (0x0c, b"N2N"),
                (0x0d, b"net"),
            ],
        );
        let (out, result) = said(|w| dissect(&Payload::new(&v1), w));
        assert_eq!(out, ["ubnt.firmware=XM.ar7240.v5.6.3", "ubnt.hostname=mast-1", "ubnt.model=N2N"]);
        assert_eq!(result, Ok(()));
        survives(&v1, dissect);
        let v2 = message(2, 6, &[(1, MAC), (0x0b, b"hall"), (0x15, b"U7PG2"), (0x16, b"4.0.66")]);
        let (out, _) = said(|w| dissect(&Payload::new(&v2), w));
        assert_eq!(out, ["ubnt.hostname=hall", "ubnt.model=U7PG2"]);
        let mut cut = message(1, 0, &[(1, MAC), (0x0c, b"N2N")]);
        cut[15] = 200;
        assert!(said(|w| dissect(&Payload::new(&cut), w)).1.is_err());
    }

    #[test]
    fn queries_and_other_traffic_say_nothing() {
        for quiet in [
            vec![1, 0, 0, 0],
            vec![2, 8, 0, 0],
            message(2, 8, &[(1, MAC), (0x0c, b"x")]),
            message(1, 0, &[(0x0c, b"x"), (1, MAC)]),
            message(1, 1, &[(1, MAC), (0x0c, b"x")]),
            [message(1, 0, &[(1, MAC), (0x0c, b"x")]), vec![0]].concat(),
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
