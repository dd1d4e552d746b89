//! Spanning tree: a sender of sound BPDUs is a bridge (IEEE 802.1D 9.3, 802.1Q 14 for RSTP and MSTP).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a BPDU, what follows the LLC header `42 42 03`.
///
/// # Errors
/// If it is not BPDU, or shorter than its version and type need.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut reader = Reader::new(payload.bytes);
    let (Some(protocol), Some([version, kind])) = (reader.u16(), reader.array()) else {
        return Err(Malformed::new("stp", "truncated BPDU"));
    };
    if protocol != 0 {
        return Err(Malformed::new("stp", "unknown protocol identifier"));
    }
    // A receiver ignores what follows the part it knows, so a longer or later BPDU is sound too.
    let least = match (version, kind) {
        (_, 0x80) => 4,
        (_, 0x00) => 35,
        (2.., 0x02) => 36,
        _ => return Err(Malformed::new("stp", "unknown BPDU type")),
    };
    if payload.bytes.len() < least {
        return Err(Malformed::new("stp", "truncated BPDU"));
    }
    words.say(Field::StpBridge, b"sender");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn bpdu(version: u8, kind: u8, length: usize) -> Vec<u8> {
        let mut out = vec![0, 0, version, kind];
        out.resize(length, 1);
        out
    }

    #[test]
    fn a_sound_bpdu_of_any_version_makes_its_sender_a_bridge() {
        for sound in [bpdu(0, 0, 35), bpdu(0, 0x80, 4), bpdu(2, 2, 36), bpdu(3, 2, 102), bpdu(0, 0, 46)] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&sound), w)),
                (vec!["stp.bridge=sender".to_owned()], Ok(()))
            );
        }
    }

    #[test]
    fn what_is_no_bpdu_says_nothing() {
        for bad in [bpdu(0, 0, 34), bpdu(2, 2, 35), bpdu(0, 2, 40), bpdu(0, 7, 40), vec![0, 1, 0, 0], vec![]]
        {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
        survives(&bpdu(2, 2, 36), dissect);
    }
}
