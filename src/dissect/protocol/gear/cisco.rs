//! What switches by Cisco and their like tell each other below SNAP 00000c: VTP (0x2003), DTP (0x2004), UDLD (0x0111,
//! RFC 5171) and PAgP (0x0104). The formats are Cisco's published ones. No other device sends them.

use super::cdp::tlv;
use crate::census::{Field, MacAddr};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a VTP packet, what follows the SNAP header.
///
/// # Errors
/// If it is not a sound packet of that protocol.
pub(crate) fn dissect_vtp(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("vtp", vtp(Reader::new(payload.bytes)), words)
}

/// Dissects a DTP packet, what follows the SNAP header.
///
/// # Errors
/// As [`dissect_vtp`].
pub(crate) fn dissect_dtp(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("dtp", dtp(Reader::new(payload.bytes)), words)
}

/// Dissects a UDLD packet, what follows the SNAP header.
///
/// # Errors
/// As [`dissect_vtp`].
pub(crate) fn dissect_udld(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("udld", udld(Reader::new(payload.bytes)), words)
}

/// Dissects a PAgP packet, what follows the SNAP header.
///
/// # Errors
/// As [`dissect_vtp`].
pub(crate) fn dissect_pagp(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    say("pagp", pagp(Reader::new(payload.bytes)), words)
}

fn say(name: &'static str, sound: Option<()>, words: &mut Words<'_>) -> Result<(), Malformed> {
    sound.ok_or_else(|| Malformed::new(name, "broken packet"))?;
    words.say(Field::RouterTask, name.as_bytes());
    Ok(())
}

/// Version, code (summary, subset, request, join), followers, length of the domain's name, 32 bytes for it.
fn vtp(mut r: Reader<'_>) -> Option<()> {
    let [version, code, _, length] = r.array()?;
    r.take(32)?;
    (matches!(version, 1..=3) && matches!(code, 1..=4) && length <= 32).then_some(())
}

/// A version, then the domain, then the status of one byte.
fn dtp(mut r: Reader<'_>) -> Option<()> {
    let (1, (1, _domain), (2, [_])) = (r.u8()?, tlv(&mut r)?, tlv(&mut r)?) else { return None };
    Some(())
}

/// Version 1 and an operation (probe, echo, flush) in one byte, flags, checksum, then the device's id and the port's.
fn udld(mut r: Reader<'_>) -> Option<()> {
    let (0x21..=0x23, Some(_)) = (r.u8()?, r.take(3)) else { return None };
    let ((1, [_, ..]), (2, [_, ..])) = (tlv(&mut r)?, tlv(&mut r)?) else { return None };
    Some(())
}

/// Version 1, flags, the MAC of the device; the rest up to the TLVs is of fixed size.
fn pagp(mut r: Reader<'_>) -> Option<()> {
    let ([1, _flags], device) = (r.array()?, MacAddr(r.array()?)) else { return None };
    r.take(46 - 8)?;
    device.is_station().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::registry::Dissect;
    use crate::dissect::testing::said;

    fn samples() -> [(Dissect, &'static str, Vec<u8>); 4] {
        let vtp = [&[2, 1, 0, 3, b'l', b'a', b'b'][..], &[0; 65]].concat();
        let dtp = vec![1, 0, 1, 0, 5, 0, 0, 2, 0, 5, 0x81, 0, 3, 0, 5, 0xa5, 0, 4, 0, 10, 2, 0, 0, 0, 0, 1];
        let udld = [&[0x21, 0, 0, 0][..], &[0, 1, 0, 7, b's', b'w', b'1', 0, 2, 0, 6, b'1', b'/']].concat();
        let mut pagp = vec![1, 0, 0, 0x1b, 0x54, 1, 2, 3];
        pagp.resize(46, 0);
        [
            (dissect_vtp, "vtp", vtp),
            (dissect_dtp, "dtp", dtp),
            (dissect_udld, "udld", udld),
            (dissect_pagp, "pagp", pagp),
        ]
    }

    #[test]
    fn each_protocol_tells_a_switch() {
        for (dissect, name, packet) in samples() {
            let expected = (vec![format!("router.task={name}")], Ok(()));
            assert_eq!(said(|w| dissect(&Payload::new(&packet), w)), expected);
            survives(&packet, dissect);
        }
    }

    #[test]
    fn a_packet_of_another_protocol_says_nothing() {
        for (dissect, name, _) in samples() {
            for (_, _, other) in samples().iter().filter(|s| s.1 != name) {
                let (out, result) = said(|w| dissect(&Payload::new(other), w));
                assert!(out.is_empty() && result.is_err(), "{name}: {other:?}");
            }
        }
    }
}
