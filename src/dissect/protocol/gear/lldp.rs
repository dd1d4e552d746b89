//! LLDP: what a neighbour says of itself and of its management addresses (IEEE 802.1AB clause 8, ANSI/TIA-1057).
//!
//! Nothing is said before the mandatory part (chassis id, port id, time to live, in this order) proved sound, because
//! the chassis id ties MACs into one device.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::census::{Field, MacAddr, Sign};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Management addresses that one frame may name; 802.1AB sets no bound.
const ADDRESSES: usize = 16;
/// The longest chassis id in bytes that fits a value as hex; longer ones would tie by a beginning only.
const CHASSIS_BYTES: usize = 120;
/// The organisation of LLDP-MED.
const TIA: [u8; 3] = [0x00, 0x12, 0xbb];
/// The organisation of PROFINET, and its TLV with the MAC of the device that all its ports share (IEC 61158-6-10).
const PROFINET_CHASSIS: [u8; 4] = [0x00, 0x0e, 0xcf, 0x05];

/// Dissects an LLDPDU, the payload of EtherType 0x88cc. `address` receives the IPv4 and IPv6 management addresses.
///
/// # Errors
/// If the mandatory part is not sound, a TLV runs past the end, or one is broken or appears twice against the standard; the
/// other TLVs count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut reader = Reader::new(payload.bytes);
    let chassis = mandatory(&mut reader, 1)?;
    mandatory(&mut reader, 2)?;
    mandatory(&mut reader, 3)?;
    say_chassis(chassis, words);
    let (mut addresses, mut ended) = (0, Ok(()));
    while !reader.is_empty() && words.budget().item() && !words.budget().is_silent() {
        let (kind, value) = tlv(&mut reader)?;
        match kind {
            0 => break,
            1..=3 => ended = ended.and(Err(malformed("mandatory TLV repeated"))),
            4 => words.say(Field::LldpPortDescr, value),
            5 => words.say(Field::LldpSysName, value),
            6 => words.say(Field::LldpSysDescr, value),
            7 => {
                let mut v = Reader::new(value);
                match (v.u16(), v.u16()) {
                    (_, Some(enabled)) => words.number(Field::LldpCapEnabled, enabled.into()),
                    _ => ended = ended.and(Err(malformed("short capabilities TLV"))),
                }
            }
            8 if addresses < ADDRESSES => {
                if let Some(ip) = management_address(value) {
                    addresses += 1;
                    words.address(ip, Sign::LldpManagement);
                }
            }
            127 => match value.split_first_chunk() {
                // Ports of one device send chassis ids of their own; this names the device's MAC (I8c).
                Some((&PROFINET_CHASSIS, mac)) => say_chassis(&[&[4], mac].concat(), words),
                _ => say_med(value, words),
            },
            _ => {}
        }
    }
    ended
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("lldp", reason)
}

/// Clause 8.4: seven bits of type, nine of length.
fn tlv<'a>(reader: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Malformed> {
    let head = reader.u16().ok_or_else(|| malformed("truncated TLV"))?;
    let value = reader.take(usize::from(head & 0x1ff)).ok_or_else(|| malformed("truncated TLV"))?;
    Ok((head >> 9, value))
}

fn mandatory<'a>(reader: &mut Reader<'a>, kind: u16) -> Result<&'a [u8], Malformed> {
    match tlv(reader)? {
        (k, value) if k == kind && (2..=256).contains(&value.len()) => Ok(value),
        (k, _) if k == kind => Err(malformed("mandatory TLV of wrong length")),
        _ => Err(malformed("mandatory TLV missing")),
    }
}

/// Clause 8.5.2. Ids that devices share (all zeros, no unicast MAC) would tie strangers and are not said.
fn say_chassis(value: &[u8], words: &mut Words<'_>) {
    let Some((&subtype, id)) = value.split_first() else { return };
    let named = match subtype {
        4 => id.len() == 6 && MacAddr::from_slice(id).is_some_and(MacAddr::is_station),
        5 => {
            matches!((id.first(), id.len()), (Some(1), 5) | (Some(2), 17))
                && id.iter().skip(1).any(|b| *b != 0)
        }
        1..=3 | 6 | 7 => id.iter().any(|b| !matches!(b, 0 | b' ')),
        _ => false,
    };
    if !named || id.len() > CHASSIS_BYTES {
        return;
    }
    let hex = hex::encode(id);
    words.say(Field::LldpChassisId, format!("{subtype}:{hex}").as_bytes());
}

