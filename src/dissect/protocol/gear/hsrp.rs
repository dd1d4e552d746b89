//! HSRP: a sender is a router that shares an address (RFC 2281 section 5.1; version 2 as Cisco describes it).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a message to UDP 1985, or 2029 over IPv6, that went to a group.
///
/// # Errors
/// If it is not HSRP.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    first(payload.bytes).or_else(|| second(payload.bytes)).ok_or(Malformed::new("hsrp", "broken message"))?;
    words.say(Field::RouterProtocol, b"hsrp");
    Ok(())
}

/// Version 0: hello, coup and resign have 20 bytes; an advertisement of the interface's state has 16.
fn first(payload: &[u8]) -> Option<()> {
    let [0, operation, state, _] = Reader::new(payload).array()? else { return None };
    let sound = match operation {
        0..=2 => payload.len() >= 20 && matches!(state, 0 | 1 | 2 | 4 | 8 | 16),
        3 => payload.len() >= 16,
        _ => false,
    };
    sound.then_some(())
}

/// Version 2: a TLV of the group's state with 40 bytes: version, operation, state, and 4 or 6 for the family of IP; or
/// one of the interface's state with 4.
fn second(payload: &[u8]) -> Option<()> {
    let mut r = Reader::new(payload);
    let (kind, length) = (r.u8()?, r.u8()?);
    let mut body = Reader::new(r.take(length.into())?);
    match (kind, length) {
        (1, 40) => matches!(body.array()?, [2, 0..=2, 0..=6, 4 | 6]).then_some(()),
        (2, 4) => Some(()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn of(head: &[u8], length: usize) -> Vec<u8> {
        let mut out = head.to_vec();
        out.resize(length, 0);
        out
    }

    #[test]
    fn hellos_of_both_versions_tell_a_router() {
        for sound in [
            of(&[0, 0, 16, 3, 10, 100, 1, 0, b'c', b'i', b's', b'c', b'o'], 20),
            of(&[0, 3, 0, 1], 16),
            of(&[1, 40, 2, 0, 6, 4, 0, 1], 42),
            of(&[1, 40, 2, 0, 5, 6, 0, 1], 72),
            of(&[2, 4, 0, 2, 0, 1], 6),
        ] {
            assert_eq!(
                said(|w| dissect(&Payload::new(&sound), w)),
                (vec!["router.protocol=hsrp".to_owned()], Ok(()))
            );
            survives(&sound, dissect);
        }
    }

    #[test]
    fn what_is_no_hsrp_says_nothing() {
        for bad in [
            of(&[0, 0, 16], 19),
            of(&[0, 0, 3], 20),
            of(&[0, 9, 16], 20),
            of(&[1, 40, 2, 0, 6, 4], 41),
            of(&[1, 40, 1, 0, 6, 4], 42),
            vec![],
        ] {
            let (out, result) = said(|w| dissect(&Payload::new(&bad), w));
            assert!(out.is_empty() && result.is_err(), "{bad:?}");
        }
    }
}
