//! MNDP, the neighbour discovery of MikroTik's RouterOS over UDP 5678: what a router announces of itself (the frame
//! format that MikroTik's documentation and its own packet sniffer show).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one announcement may hold.
const TLVS: usize = 32;

/// Dissects a message of UDP 5678. Anything but an announcement says nothing.
///
/// # Errors
/// If a part of an announcement runs past its end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(_header), Some(_sequence)) = (r.u16(), r.u16()) else { return Ok(()) };
    // An announcement starts with the sender's MAC; a request holds zeros.
    if !matches!(tlv(&mut r), Some((1, [_, _, _, _, _, _]))) {
        return Ok(());
    }
    for _ in 0..TLVS {
        if r.is_empty() {
            return Ok(());
        }
        let (kind, value) = tlv(&mut r).ok_or_else(|| malformed("truncated TLV"))?;
        let field = match kind {
            5 => Field::MndpIdentity,
            7 => Field::MndpVersion,
            8 => Field::MndpPlatform,
            12 => Field::MndpBoard,
            _ => continue,
        };
        words.say(field, value);
    }
    Err(malformed("too many TLVs"))
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("mndp", reason)
}

fn tlv<'a>(r: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, length) = (r.u16()?, r.u16()?);
    Some((kind, r.take(length.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn announcement(mac: &[u8]) -> Vec<u8> {
        let parts: [(u8, &[u8]); 7] = [
            (1, mac),
            (5, b"core-1"),
            (7, b"7.14.2 (stable)"),
            (8, b"MikroTik"),
            (10, &[0x10, 0, 0, 0]),
            (12, b"RB750Gr3"),
            (16, b"bridge/ether1"),
        ];
        let parts =
            parts.map(|(kind, value)| [&[0, kind, 0, u8::try_from(value.len()).unwrap()], value].concat());
        [&[0, 0, 0, 9][..], &parts.concat()].concat()
    }

    #[test]
    fn a_router_announces_itself() {
        let sound = announcement(&[2, 0, 0, 0, 0, 1]);
        let expected = [
            "mndp.identity=core-1",
            "mndp.version=7.14.2 (stable)",
            "mndp.platform=MikroTik",
            "mndp.board=RB750Gr3",
        ];
        assert_eq!(
            said(|w| dissect(&Payload::new(&sound), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        assert!(said(|w| dissect(&Payload::new(&sound[..sound.len() - 1]), w)).1.is_err());
        survives(&sound, dissect);
    }

    #[test]
    fn requests_and_other_traffic_say_nothing() {
        for quiet in [vec![0; 4], vec![0; 9], b"REGISTER sip:a SIP/2.0".to_vec(), announcement(b"no"), vec![]]
        {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())));
        }
    }
}