/// Clause 8.5.9. A length that contradicts the family or the TLV gives nothing.
fn management_address(value: &[u8]) -> Option<IpAddr> {
    let mut v = Reader::new(value);
    let length = v.u8()?;
    let ip = match (length, v.u8()?) {
        (5, 1) => IpAddr::V4(Ipv4Addr::from(v.array::<4>()?)),
        (17, 2) => IpAddr::V6(Ipv6Addr::from(v.array::<16>()?)),
        _ => return None,
    };
    let _interface = v.array::<5>()?;
    let oid = v.u8()?;
    v.take(usize::from(oid))?;
    Some(ip)
}

/// ANSI/TIA-1057 clause 10.2: device class and inventory.
fn say_med(value: &[u8], words: &mut Words<'_>) {
    let mut v = Reader::new(value);
    if v.array() != Some(TIA) {
        return;
    }
    let Some(subtype) = v.u8() else { return };
    let field = match subtype {
        1 => {
            if let (Some(_capabilities), Some(class @ 1..)) = (v.u16(), v.u8()) {
                words.number(Field::LldpMedClass, class.into());
            }
            return;
        }
        6 => Field::LldpMedFirmware,
        8 => Field::LldpMedSerial,
        9 => Field::LldpMedManufacturer,
        10 => Field::LldpMedModel,
        _ => return,
    };
    words.say(field, v.rest());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::announced;

    const MAC: [u8; 6] = [0x00, 0x1b, 0x54, 1, 2, 3];

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        let head = kind << 9 | u16::try_from(value.len()).unwrap();
        [&head.to_be_bytes()[..], value].concat()
    }

    fn head(chassis: &[u8]) -> Vec<u8> {
        [tlv(1, chassis), tlv(2, b"\x05Gi1/0/1"), tlv(3, &[0, 120])].concat()
    }

    fn mac_chassis() -> Vec<u8> {
        head(&[&[4], &MAC[..]].concat())
    }

    fn v4(last: u8) -> Vec<u8> {
        tlv(8, &[5, 1, 192, 0, 2, last, 2, 0, 0, 0, 1, 0])
    }

    fn switch() -> Vec<u8> {
        let mut v6 = vec![17, 2, 0x20, 1, 0xd, 0xb8];
        v6.extend([0; 11]);
        v6.extend([9, 2, 0, 0, 0, 1, 2, 0x2b, 6]);
        [
            mac_chassis(),
            tlv(4, b"uplink"),
            tlv(5, b"sw-1"),
            tlv(6, b"Switch OS 1.2"),
            tlv(7, &[0, 0x14, 0, 0x04]),
            v4(7),
            tlv(8, &v6),
            tlv(127, &[0, 0x12, 0xbb, 1, 0, 0x33, 4]),
            tlv(127, b"\x00\x12\xbb\x061.0"),
            tlv(127, b"\x00\x12\xbb\x08SN1"),
            tlv(127, b"\x00\x12\xbb\x09Maker"),
            tlv(127, b"\x00\x12\xbb\x0aModel"),
            tlv(127, b"\x00\x80\xc2\x01\0\x01"),
            tlv(0, b""),
            vec![0xff; 9],
        ]
        .concat()
    }

    fn run(payload: &[u8]) -> (Vec<String>, Vec<String>, Result<(), Malformed>) {
        let (out, ips, result) = announced(|w| dissect(&Payload::new(payload), w));
        (out, ips, result)
    }

    #[test]
    fn a_switch_says_who_it_is_and_where_it_is_managed() {
        let (out, ips, result) = run(&switch());
        assert_eq!(
            out,
            [
                "lldp.chassis_id=4:001b54010203",
                "lldp.port_descr=uplink",
                "lldp.sys_name=sw-1",
                "lldp.sys_descr=Switch OS 1.2",
                "lldp.cap_enabled=4",
                "lldp.med_class=4",
                "lldp.med_fw=1.0",
                "lldp.med_serial=SN1",
                "lldp.med_manufacturer=Maker",
                "lldp.med_model=Model",
            ]
        );
        assert_eq!(ips, ["192.0.2.7", "2001:db8::9"]);
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn nothing_is_said_without_a_sound_mandatory_part() {
        for bad in [
            [tlv(1, &[4]), tlv(2, b"\x05x"), tlv(3, &[0, 120]), v4(1)].concat(),
            [tlv(1, b"\x07x"), tlv(3, &[0, 120]), v4(1)].concat(),
            [tlv(1, b"\x07x"), tlv(2, b"\x05x"), tlv(3, &[0]), v4(1)].concat(),
            [tlv(5, b"name"), mac_chassis(), v4(1)].concat(),
        ] {
            let (out, ips, result) = run(&bad);
            assert!(out.is_empty() && ips.is_empty() && result.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_profinet_port_names_the_mac_of_its_device() {
        let chassis = |mac: &[u8]| tlv(127, &[&PROFINET_CHASSIS, mac].concat());
        let port = |mac| run(&[head(b"\x07plc.port-1"), chassis(mac)].concat()).0;
        assert_eq!(port(&MAC), ["lldp.chassis_id=7:706c632e706f72742d31", "lldp.chassis_id=4:001b54010203"]);
        for shared in [&[0; 6][..], &[0xff; 6], &MAC[..5], &[]] {
            assert_eq!(port(shared).len(), 1, "{shared:?}");
        }
    }

    #[test]
    fn a_broken_tlv_costs_itself_alone() {
        let frame = [mac_chassis(), tlv(7, &[0, 4]), tlv(2, b"\x05x"), tlv(5, b"sw-1"), v4(7)].concat();
        let (out, ips, result) = run(&frame);
        assert_eq!(out, ["lldp.chassis_id=4:001b54010203", "lldp.sys_name=sw-1"]);
        assert_eq!((ips.len(), result), (1, Err(malformed("short capabilities TLV"))));
    }

    #[test]
    fn ids_that_devices_share_are_not_said() {
        for id in [
            &[4, 0, 0, 0, 0, 0, 0][..],
            &[4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[4, 0, 0x1b],
            &[7, 0],
            &[5, 1, 0, 0, 0, 0],
        ] {
            let (out, _, result) = run(&head(id));
            assert!(out.is_empty() && result.is_ok(), "{id:?} {out:?}");
        }
    }

    #[test]
    fn an_address_with_a_lying_length_is_nothing_and_earlier_ones_stay() {
        for lie in [
            &[4, 1, 192, 0, 2, 9, 2, 0, 0, 0, 1, 0][..],
            &[17, 1, 192, 0, 2, 9, 2, 0, 0, 0, 1, 0],
            &[5, 2, 192, 0, 2, 9, 2, 0, 0, 0, 1, 0],
            &[5, 1, 192, 0, 2, 9, 2, 0, 0, 0, 1, 99],
            &[5, 1, 192, 0, 2, 9],
            &[255, 1],
            &[],
        ] {
            let (_, ips, _) = run(&[mac_chassis(), v4(7), tlv(8, lie)].concat());
            assert_eq!(ips, ["192.0.2.7"], "{lie:?}");
        }
        let (_, ips, result) = run(&[mac_chassis(), v4(7), vec![0x10, 0x40, 5]].concat());
        assert_eq!((ips.len(), result), (1, Err(malformed("truncated TLV"))));
    }

    #[test]
    fn broken_and_endless_frames_do_no_harm() {
        survives(&switch(), dissect);
        let (_, ips, _) = run(&[mac_chassis(), (0..60).flat_map(v4).collect()].concat());
        assert_eq!(ips.len(), ADDRESSES);
    }
}
