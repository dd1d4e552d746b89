//! OSPF: a sender is a router (RFC 2328 appendix A.3, RFC 5340 appendix A.3).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a packet that went to a group, what follows the IP header.
///
/// # Errors
/// If the packet is not OSPF.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    sound(payload.bytes).ok_or(Malformed::new("ospf", "broken packet"))?;
    words.say(Field::RouterProtocol, b"ospf");
    Ok(())
}

fn sound(payload: &[u8]) -> Option<()> {
    let mut r = Reader::new(payload);
    let ([version, kind], length, router) = (r.array()?, usize::from(r.u16()?), r.u32()?);
    // Hello, database description, request, update, acknowledgement. The length leaves out a digest at the end.
    let least = match (version, kind) {
        (2, 1) => 44,
        (2, 2) => 32,
        (2, 4) => 28,
        (2, 3 | 5) => 24,
        (3, 1) => 36,
        (3, 2) => 28,
        (3, 4) => 20,
        (3, 3 | 5) => 16,
        _ => return None,
    };
    ((least..=payload.len()).contains(&length) && router != 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn packet(version: u8, kind: u8, length: u8) -> Vec<u8> {
        let mut out = vec![version, kind, 0, length, 192, 0, 2, 1];
        out.resize(length.into(), 0);
        out
    }

    #[test]
    fn a_hello_of_both_versions_tells_a_router() {
        for sound in [packet(2, 1, 44), packet(2, 5, 24), packet(3, 1, 40), packet(3, 4, 20)] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&sound), w)),
                (vec!["router.protocol=ospf".to_owned()], Ok(()))
            );
            survives(&sound, dissect);
        }
    }

    #[test]
    fn what_is_no_ospf_says_nothing() {
        let mut nobody = packet(2, 1, 44);
        nobody[4..8].fill(0);
        let cut = packet(2, 1, 48)[..44].to_vec();
        for bad in [packet(2, 1, 43), packet(2, 6, 48), packet(4, 1, 48), nobody, cut, vec![2, 1], vec![]] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
