//! Extreme Discovery Protocol: the name and software of an Extreme switch (the frame format that Extreme published;
//! SNAP 00e02b, 0x00bb).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one announcement may hold.
const TLVS: usize = 64;
/// What every part starts with.
const MARKER: u8 = 0x99;

/// Dissects an EDP announcement, what follows the SNAP header.
///
/// # Errors
/// If it is not EDP, or a part runs past the end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([1, _]), Some(length)) = (r.array(), r.u16()) else {
        return Err(malformed("unknown version"));
    };
    // The length counts the header of 16 bytes. The id is of type 0, a MAC.
    let length = usize::from(length).checked_sub(4).ok_or_else(|| malformed("short message"))?;
    let mut ended = if length > r.rest().len() { Err(malformed("truncated message")) } else { Ok(()) };
    let mut r = Reader::new(r.at_most(length));
    let (Some(_checksum_and_sequence), Some(0), Some(_mac)) = (r.u32(), r.u16(), r.take(6)) else {
        return Err(malformed("unknown id"));
    };
    for _ in 0..TLVS {
        if r.is_empty() {
            return ended;
        }
        match tlv(&mut r).ok_or_else(|| malformed("broken TLV"))? {
            (0, _) => return ended,
            (1, name) => words.say(Field::EdpName, name),
            (2, info) => {
                // Slot, port, chassis, six reserved bytes.
                let version = info.get(12..).and_then(|v| v.first_chunk::<4>());
                match version {
                    Some([major, minor, sustaining, build]) => {
                        let text = format!("{major}.{minor}.{sustaining}.{build}");
                        words.say(Field::EdpVersion, text.as_bytes());
                    }
                    None => ended = ended.and(Err(malformed("short information"))),
                }
            }
            _ => {}
        }
    }
    Err(malformed("too many TLVs"))
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("edp", reason)
}

/// A marker, a type, and a length that counts these four bytes too.
fn tlv<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let ([MARKER, kind], length) = (r.array()?, r.u16()?) else { return None };
    Some((kind, r.take(usize::from(length).checked_sub(4)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[MARKER, kind, 0, u8::try_from(value.len() + 4).unwrap()], value].concat()
    }

    fn message(parts: &[Vec<u8>]) -> Vec<u8> {
        let parts = parts.concat();
        let length = u8::try_from(16 + parts.len()).unwrap();
        [&[1, 0, 0, length, 0, 0, 0, 7, 0, 0, 0, 4, 0x96, 1, 2, 3], &parts[..]].concat()
    }

    #[test]
    fn a_switch_announces_its_name_and_software() {
        let mut info = [0; 32];
        info[12..16].copy_from_slice(&[12, 4, 1, 7]);
        let sound = message(&[tlv(2, &info), tlv(1, b"sw-hall\0"), tlv(5, &[0; 8]), tlv(0, b"")]);
        let expected = ["edp.version=12.4.1.7", "edp.name=sw-hall"].map(str::to_owned).to_vec();
        assert_eq!(said(|w| dissect(&Payload::new(&sound), w)), (expected, Ok(())));
        // An Ethernet frame is padded.
        assert_eq!(said(|w| dissect(&Payload::new(&[&sound[..], &[0; 9]].concat()), w)).1, Ok(()));
        survives(&sound, dissect);
    }

    #[test]
    fn what_lies_about_its_length_or_is_no_edp_is_malformed() {
        let mut long = message(&[tlv(1, b"a")]);
        long[3] += 1;
        let mut marker = message(&[tlv(1, b"a")]);
        marker[16] = 0x98;
        let (out, result) = said(|w| dissect(&Payload::new(&long), w));
        assert_eq!((out, result.is_err()), (vec!["edp.name=a".to_owned()], true), "cut behind a TLV");
        for bad in [marker, vec![2; 40], vec![], message(&[tlv(2, &[0; 9])])] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
