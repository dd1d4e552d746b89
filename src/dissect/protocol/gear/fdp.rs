//! Foundry Discovery Protocol: what a Foundry, Brocade or Ruckus switch says of itself (the frame format of CDP's first
//! version under Foundry's SNAP header, 00e052 and 0x2000).

use super::cdp::tlv;
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Parts that one announcement may hold.
const TLVS: usize = 64;

/// Dissects an FDP announcement, what follows the SNAP header.
///
/// # Errors
/// If the header is not one of FDP or a part runs past the end; what came before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if !matches!(r.array(), Some([1, _hold_time, _, _])) {
        return Err(malformed("unknown version"));
    }
    for _ in 0..TLVS {
        if r.is_empty() {
            return Ok(());
        }
        let (kind, value) = tlv(&mut r).ok_or_else(|| malformed("truncated TLV"))?;
        let field = match kind {
            0x0001 => Field::FdpDeviceId,
            0x0005 => Field::FdpVersion,
            0x0006 => Field::FdpPlatform,
            _ => continue,
        };
        words.say(field, value);
    }
    Err(malformed("too many TLVs"))
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("fdp", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn message(parts: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = vec![1, 180, 0, 0];
        for (kind, value) in parts {
            out.extend([&[0, *kind, 0, u8::try_from(value.len() + 4).unwrap()], *value].concat());
        }
        out
    }

    #[test]
    fn a_switch_says_who_it_is() {
        let sound = message(&[
            (1, b"fi-1"),
            (3, b"ethernet1/1/1"),
            (4, &[0, 0, 0, 2]),
            (5, b"IronWare Version 07.4"),
            (6, b"ICX6450"),
        ]);
        let expected = ["fdp.device_id=fi-1", "fdp.version=IronWare Version 07.4", "fdp.platform=ICX6450"];
        assert_eq!(
            said(|w| dissect(&Payload::new(&sound), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        survives(&sound, dissect);
    }

    #[test]
    fn what_is_no_fdp_says_nothing() {
        for bad in [&b"\x02\xb4\0\0\0\x01\0\x05a"[..], b"\x01", b"", b"\x01\xb4\0\0\0\x01\0\x03"] {
            let (out, result) = said(|w| dissect(&Payload::new(bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
